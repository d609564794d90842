"""Counts of received alerts: added to, read a day at a time, deleted."""

from collections.abc import Sequence

from alert_router.outbox.alert_stats import MOST_A_DAY, OTHERS, Observation
from alert_router.outbox.operations.session import Session


async def observe(session: Session, observations: Sequence[Observation]) -> None:
    """As `Outbox.observe`."""
    counts: dict[int, int] = {}  # how many each day has, once that had to be asked
    for it in observations:
        alert, rest = session.clean(it.alert), (session.clean(it.runbook), session.clean(it.way))
        more = (it.received, it.woken, it.seen_at, it.day)
        if await _add(session, (*more, alert, *rest)):
            continue
        if it.day not in counts:
            (counts[it.day],) = await session.one("counts_on", (it.day,))
        if counts[it.day] >= MOST_A_DAY:
            alert = OTHERS
            if await _add(session, (*more, alert, *rest)):
                continue
        await session.run("begin_observed", (*more, alert, *rest))
        counts[it.day] += 1


async def observed(session: Session, day: int) -> list[Observation]:
    """As `Outbox.observed`."""
    return [Observation(*row) for row in await session.rows("observed_on", (day,))]


async def forget(session: Session, before_day: int, limit: int) -> int:
    """As `Outbox.forget_observed`."""
    return await session.run("forget_observed", (before_day, limit))


async def _add(session: Session, values: tuple[int | float | str, ...]) -> bool:
    """Whether there was a count to add to."""
    return await session.run("add_to_observed", (*values[:3], *values[2:])) > 0
