"""Reports which alerts were received, how often, and whether they had a runbook.

The store keeps no labels. A runbook in the report is therefore the one chosen when the alert was
received or notified, not the one that today's runbook table would choose.
"""

import asyncio
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Literal

from alert_router.outbox.base import Outbox
from alert_router.outbox.model import DAY, Observation, day_of

ObservedState = Literal["covered", "none-wanted", "uncovered"]


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
    woken: int = 0

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
            _counts(row for same in choices.values() for row in same),
            tuple(sorted(map(_sum, choices.values()), key=lambda it: -it.seen_at)),
        )
        for name, choices in by_name.items()
    ]
    alerts.sort(key=lambda alert: (-alert.counts.woken, -alert.counts.received, alert.name))
    return Observed(days, since, tuple(alerts), _counts(rows))


def _sum(rows: Sequence[Observation]) -> Observation:
    last = max(rows, key=lambda row: row.seen_at)
    received = sum(row.received for row in rows)
    woken = sum(row.woken for row in rows)
    return Observation(last.day, last.alert, last.runbook, last.way, received, woken, last.seen_at)


def _counts(rows: Iterable[Observation]) -> AlertCounts:
    received: dict[ObservedState, int] = {"covered": 0, "none-wanted": 0, "uncovered": 0}
    woken = 0
    for row in rows:
        received[coverage_state(row.runbook, row.way)] += row.received
        woken += row.woken
    return AlertCounts(received["covered"], received["none-wanted"], received["uncovered"], woken)


def _counts_json(counts: AlertCounts) -> dict[str, float]:
    return {
        "woken": counts.woken,
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
                "woken": choice.woken,
                "received": choice.received,
                "last_seen": _iso(datetime.fromtimestamp(choice.seen_at, UTC)),
            }
            for choice in alert.choices
        ],
    }


def _iso(moment: datetime) -> str:
    return moment.isoformat(timespec="seconds").replace("+00:00", "Z")
