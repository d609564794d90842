"""How much a run of a template may take: turns of its loops, time, and the size of any text in it.

What a template may do at all is `environment`'s, what is read of its result `template`'s.
"""

import time
from collections.abc import Iterable, Iterator
from typing import Any

MAX_TURNS = 50_000  # of all loops together
MAX_SECONDS = 0.5  # of this thread's processor time
MAX_SIZE = 64 * 1024  # characters of what a template makes
MAX_VALUES = 4 * MAX_SIZE  # characters of all values together, and of any text made of others
MAX_JOINED = 4 * MAX_VALUES  # characters of all texts made of others in a run


class TooMuch(Exception):
    """A template that runs too long or makes too much."""


class Bounds:
    """What one run may still take.

    Only loops repeat anything, and `environment` lets no single expression grow, so that a look at
    the clock in each turn is enough.
    """

    def __init__(self) -> None:
        self._turns = MAX_TURNS
        self._end = time.thread_time() + MAX_SECONDS
        self._joined = MAX_JOINED
        self._shown = MAX_VALUES

    def turns(self, items: Iterable[Any]) -> Iterator[Any]:
        """The items of a loop, counted."""
        for item in items:
            self._turns -= 1
            if self._turns < 0:
                raise TooMuch(f"more than {MAX_TURNS} turns of loops")
            if time.thread_time() > self._end:
                raise TooMuch(f"more than {MAX_SECONDS:g} s")
            yield item

    def shown(self, text: str) -> str:
        """A value's text, counted with those of all others."""
        self._shown -= len(text)
        if self._shown < 0:
            raise TooMuch(f"more than {MAX_VALUES} characters of values")
        return text

    def joined(self, items: Iterable[Any], between: str) -> str:
        """The items' texts with `between` between them; its size is known before it is made."""
        texts: list[str] = []
        size = 0
        for item in items:
            texts.append(as_text(item))
            size += len(texts[-1]) + len(between)
            if size > MAX_VALUES + len(between):
                raise TooMuch(f"a text of more than {MAX_VALUES} characters")
        self._joined -= size
        if self._joined < 0:
            raise TooMuch(f"more than {MAX_JOINED} characters of texts made of others")
        return between.join(texts)


def as_text(value: Any) -> str:
    """A value's text. A list that holds itself many times over is short, and its text is not: it
    is weighed first."""
    if isinstance(value, list | tuple | dict):
        _weigh(value)
    return str(value)


def _weigh(value: Any) -> None:
    left = MAX_VALUES
    waiting = [value]
    while waiting:
        found = waiting.pop()
        left -= len(found) if isinstance(found, str) else 1
        if left < 0:
            raise TooMuch(f"a text of more than {MAX_VALUES} characters")
        if isinstance(found, dict):
            waiting += (*found.keys(), *found.values())
        elif isinstance(found, list | tuple):
            waiting += found
