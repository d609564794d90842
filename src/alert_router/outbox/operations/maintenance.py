"""What looks over all lanes: what was sent, the backlog, expiry, clocks set back, and
pruning.
"""

import time
from collections import Counter
from collections.abc import Collection
from functools import partial

from alert_router.outbox.model import Backlog, Destination, Health
from alert_router.outbox.operations.session import Session
from alert_router.outbox.operations.settle import DEAD, DELIVERED, shrink

_DAY = 86_400.0

# The intake waits for a step of pruning: so many seconds of it, looked at after so many rows.
_STEP = 0.01
_FEW = 8


async def sent(session: Session, destination: Destination, since: float, now: float) -> list[float]:
    """As `Outbox.sent`."""
    key = await session.find(destination)
    if key is None:
        return []
    values = {"destination": key, "since": since, "now": now}
    return [row[0] for row in await session.rows("sent", values)]


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


async def hasten(session: Session, latest: float, now: float) -> int:
    """As `Outbox.hasten`."""
    done = await session.run("hasten_lanes", (now, latest))
    done += await session.run("end_pauses", {"now": now, "latest": latest})
    return done + await session.run("failing_now", (now, now))


async def prune(session: Session, delivered_before: float, dead_before: float, limit: int) -> int:
    """As `Outbox.prune`; also gives space back to the file system."""
    until = time.monotonic() + _STEP
    latest = max(delivered_before, dead_before)
    done = 0
    for few in (
        partial(_prune_settled, session, DELIVERED, delivered_before),
        partial(_prune_settled, session, DEAD, dead_before),
        partial(_forget_contents, session, latest - _DAY),
        partial(_forget_references, session, latest - 7 * _DAY),
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
