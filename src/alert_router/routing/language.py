"""Whether there is a value that some expressions match and others do not, decided exactly.

The automata run side by side and are made deterministic only as far as the search gets, which is
bounded: what takes more is Undecided.
"""

from collections import deque
from collections.abc import Sequence
from functools import cached_property, lru_cache

from alert_router.routing.expression import Automaton, Unsupported, automaton, words
from alert_router.routing.ranges import LAST, LINE_BREAK

_MOST_STEPS = 20_000
_READABLE = range(0x21, 0x7F)

States = frozenset[int]


class Undecided(Exception):
    """The search was given up."""


class Language:
    """An automaton that is run on sets of states, with what it did remembered."""

    def __init__(self, made: Automaton) -> None:
        self._made = made
        self._steps: dict[tuple[States, int], States] = {}
        self.start = self._closure({made.start})

    @cached_property
    def borders(self) -> frozenset[int]:
        """Where a code point may be treated otherwise than the one before it."""
        ends = ((low, high + 1) for edges in self._made.edges for r, _ in edges for low, high in r)
        return frozenset(border for pair in ends for border in pair)

    def accepts(self, states: States) -> bool:
        """Whether a value that led here is matched."""
        return self._made.end in states

    def step(self, states: States, char: int) -> States:
        """Where a code point leads."""
        known = self._steps.get((states, char))
        if known is None:
            reached = {
                target
                for state in states
                for ranges, target in self._made.edges[state]
                if any(low <= char <= high for low, high in ranges)
            }
            known = self._steps[states, char] = self._closure(reached)
        return known

    def _closure(self, states: set[int]) -> States:
        waiting = list(states)
        while waiting:
            for target in self._made.free[waiting.pop()]:
                if target not in states:
                    states.add(target)
                    waiting.append(target)
        return frozenset(states)


@lru_cache(maxsize=1024)
def of_pattern(pattern: str) -> Language | None:
    """The values that an expression matches; None for one that is not read."""
    try:
        return Language(automaton(pattern))
    except (Unsupported, RecursionError):
        return None


@lru_cache(maxsize=1024)
def of_words(texts: frozenset[str]) -> Language | None:
    """These values alone; None where they are too many."""
    try:
        return Language(words(sorted(texts)))
    except Unsupported:
        return None


def example(inside: Sequence[Language], outside: Sequence[Language]) -> str | None:
    """A shortest value in all of these and none of those; None if there is none. Raises
    Undecided."""
    languages = (*inside, *outside)
    chars = _chars(languages)
    start = tuple(language.start for language in languages)
    seen = {start}
    waiting = deque([(start, "")])
    steps = 0
    while waiting:
        states, value = waiting.popleft()
        if _accepted(inside, outside, states):
            return value
        for char in chars:
            steps += len(languages)
            if steps > _MOST_STEPS:
                raise Undecided
            following = tuple(
                language.step(at, char) for language, at in zip(languages, states, strict=True)
            )
            if all(following[: len(inside)]) and following not in seen:
                seen.add(following)
                waiting.append((following, value + chr(char)))
    return None


def _accepted(
    inside: Sequence[Language], outside: Sequence[Language], states: tuple[States, ...]
) -> bool:
    answers = [
        language.accepts(at) for language, at in zip((*inside, *outside), states, strict=True)
    ]
    return all(answers[: len(inside)]) and not any(answers[len(inside) :])


def _chars(languages: Sequence[Language]) -> list[int]:
    """One code point for each range that all languages treat alike."""
    borders = {0, LINE_BREAK, LINE_BREAK + 1}.union(*(each.borders for each in languages))
    starts = sorted(border for border in borders if border <= LAST)
    found = []
    for low, following in zip(starts, [*starts[1:], LAST + 1], strict=True):
        readable = range(max(low, _READABLE.start), min(following, _READABLE.stop))
        if low != LINE_BREAK:
            found.append(readable[-1] if readable else low)
    return found
