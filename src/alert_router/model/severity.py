"""Severities: which there are, from the worst down, the values that mean each, and how each is
shown. This is the only table of them."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Literal, Protocol

Level = Literal["critical", "error", "warning", "info", "resolved"]

_LONGEST = 60  # characters of a value that is looked up
_IGNORED = str.maketrans("", "", " -_")


@dataclass(frozen=True, slots=True)
class Grade:
    """One severity: the word, emoji and colour (#rrggbb, and of a terminal) that show it, the
    label values, lower case, that mean it, and the `level` that it has for destinations with a
    fixed set of severities."""

    word: str
    emoji: str
    colour: str
    terminal: str
    values: frozenset[str] = frozenset()
    level: Level = "warning"


class Labelled(Protocol):
    """Anything with labels, such as an alert."""

    @property
    def labels(self) -> Mapping[str, str]: ...


def _values(text: str) -> frozenset[str]:
    return frozenset(text.split())


CRITICAL = Grade(
    *("CRITICAL", "🔴", "#d92d20", "red"),
    _values(
        "critical crit page pager emergency emerg fatal disaster alert panic blocker urgent severe "
        "highest p0 p1 s0 s1 sev0 sev1 severity0 severity1 priority0 priority1 0 1"
    ),
    "critical",
)
ERROR = Grade(
    *("ERROR", "🟠", "#e8590c", "magenta"),
    _values("error err major high p2 s2 sev2 severity2 priority2 2"),
    "error",
)
WARNING = Grade(
    *("WARNING", "🟡", "#f79009", "yellow"),
    _values(
        "warning warn minor medium moderate average normal ticket p3 s3 sev3 severity3 priority3 3"
    ),
    "warning",
)
INFO = Grade(
    *("INFO", "🔵", "#2e90fa", "blue"),
    _values(
        "info information informational none notice debug low lowest trivial notclassified ok "
        "p4 p5 s4 s5 sev4 sev5 severity4 severity5 priority4 priority5 4 5"
    ),
    "info",
)
RESOLVED = Grade("RESOLVED", "🟢", "#17b26a", "green", level="resolved")


@dataclass(frozen=True, slots=True)
class Scale:
    """The severities, the worst first, and the label that has an alert's severity.

    `otherwise` is the grade of alerts without the label or with an unknown value.
    """

    grades: tuple[Grade, ...] = (CRITICAL, ERROR, WARNING, INFO)
    otherwise: Grade = WARNING
    resolved: Grade = RESOLVED
    label: str = "severity"
    _ranks: Mapping[str, int] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        ranks = {
            _folded(value): rank for rank, grade in enumerate(self.grades) for value in grade.values
        }
        object.__setattr__(self, "_ranks", ranks)

    def find(self, value: str) -> Grade | None:
        """The grade that a label's value means, or None. Case, spaces, dashes and underscores make
        no difference: `SEV-1` is `sev1`."""
        rank = self._ranks.get(_folded(value))
        return None if rank is None else self.grades[rank]

    def rank(self, alert: Labelled) -> int:
        """The index of an alert's grade in `grades`, 0 for the worst."""
        value = alert.labels.get(self.label, "")
        rank = self._ranks.get(value)  # folded already, as nearly all are
        if rank is None:
            rank = self._ranks.get(_folded(value))
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
        grade = self.find(alert.labels.get(self.label, ""))
        return grade is None or self.grades.index(grade) <= self.grades.index(self.named(least))

    def named(self, name: str) -> Grade:
        """The grade with this word or value. Raises LookupError if there is none."""
        for grade in self.grades:
            if _folded(name) == _folded(grade.word):
                return grade
        if found := self.find(name):
            return found
        raise LookupError(name)


def _folded(value: str) -> str:
    return value.lower().translate(_IGNORED) if len(value) <= _LONGEST else ""


STANDARD = Scale()
