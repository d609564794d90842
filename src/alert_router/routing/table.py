"""The runbook table: the first entry whose matchers an alert meets decides its runbook."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from alert_router.matcher import Matcher
from alert_router.model.problem import Place
from alert_router.routing.index import Index, Miss, misses


@dataclass(frozen=True, slots=True)
class RunbookEntry:
    """`runbook` is an id; None says that none is wanted."""

    matchers: tuple[Matcher, ...]
    runbook: str | None
    place: Place | None = None


@dataclass(frozen=True, slots=True)
class EntryStep:
    """An entry that was looked at, and what of it was not met; nothing for the one that won."""

    index: int
    entry: RunbookEntry
    misses: tuple[Miss, ...]

    @property
    def matched(self) -> bool:
        """Whether the alert meets the entry."""
        return not self.misses


class RunbookTable:
    """Compiled entries, in their order."""

    def __init__(self, entries: Sequence[RunbookEntry]) -> None:
        self.entries = tuple(entries)
        self._index = Index([entry.matchers for entry in self.entries])
        # Of the labels that some entry asks for.
        self.names = frozenset(it.name for entry in self.entries for it in entry.matchers)

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
