"""The runbook table, whose first entry that matches an alert decides its runbook, and the route
tree, which decides its receivers.

The tree has Alertmanager's semantics (prometheus/alertmanager, dispatch/route.go): depth first,
left to right; a node counts only if none of its children matched; the search among siblings stops
after the first match without `continue`.

An index answers which of many lists of matchers an alert matches, in their order. Each list is
filed under one of its matchers, its anchor, by label name: equalities and literals in a dictionary,
prefixes by their length, other regular expressions in a filter. So the cost for one alert is that
of the lists whose anchor matches it, however long the table is.
"""

import heapq
import math
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import re2

from alert_router.matcher import Matcher, Part, anchored, encodable, options
from alert_router.model.problem import Place

_EXPRESSION = 32  # a regular expression is a better anchor than a value that more lists share
_MISSING = 1e9  # a missing label is the worst anchor
_SHORT = 64  # candidates that are faster sorted at once than merged one by one
_MEMORY = 8 << 20  # bytes that RE2 may use for one expression, its default
_CACHED_VALUES = 4096
_CACHED_LENGTH = 256  # of a value in characters and of an answer in numbers


@dataclass(frozen=True, slots=True)
class Miss:
    """A matcher that did not match, and the value it found ("" for a missing label)."""

    matcher: Matcher
    found: str


def misses(matchers: Iterable[Matcher], labels: Mapping[str, str]) -> tuple[Miss, ...]:
    """The matchers that do not match the labels."""
    return tuple(
        Miss(matcher, labels.get(matcher.name, ""))
        for matcher in matchers
        if not matcher.matches(labels)
    )


class Index:
    """Over lists of matchers, numbered from 0."""

    def __init__(self, lists: Sequence[tuple[Matcher, ...]]) -> None:
        self._unverified: list[tuple[Matcher, ...]] = []  # of each list, what a lookup leaves open
        self._labels: dict[str, _Label] = {}
        self._always: list[int] = []
        sharing = _sharing(lists)
        for number, matchers in enumerate(lists):
            anchor = min(matchers, key=sharing.__getitem__, default=None)
            if anchor is None or sharing[anchor] == math.inf:
                self._always.append(number)
                self._unverified.append(matchers)
                continue
            self._labels.setdefault(anchor.name, _Label()).file(number, anchor)
            exact = bool(anchor.parts) and not any(part.tail for part in anchor.parts)
            self._unverified.append(
                tuple(each for each in matchers if each != anchor) if exact else matchers
            )
        for label in self._labels.values():
            label.compile()
        # What a missing label matches, since it is the empty string.
        self._missing = [
            (name, label.literals[""])
            for name, label in self._labels.items()
            if "" in label.literals
        ]

    def matching(self, labels: Mapping[str, str]) -> Iterator[int]:
        """The numbers of the lists whose matchers all match the labels, in order."""
        previous = -1
        for number in self._candidates(labels):
            if number == previous:  # filed under a value and under a prefix of it
                continue
            previous = number
            for matcher in self._unverified[number]:
                if not matcher.matches(labels):
                    break
            else:
                yield number

    def _candidates(self, labels: Mapping[str, str]) -> Iterable[int]:
        found: list[Sequence[int]] = [self._always] if self._always else []
        for name, value in labels.items():
            if label := self._labels.get(name):
                found += label.lookup(value)
        for name, numbers in self._missing:
            if name not in labels:
                found.append(numbers)
        if len(found) < 2:
            return found[0] if found else ()
        if sum(map(len, found)) <= _SHORT:
            return sorted([number for numbers in found for number in numbers])
        return heapq.merge(*found)  # long ones are rarely read to their end


class _Label:
    """The lists filed under one label name."""

    def __init__(self) -> None:
        self.literals: dict[str, list[int]] = {}
        self._prefixes: dict[str, list[int]] = {}
        self._lengths: list[int] = []
        self._expressions: list[tuple[int, str]] = []
        self._filters: list[tuple[list[int], Any]] = []
        self._cache: dict[str, tuple[int, ...]] = {}

    def file(self, number: int, anchor: Matcher) -> None:
        """Add a list, by ascending number."""
        for part in anchor.parts:
            filed = self._prefixes if part.tail else self.literals
            filed.setdefault(part.text, []).append(number)
        if not anchor.parts:
            self._expressions.append((number, anchor.value))

    def compile(self) -> None:
        """Prepare for lookups once everything is filed."""
        self._lengths = sorted({len(prefix) for prefix in self._prefixes})
        if self._expressions:
            self._filters = _filters(self._expressions)

    def lookup(self, value: str) -> list[Sequence[int]]:
        """The numbers, ascending in each list, of what could match the value."""
        found: list[Sequence[int]] = []
        if numbers := self.literals.get(value):
            found.append(numbers)
        for length in self._lengths:
            if length > len(value):
                break
            if numbers := self._prefixes.get(value[:length]):
                found.append(numbers)
        if value and self._filters:
            found.append(self._by_expression(value))
        return found

    def _by_expression(self, value: str) -> tuple[int, ...]:
        cached = self._cache.get(value)
        if cached is not None:
            return cached
        text = encodable(value)
        answer = tuple(
            sorted(numbers[at] for numbers, ask in self._filters for at in ask.Match(text) or ())
        )
        if len(value) <= _CACHED_LENGTH and len(answer) <= _CACHED_LENGTH:
            if len(self._cache) >= _CACHED_VALUES:
                self._cache.clear()
            self._cache[value] = answer
        return answer


def _filters(expressions: Sequence[tuple[int, str]]) -> list[tuple[list[int], Any]]:
    """RE2 filters, each with the numbers of its expressions: one automaton finds the words that
    expressions need, and only those run whose words are there. (With 10,000 expressions like
    `.*x.*` a value takes 40 µs; with an `re2.Set` it took 20 ms.) Several filters where there are
    more words than RE2 accepts at once."""
    numbers = [number for number, _ in expressions]
    together = re2.Filter()
    try:
        for _, pattern in expressions:
            together.Add(anchored(pattern), options(_MEMORY))
        together.Compile()
    except re2.error:
        if len(expressions) == 1:
            return [(numbers, _MatchesAnything())]
        half = len(expressions) // 2
        return _filters(expressions[:half]) + _filters(expressions[half:])
    return [(numbers, together)]


class _MatchesAnything:
    """Replaces a filter where RE2 cannot build one."""

    def Match(self, _text: str) -> list[int]:  # noqa: N802 - RE2's name
        return [0]


def _sharing(lists: Iterable[tuple[Matcher, ...]]) -> dict[Matcher, float]:
    """For each matcher about how many lists would be candidates for an alert that matches it, if
    they were filed under it: the fewer, the better an anchor. Infinite where it cannot be one."""
    shared = Counter(
        (m.name, part) for matchers in lists for m in matchers if m.is_positive for part in m.parts
    )
    sharing: dict[Matcher, float] = {}
    for matcher in (matcher for matchers in lists for matcher in matchers):
        if not matcher.is_positive:
            sharing[matcher] = math.inf
        elif Part("") in matcher.parts:
            sharing[matcher] = _MISSING
        elif matcher.matches({}):
            sharing[matcher] = math.inf
        elif matcher.parts:
            sharing[matcher] = max(shared[matcher.name, part] for part in matcher.parts)
        else:
            sharing[matcher] = _EXPRESSION
    return sharing


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


@dataclass(frozen=True, slots=True)
class Route:
    """A node as configured. A receiver of None is inherited."""

    receiver: str | None
    matchers: tuple[Matcher, ...] = ()
    continue_: bool = False
    routes: tuple["Route", ...] = ()
    place: Place | None = None


@dataclass(frozen=True, slots=True)
class RouteStep:
    """A node that was tried. `path` holds child numbers from the root, which is ()."""

    path: tuple[int, ...]
    route: Route
    receiver: str
    misses: tuple[Miss, ...]
    is_result: bool

    @property
    def matched(self) -> bool:
        """Whether the alert matches the node itself."""
        return not self.misses


class _Node:
    """A route with its receiver resolved and its children indexed, once."""

    __slots__ = ("children", "continue_", "index", "receiver", "route")

    def __init__(self, route: Route, inherited: str) -> None:
        self.route = route
        self.receiver = route.receiver or inherited
        self.continue_ = route.continue_
        self.children = tuple(_Node(child, self.receiver) for child in route.routes)
        self.index = Index([child.matchers for child in route.routes])

    def matching(self, labels: Mapping[str, str]) -> Iterator["_Node"]:
        """The children that an alert is routed to."""
        for number in self.index.matching(labels):
            child = self.children[number]
            yield child
            if not child.continue_:
                return

    def collect(self, labels: Mapping[str, str], found: dict[str, None]) -> None:
        """Add the receivers below, or this one if there are none."""
        any_child = False
        for child in self.matching(labels) if self.children else ():
            any_child = True
            child.collect(labels, found)
        if not any_child:
            found[self.receiver] = None


class RouteTree:
    """The compiled tree. Raises ValueError if the root cannot match everything."""

    def __init__(self, root: Route) -> None:
        if not root.receiver:
            raise ValueError("the root route needs a receiver")
        if root.matchers:
            raise ValueError("the root route matches everything and has no matchers")
        self.root = root
        self.default = root.receiver
        self._node = _Node(root, root.receiver)

    def match(self, labels: Mapping[str, str]) -> tuple[str, ...]:
        """The receivers, in order, each once."""
        found: dict[str, None] = {}
        self._node.collect(labels, found)
        return tuple(found)

    def explain(self, labels: Mapping[str, str]) -> tuple[RouteStep, ...]:
        """Every node that was tried, in order."""
        return tuple(_walk(self._node, labels, ()))


def _walk(node: _Node, labels: Mapping[str, str], path: tuple[int, ...]) -> Iterator[RouteStep]:
    below: list[RouteStep] = []
    any_child = False
    for number, child in enumerate(node.children):
        missed = misses(child.route.matchers, labels)
        if missed:
            below.append(RouteStep((*path, number), child.route, child.receiver, missed, False))
            continue
        any_child = True
        below += _walk(child, labels, (*path, number))
        if not child.continue_:
            break
    yield RouteStep(path, node.route, node.receiver, (), not any_child)
    yield from below
