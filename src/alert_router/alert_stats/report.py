"""What really came in: which alerts, how often, and whether there was a runbook for them.

No labels are kept, so that a runbook in here is the
one that was chosen when the alert came, or was sent, not what a table changed since would say.
"""

import asyncio
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Literal

from alert_router.outbox.base import Outbox
from alert_router.outbox.observed import DAY, Observation, day_of

State = Literal["covered", "none-wanted", "uncovered"]


def state_of(runbook: str | None, way: str) -> State:
    """What a choice means: a runbook, none because the table says so, or none at all."""
    if runbook:
        return "covered"
    return "none-wanted" if way == "table" else "uncovered"


@dataclass(frozen=True, slots=True)
class Counts:
    """Firing alerts received, by state, and the notifications sent of them."""

    covered: int = 0
    none_wanted: int = 0
    uncovered: int = 0
    woken: int = 0

    @property
    def received(self) -> int:
        """In all."""
        return self.covered + self.none_wanted + self.uncovered

    @property
    def percent(self) -> float:
        """Per cent with a runbook of those that need one; 100 if none does."""
        wanting = self.covered + self.uncovered
        return 100.0 * self.covered / wanting if wanting else 100.0


@dataclass(frozen=True, slots=True)
class ObservedAlert:
    """An alert name. `choices` are the runbooks it had, the one seen last first."""

    name: str
    counts: Counts
    choices: tuple[Observation, ...]

    @property
    def state(self) -> State:
        """That of the last choice."""
        return state_of(self.choices[0].runbook, self.choices[0].way)

    @property
    def last_seen(self) -> datetime:
        """When an alert of the name was last received or sent."""
        return datetime.fromtimestamp(self.choices[0].seen_at, UTC)


@dataclass(frozen=True, slots=True)
class Observed:
    """All names of the last `days` days, today among them; first those that most often woke
    someone, then those that came most often."""

    days: int
    since: str  # the first day, UTC: 2026-10-25
    alerts: tuple[ObservedAlert, ...]
    totals: Counts

    def as_json(self, most: int | None = None) -> dict[str, Any]:
        """For machines; keys are stable. Of the alerts the first `most`, and how many more."""
        listed = self.alerts[:most]
        return {
            "days": self.days,
            "since": self.since,
            "alerts": [_alert_json(rank, alert) for rank, alert in enumerate(listed, 1)],
            "not_listed": len(self.alerts) - len(listed),
            "totals": {"alerts": len(self.alerts)} | _counts_json(self.totals),
        }


async def read_observed(outbox: Outbox, days: int, now: float) -> Observed:
    """What the store has of the last `days` days, read a day at a time, so that nothing else
    waits long. Raises StoreUnavailable."""
    first = day_of(now) - days + 1
    # The clock may have been set back: what is of tomorrow still counts.
    rows = [row for day in range(first, first + days + 1) for row in await outbox.observed(day)]
    since = datetime.fromtimestamp(first * DAY, UTC).date().isoformat()
    # Seldom much, but where names are made up it may be: not on the loop that serves.
    return await asyncio.to_thread(gather, rows, days, since)


def gather(rows: Sequence[Observation], days: int, since: str) -> Observed:
    """Tallies by day made into alerts by rank."""
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


def _counts(rows: Iterable[Observation]) -> Counts:
    received: dict[State, int] = {"covered": 0, "none-wanted": 0, "uncovered": 0}
    woken = 0
    for row in rows:
        received[state_of(row.runbook, row.way)] += row.received
        woken += row.woken
    return Counts(received["covered"], received["none-wanted"], received["uncovered"], woken)


def _counts_json(counts: Counts) -> dict[str, float]:
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
