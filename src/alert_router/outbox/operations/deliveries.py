"""Deliveries one by one, as people ask for them: list, show, replay, discard."""

import json
from typing import Any

from alert_router.outbox.model import DeliveryFilter, DeliveryRow, Destination, State
from alert_router.outbox.operations.accept import enter_lane
from alert_router.outbox.operations.session import Session
from alert_router.outbox.operations.settle import DELIVERED, shrink

_STATES = (State.WAITING, State.DELIVERED, State.DEAD)
# Constants, so that each finds its index.
_IN_STATE = {
    State.WAITING: "d.state = 0",
    State.DELIVERED: "d.state = 1",
    State.DEAD: "d.state = 2 AND d.replayed_as IS NULL",
}
_AT_ONCE = 20_000  # deliveries that one transaction looks at
_MOST_SUCCESSES = 10_000
BEYOND = 2**62  # no id and no time is as large


async def rows(
    session: Session, wanted: DeliveryFilter, limit: int, before: int
) -> tuple[list[DeliveryRow], int]:
    """As `Outbox.deliveries`, among some thousand; and the id to go on before, 0 at the end."""
    oldest = 0
    if wanted.state in (None, State.DELIVERED):  # of the others an index has few
        (oldest,) = await session.one("oldest_of_latest", (before, _AT_ONCE))
        if oldest is None:
            return [], 0
    reason = "CASE WHEN d.state = 0 THEN l.reason ELSE d.reason END"
    # Read in the order of ids: `||` keeps SQLite from finding and sorting all of a destination.
    chosen: list[tuple[str, Any]] = [("d.id >= ?", oldest), ("d.id < ?", before)]
    chosen += [
        (condition, session.clean(value) if isinstance(value, str) else value)
        for condition, value in (
            ("d.accepted_at >= ?", wanted.since),
            ("d.accepted_at < ?", wanted.until),
            ("t.receiver || '' = ?", wanted.receiver),
            ("t.notifier || '' = ?", wanted.notifier),
            (f"{reason} = ?", wanted.reason),
        )
        if value not in (None, "")
    ]
    conditions = [_IN_STATE[wanted.state]] if wanted.state else []
    conditions += [condition for condition, _ in chosen]
    tail = f"WHERE {' AND '.join(conditions)} ORDER BY d.id DESC LIMIT ?"
    values = [*(value for _, value in chosen), limit]
    return [as_row(*row) for row in await session.rows("rows", values, tail)], oldest


async def last_successes(session: Session) -> dict[Destination, float]:
    """As `Outbox.last_successes`."""
    latest = await _successes(session, BEYOND)
    found = {}
    for key, receiver, notifier, failing_since in await session.rows("every_destination"):
        at = latest.get(key)
        if at is None and failing_since > 0:  # the latest are others' by now
            at = (await _successes(session, failing_since)).get(key)
        if at is not None:
            found[Destination(receiver, notifier)] = at
    return found


async def _successes(session: Session, before: float) -> dict[int, float]:
    values = {"before": before, "limit": _MOST_SUCCESSES}
    return {row[0]: row[1] for row in await session.rows("last_successes", values)}


async def of_group(session: Session, group: str) -> list[DeliveryRow]:
    """As `Outbox.of_group`."""
    found = await session.row("find_group", (group,))
    if found is None:
        return []
    tail = "WHERE d.alert_group = ? ORDER BY d.id"
    return [as_row(*row) for row in await session.rows("rows", found, tail)]


async def show(session: Session, delivery: int) -> tuple[DeliveryRow, bytes] | None:
    """As `Outbox.show`."""
    found = await session.rows("rows", (delivery,), "WHERE d.id = ?")
    if not found:
        return None
    body = await session.row("body_of", (delivery,))
    return None if body is None else (as_row(*found[0]), body[0])


async def replay(
    session: Session, delivery: int, now: float, to: Destination | None, force: bool
) -> int:
    """As `Outbox.replay`."""
    found = await session.row("to_replay", (delivery,))
    if found is None:
        raise LookupError(f"there is no delivery {delivery}")
    state, replayed_as, lane, destination, group, priority, fingerprints, identity = found
    if state == 0:
        raise ValueError(f"delivery {delivery} is still pending; it will be retried automatically")
    if not force:
        if replayed_as is not None:
            raise ValueError(f"delivery {delivery} was replayed already, as {replayed_as}")
        later = await session.row("moved_on", (lane, delivery, group))
        if later is not None:
            raise ValueError(
                f"a newer notification for this group was already sent (delivery {later[0]}); "
                "--force sends the old state all the same"
            )
    if to is not None:
        destination = await session.key(to)
    lane = await enter_lane(session, identity, destination, priority, now)
    values = (lane, destination, group, priority, now, fingerprints)
    new = await session.insert("add_delivery", values)
    await session.run("mark_replayed", (new, delivery))
    await session.announce(destination)
    return new


async def discard(session: Session, delivery: int, now: float) -> None:
    """As `Outbox.discard`."""
    found = await session.row("to_discard", (now, delivery))
    if found is None:
        raise LookupError(f"there is no delivery {delivery}")
    state, lane, is_being_sent = found
    if state == DELIVERED:
        raise ValueError(f"delivery {delivery} was delivered: there is nothing to discard")
    if state == 0 and is_being_sent:
        raise ValueError(f"delivery {delivery} is being sent just now: try again in a while")
    await session.run("delete_delivery", (delivery,))
    if state == 0:
        await shrink(session, lane, now)


def as_row(
    id_: int,
    group: str,
    receiver: str,
    notifier: str,
    state: int,
    accepted_at: float,
    settled_at: float | None,
    attempts: int,
    due_at: float | None,
    reason: str,
    message: str,
    replayed_as: int | None,
    fingerprints: str,
) -> DeliveryRow:
    """The delivery of a row of the statement `rows`."""
    if replayed_as is not None:
        replayed = f"replayed as {replayed_as}" if replayed_as else "replayed"
        message = "; ".join(filter(None, (message, replayed)))
    return DeliveryRow(
        id=id_,
        group=group,
        destination=Destination(receiver, notifier),
        state=_STATES[state],
        accepted_at=accepted_at,
        settled_at=settled_at,
        attempts=attempts,
        due_at=due_at,
        reason=reason,
        message=message,
        fingerprints=tuple(json.loads(fingerprints)),
    )
