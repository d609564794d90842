"""Many regular expressions over one label's value, asked at once; answers are remembered.

By RE2's filter: one automaton finds the words that expressions need, and only those run whose
words are there. (An `re2.Set` took 20 ms a value for 10,000 like `.*x.*`, and seconds for a long
value, where the filter takes 40 µs.)
"""

from collections.abc import Sequence
from typing import Any

import re2

from alert_router.matcher import anchored, encodable, options

_MEMORY = 8 << 20  # bytes RE2 may use for one expression, as by default
_LONGEST = 256  # characters; longer values are not worth keeping, and values are hostile
_WEIGHT = 1 << 16  # how much is remembered; a value weighs 16 and a number in its answer 1


class Patterns:
    """Expressions, each with a number, which ascend."""

    def __init__(self, expressions: Sequence[tuple[int, str]]) -> None:
        self._filters = _compile(expressions)
        self._fresh: dict[str, tuple[int, ...]] = {}
        self._stale: dict[str, tuple[int, ...]] = {}
        self._weight = 0

    def matching(self, value: str) -> tuple[int, ...]:
        """The numbers, ascending, of what could match the value."""
        if len(value) > _LONGEST:
            return self._ask(value)
        known = self._fresh.get(value)
        if known is None:
            known = self._stale.get(value)
            if known is None:
                known = self._ask(value)
            self._remember(value, known)
        return known

    def _remember(self, value: str, answer: tuple[int, ...]) -> None:
        """Keep an answer. Once there is too much, what was not asked for since goes."""
        self._fresh[value] = answer
        self._weight += 16 + len(answer)
        if self._weight > _WEIGHT:
            self._stale, self._fresh, self._weight = self._fresh, {}, 0

    def _ask(self, value: str) -> tuple[int, ...]:
        text = encodable(value)
        found = (numbers[at] for numbers, ask in self._filters for at in ask.Match(text) or ())
        return tuple(sorted(found))


def _compile(expressions: Sequence[tuple[int, str]]) -> list[tuple[list[int], Any]]:
    """Filters over the expressions, each with the numbers it answers for: one, or more where
    there are more words than RE2 takes at once."""
    together = re2.Filter()
    try:
        for _, pattern in expressions:
            together.Add(anchored(pattern), options(_MEMORY))
        together.Compile()
    except re2.error:
        if len(expressions) == 1:
            return [(_numbers(expressions), _Any())]
        half = len(expressions) // 2
        return _compile(expressions[:half]) + _compile(expressions[half:])
    return [(_numbers(expressions), together)]


def _numbers(expressions: Sequence[tuple[int, str]]) -> list[int]:
    return [number for number, _ in expressions]


class _Any:
    """Stands for one expression that no filter takes: it could match anything."""

    def Match(self, _text: str) -> list[int]:  # noqa: N802 - as RE2 names it
        return [0]
