"""The runbook table: the first entry that matches an alert decides its runbook."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from alert_router.matcher import Matcher
from alert_router.model.problem import Place
from alert_router.routing.index import Index, Miss, misses


@dataclass(frozen=True, slots=True)
class RunbookEntry:
    """`runbook` is an id, or None: alerts that match have no runbook on purpose."""

    matchers: tuple[Matcher, ...]
    runbook: str | None
    place: Place | None = None


@dataclass(frozen=True, slots=True)
class EntryStep:
    """An entry that was tried, with the matchers that did not match; none if the entry won."""

    index: int
    entry: RunbookEntry
    misses: tuple[Miss, ...]

    @property
    def matched(self) -> bool:
        """Whether the alert matches the entry."""
        return not self.misses


class RunbookTable:
    """Compiled entries, in order."""

    def __init__(self, entries: Sequence[RunbookEntry]) -> None:
        self.entries = tuple(entries)
        self._index = Index([entry.matchers for entry in self.entries])

    def match(self, labels: Mapping[str, str]) -> int | None:
        """The index of the first entry that matches."""
        return next(iter(self._index.matching(labels)), None)

    def explain(self, labels: Mapping[str, str]) -> tuple[EntryStep, ...]:
        """Every entry up to the one that matched, or all if none did."""
        won = self.match(labels)
        last = len(self.entries) if won is None else won + 1
        return tuple(
            EntryStep(index, entry, misses(entry.matchers, labels))
            for index, entry in enumerate(self.entries[:last])
        )
