"""Counts received alerts and sent notifications in memory, and writes the counts to the store.

Counting only adds to a dictionary, which is written every few seconds. A process that is killed
loses the counts of the last seconds, but no alert.
"""

import asyncio
from collections.abc import Callable, Iterable

import structlog

from alert_router.enrich import Choice
from alert_router.model import Alert
from alert_router.outbox.alert_stats import MOST_A_DAY, OTHERS, Observation, day_of
from alert_router.outbox.base import Outbox, StoreUnavailable

log = structlog.get_logger(__name__)

_LONGEST_NAME = 200  # characters
_BATCH = 250  # observations; a batch is one short operation of the store's writer


class AlertCounters:
    """Counts that are not written yet. Used from one event loop."""

    def __init__(self) -> None:
        self._counts: dict[tuple[int, str, str, str], tuple[int, int, float]] = {}
        self._writing = asyncio.Lock()

    def count_received(
        self, alert: str, runbook: str | None, way: str, number: int, now: float
    ) -> None:
        """Count firing alerts of one name, for which this runbook was found this way."""
        self._add(day_of(now), _name(alert), runbook or "", way, number, 0, now)

    def count_notified(
        self, firing: Iterable[Alert], choose: Callable[[Alert], Choice], now: float
    ) -> None:
        """Count a delivered notification about these alerts: one for each name."""
        first = {alert.name: alert for alert in reversed(list(firing))}
        for name, alert in first.items():
            try:
                choice = choose(alert)
            except Exception as error:  # the notification went out without a runbook
                log.error("cannot choose a runbook", error=type(error).__name__)
                choice = Choice(None, "none")
            self._add(day_of(now), _name(name), choice.runbook or "", choice.way, 0, 1, now)

    async def write(self, outbox: Outbox) -> None:
        """Write all counts; what the store cannot take now is kept."""
        async with self._writing:
            counts, self._counts = self._counts, {}
            rows = [Observation(*key, *count) for key, count in counts.items()]
            for start in range(0, len(rows), _BATCH):
                try:
                    await outbox.observe(rows[start : start + _BATCH])
                except StoreUnavailable as error:
                    log.warning("alert counts not written; they are kept", error=str(error))
                    for it in rows[start:]:
                        more = (it.received, it.woken, it.seen_at)
                        self._add(it.day, it.alert, it.runbook, it.way, *more)
                    return

    def _add(
        self, day: int, alert: str, runbook: str, way: str, received: int, woken: int, at: float
    ) -> None:
        key = (day, alert, runbook, way)
        count = self._counts.get(key)
        if count is None and len(self._counts) >= MOST_A_DAY:
            key = (day, OTHERS, runbook, way)
            count = self._counts.get(key)
        if count is not None:
            received, woken, at = count[0] + received, count[1] + woken, max(count[2], at)
        self._counts[key] = (received, woken, at)


def _name(alert: str) -> str:
    return alert if len(alert) <= _LONGEST_NAME else f"{alert[:_LONGEST_NAME]}…"
