"""Counts alerting rules by coverage: in total, by severity, by file."""

from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import dataclass

from alert_router.checks.coverage.cover import AlertCoverage


@dataclass(frozen=True, slots=True)
class Totals:
    """The number of rules in each state."""

    covered: int = 0
    depends: int = 0
    uncovered: int = 0
    none_wanted: int = 0

    @property
    def alerts(self) -> int:
        """All rules."""
        return self.covered + self.depends + self.uncovered + self.none_wanted

    @property
    def percent(self) -> float:
        """The share of covered rules among those that want a runbook; 100 if none does."""
        wanting = self.alerts - self.none_wanted
        return 100.0 * self.covered / wanting if wanting else 100.0


def totals(alerts: Iterable[AlertCoverage]) -> Totals:
    """The totals of all these."""
    return Totals(**Counter(alert.state.replace("-", "_") for alert in alerts))


def by_severity(alerts: Iterable[AlertCoverage]) -> dict[str, Totals]:
    """Totals by the label `severity`, sorted; "" (last) if it is missing or not known."""
    found = _by(alerts, lambda alert: alert.severity)
    return {key: found[key] for key in sorted(found, key=lambda key: (not key, key))}


def by_file(alerts: Iterable[AlertCoverage]) -> dict[str, Totals]:
    """Totals by rule file, in the order of reading."""
    return _by(alerts, lambda alert: alert.rule.file)


def _by(alerts: Iterable[AlertCoverage], key: Callable[[AlertCoverage], str]) -> dict[str, Totals]:
    groups: dict[str, list[AlertCoverage]] = {}
    for alert in alerts:
        groups.setdefault(key(alert), []).append(alert)
    return {name: totals(group) for name, group in groups.items()}
