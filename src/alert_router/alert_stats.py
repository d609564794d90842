"""Counts of received alerts and of notifications about them: made in memory, written to the store,
and reported: which alerts came, how often, and whether they had a runbook.

Counting only adds to a dictionary, which is written every few seconds. A process that is killed
loses the counts of the last seconds, but no alert. The store keeps no labels: a runbook in a report
is the one chosen when the alert was received or notified, not the one that today's runbook table
would choose.
"""

import asyncio
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import groupby
from operator import itemgetter
from typing import Any, Literal

import structlog

from alert_router.aside import Aside
from alert_router.enrich import ANNOTATIONS, Choice, ChosenBy
from alert_router.metrics import Metrics
from alert_router.model import Alert, AlertGroup
from alert_router.outbox.base import Outbox, StoreUnavailable
from alert_router.outbox.model import DAY, MOST_A_DAY, OTHERS, Observation, day_of

log = structlog.get_logger(__name__)

_LONGEST_NAME = 200  # characters
_BATCH = 250  # observations; a batch is one short operation of the store's writer
_WAIT = 0.1  # seconds until a batch of groups is counted
_MOST = 100  # groups of a batch: a few milliseconds of work

Choose = Callable[[Alert], Choice]
ObservedState = Literal["covered", "none-wanted", "uncovered"]

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
                        more = (it.received, it.notified, it.seen_at)
                        self._add(it.day, it.alert, it.runbook, it.way, *more)
                    return

    def _add(
        self, day: int, alert: str, runbook: str, way: str, received: int, notified: int, at: float
    ) -> None:
        key = (day, alert, runbook, way)
        count = self._counts.get(key)
        if count is None and len(self._counts) >= MOST_A_DAY:
            key = (day, OTHERS, runbook, way)
            count = self._counts.get(key)
        if count is not None:
            received, notified, at = count[0] + received, count[1] + notified, max(count[2], at)
        self._counts[key] = (received, notified, at)


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


def coverage_state(runbook: str | None, way: str) -> ObservedState:
    """A runbook was found, the table wants none, or none was found."""
    if runbook:
        return "covered"
    return "none-wanted" if way == "table" else "uncovered"


@dataclass(frozen=True, slots=True)
class AlertCounts:
    """Firing alerts received, by state, and the notifications sent about them."""

    covered: int = 0
    none_wanted: int = 0
    uncovered: int = 0
    notified: int = 0

    @property
    def received(self) -> int:
        """All alerts received."""
        return self.covered + self.none_wanted + self.uncovered

    @property
    def percent(self) -> float:
        """The share with a runbook among those that want one; 100 if none does."""
        wanting = self.covered + self.uncovered
        return 100.0 * self.covered / wanting if wanting else 100.0


@dataclass(frozen=True, slots=True)
class ObservedAlert:
    """One alert name. `choices` are its runbooks, the latest first."""

    name: str
    counts: AlertCounts
    choices: tuple[Observation, ...]

    @property
    def state(self) -> ObservedState:
        """The state of the latest choice."""
        return coverage_state(self.choices[0].runbook, self.choices[0].way)

    @property
    def last_seen(self) -> datetime:
        """When such an alert was last received or notified."""
        return datetime.fromtimestamp(self.choices[0].seen_at, UTC)


@dataclass(frozen=True, slots=True)
class Observed:
    """All alert names of the last `days` days including today, sorted by notifications sent, then
    by alerts received."""

    days: int
    since: str  # the first day, UTC: 2026-10-25
    alerts: tuple[ObservedAlert, ...]
    totals: AlertCounts

    def as_json(self, most: int | None = None) -> dict[str, Any]:
        """For machines; keys are stable. Lists the first `most` alerts and counts the others."""
        listed = self.alerts[:most]
        return {
            "days": self.days,
            "since": self.since,
            "alerts": [_alert_json(rank, alert) for rank, alert in enumerate(listed, 1)],
            "not_listed": len(self.alerts) - len(listed),
            "totals": {"alerts": len(self.alerts)} | _counts_json(self.totals),
        }


async def read_observed(outbox: Outbox, days: int, now: float) -> Observed:
    """The report of the last `days` days. Reads a day at a time, so that other operations of the
    store do not wait long. Raises StoreUnavailable."""
    first = day_of(now) - days + 1
    # The clock may have been set back: rows of tomorrow count too.
    rows = [row for day in range(first, first + days + 1) for row in await outbox.observed(day)]
    since = datetime.fromtimestamp(first * DAY, UTC).date().isoformat()
    # Invented alert names can make this large, so it runs in a thread.
    return await asyncio.to_thread(gather, rows, days, since)


def gather(rows: Sequence[Observation], days: int, since: str) -> Observed:
    """Sums daily counts by alert name."""
    by_name: dict[str, dict[tuple[str, str], list[Observation]]] = {}
    for row in rows:
        choices = by_name.setdefault(row.alert, {})
        choices.setdefault((row.runbook, row.way), []).append(row)
    alerts = [
        ObservedAlert(
            name,
            _summed(row for same in choices.values() for row in same),
            tuple(sorted(map(_sum, choices.values()), key=lambda it: -it.seen_at)),
        )
        for name, choices in by_name.items()
    ]
    alerts.sort(key=lambda alert: (-alert.counts.notified, -alert.counts.received, alert.name))
    return Observed(days, since, tuple(alerts), _summed(rows))


def _sum(rows: Sequence[Observation]) -> Observation:
    last = max(rows, key=lambda row: row.seen_at)
    received = sum(row.received for row in rows)
    notified = sum(row.notified for row in rows)
    return Observation(
        last.day, last.alert, last.runbook, last.way, received, notified, last.seen_at
    )


def _summed(rows: Iterable[Observation]) -> AlertCounts:
    received: dict[ObservedState, int] = {"covered": 0, "none-wanted": 0, "uncovered": 0}
    notified = 0
    for row in rows:
        received[coverage_state(row.runbook, row.way)] += row.received
        notified += row.notified
    return AlertCounts(
        received["covered"], received["none-wanted"], received["uncovered"], notified
    )


def _counts_json(counts: AlertCounts) -> dict[str, float]:
    return {
        "woken": counts.notified,
        "received": counts.received,
        "covered": counts.covered,
        "uncovered": counts.uncovered,
        "none_wanted": counts.none_wanted,
        "percent": counts.percent,
    }


def _alert_json(rank: int, alert: ObservedAlert) -> dict[str, Any]:
    return {
        "rank": rank,
        "alert": alert.name,
        "state": alert.state,
        "last_seen": _iso(alert.last_seen),
        **_counts_json(alert.counts),
        "choices": [
            {
                "runbook": choice.runbook or None,
                "way": choice.way,
                "woken": choice.notified,
                "received": choice.received,
                "last_seen": _iso(datetime.fromtimestamp(choice.seen_at, UTC)),
            }
            for choice in alert.choices
        ],
    }


def _iso(moment: datetime) -> str:
    return moment.isoformat(timespec="seconds").replace("+00:00", "Z")
