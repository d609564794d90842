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

from alert_router.matcher import Matcher, Op
from alert_router.route.patterns import Patterns
from alert_router.route.shape import Part, parts

_EXPRESSION = 32  # an expression of its own is a better anchor than a value that more lists share
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
    expressions: list[tuple[int, str]] = field(default_factory=list)
    patterns: Patterns | None = None


class Index:
    """Over lists of matchers, numbered from 0."""

    def __init__(self, lists: Sequence[tuple[Matcher, ...]]) -> None:
        self._lists = lists
        self._filed: dict[str, _Filed] = {}
        self._always: list[int] = []
        looked_up = {matcher: _parts(matcher) for matchers in lists for matcher in matchers}
        crowds = _crowds(lists, looked_up)
        for number, matchers in enumerate(lists):
            anchor = min(matchers, key=crowds.__getitem__, default=None)
            if anchor is None or crowds[anchor] == math.inf:
                self._always.append(number)
            else:
                self._file(number, anchor, looked_up[anchor])
        for filed in self._filed.values():
            if filed.prefixes or filed.expressions:
                filed.patterns = Patterns(filed.prefixes, filed.expressions)
        # What a label that is missing meets, since it is the empty string.
        self._absent = [(name, filed.exact[""]) for name, filed in self._filed.items()
                        if "" in filed.exact]  # fmt: skip

    def matching(self, labels: Mapping[str, str]) -> Iterator[int]:
        """The numbers of the lists all of whose matchers the labels meet, in order."""
        previous = -1
        for number in self._candidates(labels):
            if number == previous:  # filed under a literal and under a prefix of it
                continue
            previous = number
            for matcher in self._lists[number]:
                if not matcher.matches(labels):
                    break
            else:
                yield number

    def _candidates(self, labels: Mapping[str, str]) -> Iterable[int]:
        found: list[Sequence[int]] = [self._always] if self._always else []
        for name, value in labels.items():
            filed = self._filed.get(name)
            if filed is None:
                continue
            if exact := filed.exact.get(value):
                found.append(exact)
            if value and filed.patterns and (numbers := filed.patterns.matching(value)):
                found.append(numbers)
        for name, exact in self._absent:
            if name not in labels:
                found.append(exact)
        if len(found) < 2:
            return found[0] if found else ()
        return heapq.merge(*found)

    def _file(self, number: int, anchor: Matcher, looked_up: Sequence[Part]) -> None:
        filed = self._filed.setdefault(anchor.name, _Filed())
        for part in looked_up:
            under = filed.prefixes if part.is_open else filed.exact
            under.setdefault(part.text, []).append(number)
        if not looked_up:
            filed.expressions.append((number, anchor.value))


def _parts(matcher: Matcher) -> tuple[Part, ...]:
    """What to look up for the matcher; nothing if it is more than a lookup."""
    if matcher.op is Op.EQUAL:
        return (Part(matcher.value, False),)
    if matcher.op is Op.REGEX:
        return parts(matcher.value) or ()
    return ()


def _crowds(
    lists: Iterable[tuple[Matcher, ...]], looked_up: Mapping[Matcher, Sequence[Part]]
) -> dict[Matcher, float]:
    """For each matcher, about how many lists an alert would be tried against that meets it, were
    they filed under it: the fewer, the better an anchor. Infinite for one that is none."""
    shared = Counter(
        (matcher.name, part)
        for matchers in lists for matcher in matchers for part in looked_up[matcher]
    )  # fmt: skip
    crowds: dict[Matcher, float] = {}
    for matcher, found in looked_up.items():
        if Part("", False) in found:
            crowds[matcher] = _EVERYONE  # any alert without the label meets it
        elif found:
            crowds[matcher] = max(shared[matcher.name, part] for part in found)
        else:
            # An expression that an empty value meets must be tried for every alert.
            is_anchor = matcher.op is Op.REGEX and not matcher.matches({})
            crowds[matcher] = _EXPRESSION if is_anchor else math.inf
    return crowds
