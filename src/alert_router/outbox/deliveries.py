"""Deliveries as people ask for them: listed, shown, replayed and discarded; and what looks over all
of them: the backlog, expiry, clocks set back, and pruning.
"""

import json
import time
from collections import Counter
from collections.abc import Collection
from functools import partial
from typing import Any

from alert_router.outbox.lanes import DEAD, DELIVERED, enter_lane, shrink
from alert_router.outbox.model import (
    DAY,
    Backlog,
    DeliveryFilter,
    DeliveryRow,
    Destination,
    Health,
    State,
)
from alert_router.outbox.session import Session

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

# The intake waits for a step of pruning: so many seconds of it, looked at after so many rows.
_STEP = 0.01
_FEW = 8


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
    session: Session,
    delivery: int,
    *,
    now: float,
    to: Destination | None = None,
    force: bool = False,
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


async def discard(session: Session, delivery: int, *, now: float) -> None:
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


async def backlog(session: Session) -> list[Backlog]:
    """As `Outbox.backlog`."""
    return [
        Backlog(Destination(receiver, notifier), waiting, oldest, dead, Health(*health))
        for receiver, notifier, waiting, oldest, dead, *health in await session.rows("backlog")
    ]


async def expire(
    session: Session, older_than: float, now: float, served: Collection[Destination], limit: int
) -> Counter[Destination]:
    """As `Outbox.expire`; at most `limit`."""
    done: Counter[Destination] = Counter()
    for key, failing_since in await session.rows("destinations"):
        is_well = await session.named(key) in served and not failing_since
        values = {"destination": key, "before": older_than, "limit": limit - done.total()}
        if is_well:
            rows = await session.rows("to_expire_tried", values)
        else:
            rows = await session.rows("to_expire", values | {"now": now})
        expired = 0
        for delivery, _, attempts in rows:  # one may have been settled meanwhile
            expired += await session.run("expire", (now, attempts, delivery))
        for lane in {lane for _, lane, _ in rows}:
            await shrink(session, lane, now)
        if expired:
            done[await session.named(key)] = expired
        if done.total() >= limit:
            break
    return done


async def hasten(session: Session, *, latest: float, now: float) -> int:
    """As `Outbox.hasten`."""
    done = await session.run("hasten_lanes", (now, latest))
    done += await session.run("end_pauses", {"now": now, "latest": latest})
    return done + await session.run("failing_now", (now, now))


async def prune(
    session: Session, *, delivered_before: float, dead_before: float, limit: int
) -> int:
    """As `Outbox.prune`; also gives space back to the file system."""
    until = time.monotonic() + _STEP
    latest = max(delivered_before, dead_before)
    done = 0
    for few in (
        partial(_prune_settled, session, DELIVERED, delivered_before),
        partial(_prune_settled, session, DEAD, dead_before),
        partial(_forget_contents, session, latest - DAY),
        partial(_forget_references, session, latest - 7 * DAY),
    ):
        gone = 1
        while gone and done < limit and (not done or time.monotonic() < until):
            gone = await few(min(_FEW, limit - done))
            done += gone
    await session.tidy(until)
    return done


async def _prune_settled(session: Session, state: int, before: float, limit: int) -> int:
    return await session.run("prune_settled", (state, before, limit))


async def _forget_contents(session: Session, before: float, limit: int) -> int:
    identities = await session.rows("old_contents", (before, limit))
    for identity in identities:
        await session.run("forget_content", (b"", *identity))
        await session.run("drop_empty_identity", identity)
    return len(identities)


async def _forget_references(session: Session, before: float, limit: int) -> int:
    lanes = await session.rows("old_references", (before, limit))
    for lane in lanes:
        await session.run("forget_reference", lane)
        await session.run("drop_empty_lane", lane)
    return len(lanes)
