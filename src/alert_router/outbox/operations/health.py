"""How a destination is: whether it is failing, since when, and when it is tried again; and what is
pending for one that has failed for long, which is sent elsewhere as well.
"""

from dataclasses import replace

from alert_router.outbox.model import HEALTHY, Destination, Health
from alert_router.outbox.operations.accept import enter_lane
from alert_router.outbox.operations.session import Session


async def read(session: Session, destination: Destination) -> Health:
    """As `Outbox.health`."""
    key = await session.find(destination)
    return HEALTHY if key is None else await of(session, key)


async def of(session: Session, key: int) -> Health:
    """The health of the destination with that key."""
    return Health(*await session.one("health", (key,)))


async def note(session: Session, key: int, health: Health, now: float) -> None:
    """Write the health of the destination with that key. A pause that it has asked for stays,
    whatever an attempt that began before finds."""
    if not health.is_failing:
        # Lanes that backed off by themselves may have done so because of the destination.
        if await session.run("destination_is_well", (key, now)):
            await session.run("all_is_due", (now, key))
            await session.announce(key)
        return
    if session.is_shared:
        await session.one("lock_destination", (key,))
        known = await of(session, key)
        if known.is_failing and known.failing_since < health.failing_since:
            # Another router has found that before, and when to try again. A pause adds to it.
            asked_until = max(known.asked_until, health.asked_until)
            await session.run("extend_pause", (max(known.next_at, asked_until), asked_until, key))
            return
        asked_until = max(known.asked_until, health.asked_until)
        health = replace(health, asked_until=asked_until, next_at=max(health.next_at, asked_until))
    reason, message = session.clean(health.reason), session.clean(health.message)
    values = (
        health.failing_since, health.failures, reason, message, health.next_at, health.asked_until
    )  # fmt: skip
    await session.run("destination_fails", (*values, key))


async def divert(
    session: Session,
    destination: Destination,
    to: tuple[Destination, ...],
    failing_before: float,
    now: float,
    limit: int,
) -> int:
    """Divert at most `limit` deliveries; how many were looked at."""
    source = await session.find(destination)
    if source is None or not to:
        return 0
    since = (await of(session, source)).failing_since
    if not since or since > failing_before:
        return 0
    found = await session.rows("to_divert", (source, limit))
    targets = [await session.key(one) for one in to]
    for delivery, group, priority, fingerprints, identity in found:
        for target in targets:
            if (await session.one("group_is_in_lane", (group, target)))[0]:
                continue  # sent there anyway
            lane = await enter_lane(session, identity, target, priority, now)
            values = (lane, target, group, priority, now, fingerprints, source)
            await session.run("add_diverted", values)
        await session.run("mark_diverted", (delivery,))
    for target in targets if found else ():
        await session.announce(target)
    return len(found)
