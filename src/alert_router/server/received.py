"""Counts the alerts of accepted groups by name and runbook, in batches, behind the answers."""

import asyncio
from collections import Counter
from collections.abc import Callable, Iterable
from itertools import groupby
from operator import itemgetter

import structlog

from alert_router.alert_stats.counters import AlertCounters
from alert_router.alert_stats.report import coverage_state
from alert_router.aside import Aside
from alert_router.enrich import ANNOTATIONS, Choice, ChosenBy
from alert_router.metrics import Metrics
from alert_router.model import Alert, AlertGroup

log = structlog.get_logger(__name__)

_WAIT = 0.1  # seconds until a batch is counted
_MOST = 100  # groups of a batch: a few milliseconds of work

Choose = Callable[[Alert], Choice]

# By name, whether it fires, runbook, and how that was chosen.
_Counts = Counter[tuple[str, bool, str | None, ChosenBy]]


class ReceivedAlerts:
    """The counts of one event loop."""

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
    counts: _Counts = Counter()
    chosen: dict[tuple[object, ...], Choice] = {}
    for group in groups:
        for alert in group.alerts:
            key = (*alert.matching_labels.items(), *map(alert.annotations.get, ANNOTATIONS))
            choice = chosen.get(key) or chosen.setdefault(key, choose(alert))
            counts[alert.name, alert.firing, choice.runbook, choice.way] += 1
    return counts
