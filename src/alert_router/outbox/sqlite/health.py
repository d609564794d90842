"""How a destination is: whether it is failing, since when, and when it is tried again."""

from alert_router.outbox.model import HEALTHY, Destination, Health
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
