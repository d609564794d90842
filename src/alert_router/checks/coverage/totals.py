"""How many alerts have a runbook: in all, by severity, by file."""

from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import dataclass

from alert_router.checks.coverage.model import AlertCoverage


@dataclass(frozen=True, slots=True)
class Totals:
    """Rules by their state; together they are all rules."""

    covered: int = 0
    depends: int = 0
    uncovered: int = 0
    none_wanted: int = 0

    @property
    def alerts(self) -> int:
        """All of them."""
        return self.covered + self.depends + self.uncovered + self.none_wanted

    @property
    def percent(self) -> float:
        """The share of those that want a runbook which surely have one; 100 where none does."""
        wanting = self.alerts - self.none_wanted
        return 100.0 * self.covered / wanting if wanting else 100.0


def totals(alerts: Iterable[AlertCoverage]) -> Totals:
    """The totals over these."""
    count = Counter(alert.state for alert in alerts)
    return Totals(
        covered=count["covered"],
        depends=count["depends"],
        uncovered=count["uncovered"],
        none_wanted=count["none-wanted"],
    )


def by_severity(alerts: Iterable[AlertCoverage]) -> dict[str, Totals]:
    """Totals by the value of `severity`, by the alphabet; "" for what has none that is known."""
    found = _by(alerts, lambda alert: alert.severity)
    return {key: found[key] for key in sorted(found, key=lambda key: (not key, key))}


def by_file(alerts: Iterable[AlertCoverage]) -> dict[str, Totals]:
    """Totals by rule file, in the order in which they were read."""
    return _by(alerts, lambda alert: alert.rule.file)


def _by(alerts: Iterable[AlertCoverage], key: Callable[[AlertCoverage], str]) -> dict[str, Totals]:
    groups: dict[str, list[AlertCoverage]] = {}
    for alert in alerts:
        groups.setdefault(key(alert), []).append(alert)
    return {name: totals(group) for name, group in groups.items()}
