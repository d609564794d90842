"""How much a run of a template may take: steps, time, and the size of any text within it.

What a template may do at all is `environment`'s, what is read of its result `template`'s.
"""

import time
from collections.abc import Iterable
from pathlib import Path
from types import CodeType, FrameType
from typing import Any

import jinja2

MAX_STEPS = 50_000  # lines of a compiled template that are run
MAX_SECONDS = 0.5  # of this thread's processor time
MAX_SIZE = 64 * 1024  # characters of what a template makes
MAX_VALUES = 4 * MAX_SIZE  # characters of all values together, and of any text made of others
MAX_JOINED = 4 * MAX_VALUES  # characters of all texts made of others in a run
_LOOKS = 32  # events from one look at the clock to the next


_TEMPLATE = "<template>"
_RUN = (str(Path(jinja2.__file__).parent), str(Path(__file__).parent))


class TooMuch(Exception):
    """A template that runs too long or makes too much."""


class Bounds:
    """What one run may still take. Counts the lines that the template's code runs, and, whatever
    code runs for it, the time."""

    def __init__(self) -> None:
        self._steps = MAX_STEPS
        self._seen = 0
        self._end = time.thread_time() + MAX_SECONDS
        self._joined = MAX_JOINED
        self._shown = MAX_VALUES

    def __call__(self, frame: FrameType, event: str, _argument: Any) -> "Bounds | None":
        """As sys.settrace wants it. Filters are looked into too: one line may run many of them,
        over a hundred thousand things."""
        if not _is_of_the_run(frame.f_code.co_filename):
            return None
        if event == "line" and _of_template(frame.f_code):
            self._steps -= 1
            if self._steps < 0:
                raise TooMuch(f"more than {MAX_STEPS} steps")
        self._seen += 1
        if self._seen % _LOOKS == 0 and time.thread_time() > self._end:
            raise TooMuch(f"more than {MAX_SECONDS:g} s")
        return self

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


def _is_of_the_run(file: str) -> bool:
    """Whether code of that file runs for a template. What the garbage collector calls meanwhile
    does not: there an exception is lost, and with it the watch. Nor does what is here, which has
    bounds of its own."""
    return (file == _TEMPLATE or file.startswith(_RUN)) and file != __file__


def _of_template(code: CodeType) -> bool:
    return code.co_filename == _TEMPLATE
