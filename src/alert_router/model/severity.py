"""Severities: which there are, from the worst down, and how each is shown."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Protocol


@dataclass(frozen=True, slots=True)
class Grade:
    """One severity: the word, emoji and colour (#rrggbb, and of a terminal) that show it, and the
    label values, lower case, that mean it."""

    word: str
    emoji: str
    colour: str
    terminal: str
    values: frozenset[str] = frozenset()


class Labelled(Protocol):
    """Anything with labels, such as an alert."""

    @property
    def labels(self) -> Mapping[str, str]: ...


CRITICAL = Grade(
    "CRITICAL",
    "🔴",
    "#d92d20",
    "red",
    frozenset(("critical", "page", "emergency", "fatal", "p0", "p1", "s1", "sev1")),
)
WARNING = Grade(
    "WARNING",
    "🟠",
    "#f79009",
    "yellow",
    frozenset(("warning", "error", "p2", "p3", "s2", "s3", "sev2", "sev3")),
)
INFO = Grade(
    "INFO",
    "🔵",
    "#2e90fa",
    "blue",
    frozenset(("info", "informational", "none", "notice", "debug", "p4", "s4", "sev4")),
)
RESOLVED = Grade("RESOLVED", "🟢", "#17b26a", "green")


@dataclass(frozen=True, slots=True)
class Scale:
    """The severities, the worst first, and the label that has an alert's severity.

    `otherwise` is the grade of alerts without the label or with an unknown value.
    """

    grades: tuple[Grade, ...] = (CRITICAL, WARNING, INFO)
    otherwise: Grade = WARNING
    resolved: Grade = RESOLVED
    label: str = "severity"
    _ranks: Mapping[str, int] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        ranks = {value: rank for rank, grade in enumerate(self.grades) for value in grade.values}
        object.__setattr__(self, "_ranks", ranks)

    def rank(self, alert: Labelled) -> int:
        """The index of an alert's grade in `grades`, 0 for the worst."""
        rank = self._ranks.get(alert.labels.get(self.label, "").lower())
        return self.grades.index(self.otherwise) if rank is None else rank

    def grade(self, alert: Labelled) -> Grade:
        """An alert's grade, firing or not."""
        return self.grades[self.rank(alert)]

    def worst(self, alerts: Iterable[Labelled]) -> Grade:
        """The worst grade of the alerts, firing or not; `resolved` without alerts."""
        worst = min(map(self.rank, alerts), default=None)
        return self.resolved if worst is None else self.grades[worst]

    def at_least(self, alert: Labelled, least: str) -> bool:
        """Whether an alert's severity is at least `least`, a word or value of the scale. True for
        unknown severities, so that such alerts are not lost. Raises LookupError if `least` is not
        in the scale."""
        most = self.grades.index(self.named(least))
        rank = self._ranks.get(alert.labels.get(self.label, "").lower())
        return rank is None or rank <= most

    def named(self, name: str) -> Grade:
        """The grade with this word or value. Raises LookupError if there is none."""
        folded = name.lower()
        for grade in self.grades:
            if folded == grade.word.lower() or folded in grade.values:
                return grade
        raise LookupError(name)


STANDARD = Scale()
