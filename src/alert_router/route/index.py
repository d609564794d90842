"""An index over lists of matchers: which of many could match an alert, in their order.

Every list is filed under one of its matchers, its anchor: an equality or an alternation of
literals goes into a dictionary, another regular expression into one `re2.Set` a label name. So
the cost for one alert is that of the lists whose anchor it meets, whatever the table's length.
"""

import heapq
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import re2

from alert_router.matcher import Matcher, Op, anchored
from alert_router.route.literals import literals

_MEMORY = 1 << 30  # bytes RE2 may use at most; its default fails at some thousand wildcards
_REMEMBERED = 4096  # values whose answer is kept, for each label name
_LONGEST = 256  # characters; longer values are not worth keeping, and values are hostile


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


class Index:
    """Over lists of matchers, numbered from 0."""

    def __init__(self, lists: Sequence[tuple[Matcher, ...]]) -> None:
        self._lists = lists
        self._equal: dict[str, dict[str, list[int]]] = {}
        self._patterns: dict[str, _Patterns] = {}
        self._always: list[int] = []
        self._file(lists)

    def matching(self, labels: Mapping[str, str]) -> Iterator[int]:
        """The numbers of the lists all of whose matchers the labels meet, in order."""
        for number in self._candidates(labels):
            for matcher in self._lists[number]:
                if not matcher.matches(labels):
                    break
            else:
                yield number

    def _candidates(self, labels: Mapping[str, str]) -> Iterable[int]:
        found: list[Sequence[int]] = [self._always] if self._always else []
        for name, values in self._equal.items():
            numbers = values.get(labels.get(name, ""))
            if numbers:
                found.append(numbers)
        for name, patterns in self._patterns.items():
            value = labels.get(name, "")
            if value and (numbers_ := patterns.matching(value)):
                found.append(numbers_)
        if len(found) < 2:
            return found[0] if found else ()
        return heapq.merge(*found)

    def _file(self, lists: Sequence[tuple[Matcher, ...]]) -> None:
        popular: Counter[tuple[str, str]] = Counter()
        for matchers in lists:
            popular.update(key for matcher in matchers for key in _keys(matcher))
        patterns: dict[str, list[tuple[int, str]]] = {}
        for number, matchers in enumerate(lists):
            # The anchor that fewest others share narrows most.
            choices = [(max(popular[key] for key in keys), keys)
                       for matcher in matchers if (keys := _keys(matcher))]  # fmt: skip
            if choices:
                for name, value in min(choices, key=lambda choice: choice[0])[1]:
                    self._equal.setdefault(name, {}).setdefault(value, []).append(number)
            elif anchor := next(filter(_demands_a_value, matchers), None):
                patterns.setdefault(anchor.name, []).append((number, anchor.value))
            else:
                self._always.append(number)
        self._patterns = {name: _Patterns(pairs) for name, pairs in patterns.items()}


def _keys(matcher: Matcher) -> tuple[tuple[str, str], ...]:
    """The (name, value) pairs that the matcher asks for one of; none if it asks otherwise."""
    if matcher.op is Op.EQUAL:
        return ((matcher.name, matcher.value),)
    if matcher.op is Op.REGEX and (values := literals(matcher.value)) is not None:
        return tuple((matcher.name, value) for value in values)
    return ()


def _demands_a_value(matcher: Matcher) -> bool:
    """Whether an expression fails for a missing label, so that a list may be filed under it."""
    return matcher.op is Op.REGEX and not matcher.matches({})


class _Patterns:
    """Many expressions over one label's value, tested at once; answers are remembered."""

    def __init__(self, pairs: list[tuple[int, str]]) -> None:
        self._numbers = [number for number, _ in pairs]
        self._set = _compile([pattern for _, pattern in pairs])
        self._singles = (
            [re2.compile(anchored(pattern), _options()) for _, pattern in pairs]
            if self._set is None
            else []
        )
        self._remember = lru_cache(maxsize=_REMEMBERED)(self._ask)

    def matching(self, value: str) -> tuple[int, ...]:
        """The numbers whose expression matches, ascending."""
        return self._remember(value) if len(value) <= _LONGEST else self._ask(value)

    def _ask(self, value: str) -> tuple[int, ...]:
        text = value if value.isascii() else value.encode("utf-8", "replace").decode()
        if self._set is not None:
            return tuple(sorted(self._numbers[place] for place in self._set.Match(text) or ()))
        return tuple(
            number
            for number, single in zip(self._numbers, self._singles, strict=True)
            if single.search(text)
        )


def _options() -> Any:
    options = re2.Options()
    options.log_errors = False
    options.max_mem = _MEMORY
    return options


def _compile(patterns: list[str]) -> Any:
    """All patterns as one set; None if RE2 cannot do that within its memory."""
    together = re2.Set.SearchSet(_options())
    try:
        for pattern in patterns:
            together.Add(anchored(pattern))
        together.Compile()
        together.Match("")
    except re2.error:
        return None
    return together
