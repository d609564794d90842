"""Counts received alerts and sent notifications in memory, and writes the counts to the store.

Counting only adds to a dictionary, which is written every few seconds. A process that is killed
loses the counts of the last seconds, but no alert.
"""

import asyncio
from collections import Counter
from collections.abc import Callable, Iterable
from itertools import groupby
from operator import itemgetter

import structlog

from alert_router.alert_stats.report import coverage_state
from alert_router.aside import Aside
from alert_router.enrich import ANNOTATIONS, Choice, ChosenBy
from alert_router.metrics import Metrics
from alert_router.model import Alert, AlertGroup
from alert_router.outbox.base import Outbox, StoreUnavailable
from alert_router.outbox.model import MOST_A_DAY, OTHERS, Observation, day_of

log = structlog.get_logger(__name__)

_LONGEST_NAME = 200  # characters
_BATCH = 250  # observations; a batch is one short operation of the store's writer
_WAIT = 0.1  # seconds until a batch of groups is counted
_MOST = 100  # groups of a batch: a few milliseconds of work

Choose = Callable[[Alert], Choice]

# By name, whether it fires, runbook, and how that was chosen.
_Counts = Counter[tuple[str, bool, str | None, ChosenBy]]


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

    def count_notified(self, firing: Iterable[Alert], choose: Choose, now: float) -> None:
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


class ReceivedAlerts:
    """Counts the alerts of accepted groups by name and runbook, in batches, behind the answers.
    Used from one event loop."""

    def __init__(self, metrics: Metrics, counters: AlertCounters) -> None:
        self._metrics = metrics
        self._counters = counters
        self._pending: list[tuple[AlertGroup, Choose]] = []
        self._accepted_at = 0.0

    def add(self, group: AlertGroup, choose: Choose, accepted_at: float) -> None:
        """Count the alerts of a small group, accepted at that time (Unix seconds), soon."""
        if not self._pending:
            asyncio.get_running_loop().call_later(_WAIT, self.flush)
        self._pending.append((group, choose))
        self._accepted_at = accepted_at
        if len(self._pending) >= _MOST:
            self.flush()

    async def count_aside(
        self, aside: Aside, group: AlertGroup, choose: Choose, accepted_at: float
    ) -> None:
        """Count the alerts of a large group, choosing their runbooks in a thread."""
        self._record(await aside.run(_counts, (group,), choose), accepted_at)

    def flush(self) -> None:
        """Count what is pending now."""
        pending, self._pending = self._pending, []
        counts: _Counts = Counter()
        for choose, groups in groupby(pending, key=itemgetter(1)):  # another after a reload
            try:
                counts.update(_counts((group for group, _ in groups), choose))
            except Exception:  # their notifications say so themselves
                log.exception("cannot count received alerts")
        self._record(counts, self._accepted_at)

    def _record(self, counts: _Counts, accepted_at: float) -> None:
        metrics = self._metrics
        sums: Counter[tuple[bool, str | None, ChosenBy]] = Counter()
        for (name, firing, runbook, chosen_by), count in counts.items():
            sums[firing, runbook, chosen_by] += count
            if firing:
                self._counters.count_received(name, runbook, chosen_by, count, accepted_at)
        for (firing, runbook, chosen_by), count in sums.items():
            metrics.alerts.labels("firing" if firing else "resolved").inc(count)
            if runbook is None:
                metrics.alerts_unmatched.inc(count)
            else:
                metrics.alerts_matched.labels(runbook.partition("#")[0]).inc(count)
            if firing:
                metrics.firing_alerts.labels(coverage_state(runbook, chosen_by)).inc(count)


def _counts(groups: Iterable[AlertGroup], choose: Choose) -> _Counts:
    """Each alert of each group once, however many receivers are notified of it. In a storm the same
    alerts come again and again: a runbook is chosen once for those that are equal."""
    alike: dict[tuple[object, ...], list[Alert]] = {}
    for group in groups:
        for alert in group.alerts:
            labels, annotations = alert.matching_labels, map(alert.annotations.get, ANNOTATIONS)
            key = (alert.status, *labels, *labels.values(), *annotations)
            alike.setdefault(key, []).append(alert)
    counts: _Counts = Counter()
    for alerts in alike.values():
        choice = choose(alerts[0])
        counts[alerts[0].name, alerts[0].firing, choice.runbook, choice.way] += len(alerts)
    return counts
