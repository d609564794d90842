"""When heartbeats were received, and which are known to be missing."""

from collections.abc import Callable, Collection, Coroutine, Sequence
from typing import Any

from alert_router.outbox.model import HeartbeatState, NewGroup
from alert_router.outbox.operations.session import Session

Accept = Callable[[Any, Sequence[tuple[NewGroup, float]]], Coroutine[Any, Any, Any]]


async def beat(session: Session, names: Collection[str], now: float) -> None:
    """As `Outbox.beat`."""
    for name in sorted(names):  # in one order: routers do not wait for each other in a circle
        await session.run("beat", (name, now))


async def read(session: Session, names: Collection[str], now: float) -> list[HeartbeatState]:
    """As `Outbox.heartbeats`."""
    found = {row[0]: HeartbeatState(*row) for row in await session.rows("heartbeats")}
    for name in sorted(set(names) - set(found)):
        await session.run("begin_heartbeat", (name, now))
        row = await session.row("heartbeat", (name,))
        found[name] = HeartbeatState(*(row or (name, now, 0.0)))
    return [found[name] for name in names]


async def change(
    session: Session, accept: Accept, before: HeartbeatState, missing_since: float, group: NewGroup
) -> bool:
    """As `Outbox.change_heartbeat`; `accept` is the driver's."""
    values = (missing_since, before.name, before.seen_at, before.missing_since)
    if not await session.run("change_heartbeat", values):
        return False
    await accept(session, [(group, 0.0)])
    return True


async def forget(session: Session, name: str) -> None:
    """As `Outbox.forget_heartbeat`."""
    await session.run("forget_heartbeat", (name,))
