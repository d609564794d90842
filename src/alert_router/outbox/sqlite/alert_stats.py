"""Counts of received alerts: added to, read a day at a time, deleted."""

from collections.abc import Sequence

from alert_router.outbox.alert_stats import MOST_A_DAY, OTHERS, Observation
from alert_router.outbox.sqlite.queries import query
from alert_router.outbox.sqlite.session import Session, clean

_ADD_TO_OBSERVED = query("add_to_observed")
_BEGIN_OBSERVED = query("begin_observed")
_TALLIES_ON = query("tallies_on")
_OBSERVED_ON = query("observed_on")
_FORGET_OBSERVED = query("forget_observed")


def observe(session: Session, observations: Sequence[Observation]) -> None:
    """As `Outbox.observe`."""
    tallies: dict[int, int] = {}  # how many each day has, once that had to be asked
    for it in observations:
        alert, rest = clean(it.alert), (clean(it.runbook), clean(it.way))
        more = (it.received, it.woken, it.seen_at, it.day)
        if _add(session, (*more, alert, *rest)):
            continue
        if it.day not in tallies:
            (tallies[it.day],) = session.execute(_TALLIES_ON, (it.day,)).fetchone()
        if tallies[it.day] >= MOST_A_DAY:
            alert = OTHERS
            if _add(session, (*more, alert, *rest)):
                continue
        session.execute(_BEGIN_OBSERVED, (*more, alert, *rest))
        tallies[it.day] += 1


def observed(session: Session, day: int) -> list[Observation]:
    """As `Outbox.observed`."""
    return [Observation(*row) for row in session.execute(_OBSERVED_ON, (day,))]


def forget(session: Session, before_day: int, limit: int) -> int:
    """As `Outbox.forget_observed`."""
    return session.execute(_FORGET_OBSERVED, (before_day, limit)).rowcount


def _add(session: Session, values: tuple[int | float | str, ...]) -> bool:
    """Whether there was a count to add to."""
    return session.execute(_ADD_TO_OBSERVED, values).rowcount > 0
