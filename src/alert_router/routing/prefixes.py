"""Which of many prefixes a value begins with: one binary search, however many and long they are.

What is filed under a prefix is the index's.
"""

from bisect import bisect_right
from collections.abc import Iterable, Iterator


class Prefixes:
    """Over texts, each once."""

    def __init__(self, prefixes: Iterable[str]) -> None:
        self._sorted = sorted(prefixes)
        self._within = _within(self._sorted)

    def of(self, value: str) -> Iterator[str]:
        """Those that the value begins with, the longest first.

        What is sorted last before the value is the longest one, or else begins with it: between
        a prefix and a text that begins with it stand only texts that begin with it too.
        """
        place = bisect_right(self._sorted, value) - 1
        while place >= 0:
            prefix = self._sorted[place]
            if value.startswith(prefix):
                yield prefix
            place = self._within[place]


def _within(ordered: list[str]) -> list[int]:
    """For each text the place of the longest other that it begins with; -1 if there is none."""
    within: list[int] = []
    open_ones: list[int] = []  # those that the text before begins with, and it
    for place, text in enumerate(ordered):
        while open_ones and not text.startswith(ordered[open_ones[-1]]):
            open_ones.pop()
        within.append(open_ones[-1] if open_ones else -1)
        open_ones.append(place)
    return within
