"""Counts of received alerts as the store keeps them: by day, name and runbook."""

from dataclasses import dataclass

DAY = 86_400  # seconds
KEPT_DAYS = 30  # today among them

# Names come from alerts: whoever can post may make up any number of them.
MOST_A_DAY = 2000  # counts: one for each name, or several if its alerts had several runbooks
OTHERS = "(others)"  # the name under which all that comes after is counted


@dataclass(frozen=True, slots=True)
class Observation:
    """How often an alert was received firing, and how often a notification reported it, on one
    day (days since 1970-01-01, UTC), with one runbook ("" for none), found by one way.

    `seen_at` is when it last was, in unix seconds."""

    day: int
    alert: str
    runbook: str
    way: str
    received: int
    woken: int
    seen_at: float


def day_of(moment: float) -> int:
    """The day of a moment in unix seconds, UTC."""
    return int(moment // DAY)
