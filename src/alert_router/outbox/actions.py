"""What people do about groups, and what their pages show: kept, read and forgotten."""

import os
from dataclasses import replace

from alert_router.outbox.deliveries import as_row
from alert_router.outbox.model import (
    CHANGES_APART,
    MOST_ACTIONS,
    Action,
    ActionKind,
    History,
    KeptGroup,
    LatestGroup,
    Usage,
)
from alert_router.outbox.session import Session

_MOST_GROUPS = 200  # of one identity
_MOST_DELIVERIES = 400
_MOST_BODIES = 8 * 1024 * 1024  # bytes; the latest body is read in any case


async def history(session: Session, group: str) -> History | None:
    """As `Outbox.history`."""
    found = await session.row("identity_of_group", (group,))
    if found is None:
        return None
    identity, digest, *asked = found
    latest = await session.rows("groups_of_identity", (identity, _MOST_GROUPS))
    if latest and asked[0] < latest[-1][0]:
        latest = [*latest, asked]
    groups: list[KeptGroup] = []
    left = _MOST_BODIES
    for seq, id_, accepted_at, since, size in latest:
        body = None
        if size <= left or not groups:
            kept = await session.row("body_of_group", (seq,))
            if kept is None:  # pruned since the statement before
                continue
            [body] = kept
        left -= size
        groups.append(KeptGroup(id_, accepted_at, since, body))
    if not groups:
        return None
    tail = "WHERE l.identity = ? ORDER BY d.id DESC LIMIT ?"
    deliveries = await session.rows("rows", (identity, _MOST_DELIVERIES), tail)
    rows = tuple(as_row(*row) for row in reversed(deliveries))
    done = await _actions(session, digest, 0.0)
    return History(digest, tuple(reversed(groups)), rows, tuple(done))


async def latest(session: Session, after: int, limit: int) -> list[LatestGroup]:
    """As `Outbox.latest`."""
    found, left = [], _MOST_BODIES
    async for row in session.each("groups_after", (after, limit)):
        found.append(LatestGroup(*row))
        left -= len(found[-1].body)
        if left < 0:
            break
    return found


async def act(session: Session, identity: bytes, action: Action) -> bool:
    """As `Outbox.act`."""
    earlier = await _actions(session, identity, action.since)
    if not action.is_news_to(earlier):
        return False
    if len(earlier) >= MOST_ACTIONS:
        raise ValueError(f"there are {MOST_ACTIONS:,} actions about this group already")
    await add(session, identity, cleaned(session, action))
    if action.kind not in (ActionKind.HELPED, ActionKind.NOT_HELPED):
        await change_messages(session, identity, action.at)
    return True


async def change_messages(session: Session, identity: bytes, now: float) -> None:
    """Have the messages about an identity say what people did."""
    order = {"identity": identity, "now": now, "apart": CHANGES_APART}
    await session.run("change_messages", order)


async def of(session: Session, identity: bytes) -> list[Action]:
    """Those that are kept about an identity, oldest first."""
    return await _actions(session, identity, 0.0)


async def add(session: Session, identity: bytes, action: Action) -> None:
    """Keep an action as it is."""
    texts = (action.who, action.runbook, action.revision, action.step, action.title)
    values = (identity, action.at, action.since, action.kind.value, *texts)
    await session.run("add_action", values)


def cleaned(session: Session, action: Action) -> Action:
    """The action with texts that the database can hold."""
    return replace(
        action,
        who=session.clean(action.who),
        runbook=session.clean(action.runbook),
        revision=session.clean(action.revision),
        step=session.clean(action.step),
        title=session.clean(action.title),
    )


async def usage(session: Session, runbook: str) -> list[Usage]:
    """As `Outbox.usage`."""
    return [
        Usage(revision, step, title, ActionKind(kind), count, after, last_at)
        for revision, step, title, kind, count, after, last_at in await session.rows(
            "usage", (runbook,)
        )
    ]


async def actions_since(session: Session, since: float, limit: int) -> list[tuple[bytes, Action]]:
    """As `Outbox.actions_since`."""
    rows = await session.rows("actions_since", (since, limit))
    return [(identity, _action(*row)) for identity, *row in rows]


async def secret(session: Session, name: str) -> bytes:
    """As `Outbox.secret`."""
    found = await session.row("find_secret", (name,))
    if found is None:
        await session.run("add_secret", (name, os.urandom(32)))
        found = await session.one("find_secret", (name,))
    return bytes(found[0])


async def forget(session: Session, *, before: float, limit: int) -> int:
    """As `Outbox.forget_actions`."""
    return await session.run("forget_actions", (before, limit))


async def _actions(session: Session, identity: bytes, since: float) -> list[Action]:
    rows = await session.rows("actions_of", (identity, since, 4 * MOST_ACTIONS))
    return [_action(*row) for row in reversed(rows)]


def _action(
    kind: str, who: str, at: float, since: float, runbook: str, revision: str, step: str, title: str
) -> Action:
    return Action(ActionKind(kind), who, at, since, runbook, revision, step, title)
