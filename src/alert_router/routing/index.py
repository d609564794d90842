"""An index over lists of matchers: which of many could match an alert, in their order.

Every list is filed under one of its matchers, its anchor, by label name: equalities and
alternations of literals in a dictionary, other regular expressions in `patterns`. So the cost
for one alert is that of the lists whose anchor it meets, whatever the table's length.
"""

import heapq
import math
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from alert_router.matcher import Matcher, Op, Part
from alert_router.routing.patterns import Patterns
from alert_router.routing.prefixes import Prefixes

_WANTS = (Op.EQUAL, Op.REGEX)  # the others say only what must not be
_EXPRESSION = 32  # an expression of its own is a better anchor than a value that more lists share
_SHORT = 64  # candidates that are faster sorted at once than merged one by one
_EVERYONE = 1e9  # a label's absence is a worse one than anything else


@dataclass(frozen=True, slots=True)
class Miss:
    """A matcher that was not met, and the value it found ("" for a missing label)."""

    matcher: Matcher
    found: str


def misses(matchers: Iterable[Matcher], labels: Mapping[str, str]) -> tuple[Miss, ...]:
    """The matchers that the labels do not meet."""
    return tuple(
        Miss(matcher, labels.get(matcher.name, ""))
        for matcher in matchers
        if not matcher.matches(labels)
    )


@dataclass(slots=True)
class _Filed:
    """The lists filed under one label name."""

    exact: dict[str, list[int]] = field(default_factory=dict)
    prefixes: dict[str, list[int]] = field(default_factory=dict)
    begins: Prefixes | None = None
    expressions: list[tuple[int, str]] = field(default_factory=list)
    patterns: Patterns | None = None

    def compile(self) -> None:
        """Once everything is filed."""
        self.begins = Prefixes(self.prefixes) if self.prefixes else None
        self.patterns = Patterns(self.expressions) if self.expressions else None

    def meet(self, value: str, found: list[Sequence[int]]) -> None:
        """Add the numbers, each time ascending, of what could match the value."""
        if exact := self.exact.get(value):
            found.append(exact)
        if self.begins:
            found += [self.prefixes[prefix] for prefix in self.begins.of(value)]
        if value and self.patterns and (matching := self.patterns.matching(value)):
            found.append(matching)


class Index:
    """Over lists of matchers, numbered from 0."""

    def __init__(self, lists: Sequence[tuple[Matcher, ...]]) -> None:
        self._left: list[tuple[Matcher, ...]] = []  # of each list, what its lookup does not settle
        self._filed: dict[str, _Filed] = {}
        self._always: list[int] = []
        crowds = _crowds(lists)
        for number, matchers in enumerate(lists):
            anchor = min(matchers, key=crowds.__getitem__, default=None)
            if anchor is None or crowds[anchor] == math.inf:
                self._always.append(number)
                self._left.append(matchers)
                continue
            self._file(number, anchor)
            settled = bool(anchor.parts) and not any(part.tail for part in anchor.parts)
            self._left.append(
                tuple(each for each in matchers if each != anchor) if settled else matchers
            )
        for filed in self._filed.values():
            filed.compile()
        # What a label that is missing meets, since it is the empty string.
        self._absent = [(name, filed.exact[""]) for name, filed in self._filed.items()
                        if "" in filed.exact]  # fmt: skip

    def matching(self, labels: Mapping[str, str]) -> Iterator[int]:
        """The numbers of the lists all of whose matchers the labels meet, in order."""
        previous = -1
        for number in self._candidates(labels):
            if number == previous:  # filed under a value and under what it begins with
                continue
            previous = number
            for matcher in self._left[number]:
                if not matcher.matches(labels):
                    break
            else:
                yield number

    def _candidates(self, labels: Mapping[str, str]) -> Iterable[int]:
        found: list[Sequence[int]] = [self._always] if self._always else []
        for name, value in labels.items():
            if filed := self._filed.get(name):
                filed.meet(value, found)
        for name, exact in self._absent:
            if name not in labels:
                found.append(exact)
        if len(found) < 2:
            return found[0] if found else ()
        if sum(map(len, found)) <= _SHORT:
            return sorted([number for numbers in found for number in numbers])
        return heapq.merge(*found)  # long ones are rarely read to their end

    def _file(self, number: int, anchor: Matcher) -> None:
        filed = self._filed.setdefault(anchor.name, _Filed())
        for part in anchor.parts:
            under = filed.prefixes if part.tail else filed.exact
            under.setdefault(part.text, []).append(number)
        if not anchor.parts:
            filed.expressions.append((number, anchor.value))


def _crowds(lists: Iterable[tuple[Matcher, ...]]) -> dict[Matcher, float]:
    """For each matcher, about how many lists an alert would be tried against that meets it, were
    they filed under it: the fewer, the better an anchor. Infinite for one that is none."""
    wanted = [[matcher for matcher in matchers if matcher.op in _WANTS] for matchers in lists]
    shared = Counter((m.name, part) for matchers in wanted for m in matchers for part in m.parts)
    crowds = dict.fromkeys((matcher for matchers in lists for matcher in matchers), math.inf)
    for matcher in (matcher for matchers in wanted for matcher in matchers):
        if Part("") in matcher.parts:
            crowds[matcher] = _EVERYONE  # any alert without the label meets it
        elif matcher.parts:
            crowds[matcher] = max(shared[matcher.name, part] for part in matcher.parts)
        elif not matcher.matches({}):  # else it must be tried for every alert
            crowds[matcher] = _EXPRESSION
    return crowds
