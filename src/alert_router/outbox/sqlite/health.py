"""How a destination is: whether it is failing, since when, and when it is tried again; and what is
pending for one that has failed for long, which is sent elsewhere as well.
"""

from alert_router.outbox.model import HEALTHY, Destination, Health
from alert_router.outbox.sqlite.accept import enter_lane
from alert_router.outbox.sqlite.queries import query
from alert_router.outbox.sqlite.session import Session, clean

_HEALTH = query("health")
_FAILS = query("destination_fails")
_IS_WELL = query("destination_is_well")
_ALL_IS_DUE = query("all_is_due")


def read(session: Session, destination: Destination) -> Health:
    """As `Outbox.health`."""
    key = session.find(destination)
    return HEALTHY if key is None else of(session, key)


def of(session: Session, key: int) -> Health:
    """The health of the destination with that key."""
    return Health(*session.execute(_HEALTH, (key,)).fetchone())


def write(session: Session, destination: Destination, health: Health, now: float) -> None:
    """As `Outbox.set_health`."""
    note(session, session.key(destination), health, now)


def note(session: Session, key: int, health: Health, now: float) -> None:
    """Write the health of the destination with that key."""
    if not health.is_failing:
        # Lanes that backed off by themselves may have done so because of the destination.
        if session.execute(_IS_WELL, (key,)).rowcount:
            session.execute(_ALL_IS_DUE, (now, key))
        return
    values = (
        health.failing_since, health.failures, clean(health.reason), clean(health.message),
        health.next_at, health.asked_until,
    )  # fmt: skip
    session.execute(_FAILS, (*values, key))


_FAILING_SINCE = query("failing_since")
_TO_DIVERT = query("to_divert")
_IS_THERE = query("group_is_in_lane")
_ADD_DIVERTED = query("add_diverted")
_MARK_DIVERTED = query("mark_diverted")


def divert(
    session: Session,
    destination: Destination,
    to: tuple[Destination, ...],
    failing_before: float,
    now: float,
    limit: int,
) -> int:
    """Divert at most `limit` deliveries; how many were looked at."""
    source = session.find(destination)
    if source is None or not to:
        return 0
    (since,) = session.execute(_FAILING_SINCE, (source,)).fetchone()
    if not since or since > failing_before:
        return 0
    found = session.execute(_TO_DIVERT, (source, limit)).fetchall()
    for delivery, group, priority, fingerprints, identity in found:
        for one in to:
            target = session.key(one)
            if session.execute(_IS_THERE, (group, target)).fetchone()[0]:
                continue  # sent there anyway
            lane = enter_lane(session, identity, target, priority, now)
            values = (lane, target, group, priority, now, fingerprints, source)
            session.execute(_ADD_DIVERTED, values)
        session.execute(_MARK_DIVERTED, (delivery,))
    return len(found)
