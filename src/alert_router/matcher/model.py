"""A matcher: one comparison of a label with a value, and how it is printed.

Reading one from text is for the two grammars beside this.
"""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

import re2

from alert_router.matcher.shape import Part, parts, test_of

_BARE_NAME = re.compile(r"[a-zA-Z_:][a-zA-Z0-9_:]*")
# Bytes RE2 may use for one expression. Its own 8 MiB is enough for nearly all, and bounds what
# hostile values can make it keep; Go, and so Alertmanager, also takes much larger expressions.
_MEMORY = (8 << 20, 64 << 20)
_LARGE = 5_000  # RE2's instructions; a set wants memory for twenty times as many


class MatcherError(ValueError):
    """A text that is no matcher: `message` is wrong from `offset` to before `end`, which count
    code points from 0. Printed as Alertmanager does, columns first."""

    def __init__(self, message: str, offset: int = 0, end: int | None = None) -> None:
        self.message = message
        self.offset = offset
        self.end = offset if end is None else end
        super().__init__(f"{self.offset}:{self.end}: {message}")


class RegexError(MatcherError):
    """A matcher whose form is right, with an expression that RE2 refuses."""


class Op(StrEnum):
    """How a value is compared."""

    EQUAL = "="
    NOT_EQUAL = "!="
    REGEX = "=~"
    NOT_REGEX = "!~"


def anchored(pattern: str) -> str:
    """The pattern as Alertmanager compiles it: it must match the whole value."""
    return f"^(?:{pattern})$"


def encodable(text: str) -> str:
    """The text without lone surrogates, which UTF-8, and so RE2, does not have."""
    return text if text.isascii() else text.encode("utf-8", "replace").decode()


def compile_regex(pattern: str) -> Any:
    """The compiled expression. Raises RegexError if RE2 refuses it."""
    why = ""
    for memory in _MEMORY:
        try:
            return re2.compile(anchored(pattern), options(memory))
        except (re2.error, UnicodeEncodeError) as error:
            why = _reason(error)
        if "too large" not in why:
            break
    try:
        # What RE2 says of the pattern alone does not speak of the anchors around it.
        re2.compile(pattern, options(_MEMORY[0]))
    except (re2.error, UnicodeEncodeError) as error:
        why = _reason(error)
    raise RegexError(f'"{pattern}" is no regular expression of RE2: {why}')


def options(memory: int) -> Any:
    """RE2's options; what is wrong with an expression is told by RegexError, not by its log."""
    chosen = re2.Options()
    chosen.log_errors = False
    chosen.max_mem = memory
    return chosen


def _reason(error: Exception) -> str:
    why = error.args[0]
    return why.decode("utf-8", "replace") if isinstance(why, bytes) else str(why)


@dataclass(frozen=True, slots=True)
class Matcher:
    """One comparison of a label with a value. Raises RegexError for a bad expression.

    `parts` is what the value is compared with, where that is no more than literals and prefixes.
    """

    name: str
    op: Op
    value: str
    parts: tuple[Part, ...] = field(init=False, repr=False, compare=False)
    _test: Callable[[str], bool] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        is_regex = self.op in (Op.REGEX, Op.NOT_REGEX)
        found = parts(self.value) if is_regex else (Part(self.value),)
        object.__setattr__(self, "parts", found)
        object.__setattr__(self, "_test", _compile_test(self.op, self.value, found))

    def matches(self, labels: Mapping[str, str]) -> bool:
        """Whether the labels satisfy it; a label that is missing is the empty string."""
        return self._test(labels.get(self.name, ""))

    def __str__(self) -> str:
        name = self.name if _BARE_NAME.fullmatch(self.name) else _quote(self.name)
        return f"{name}{self.op}{_quote(self.value)}"


def _compile_test(op: Op, value: str, found: tuple[Part, ...]) -> Callable[[str], bool]:
    if op is Op.EQUAL:
        return value.__eq__
    if op is Op.NOT_EQUAL:
        return value.__ne__
    test = test_of(found) if found else _test_by_regex(value)
    return test if op is Op.REGEX else lambda text: not test(text)


def _test_by_regex(pattern: str) -> Callable[[str], bool]:
    find = _finder(pattern)
    return lambda text: find(encodable(text)) is not None


def _finder(pattern: str) -> Callable[[str], object]:
    """What answers None for a text that the pattern does not match.

    A set of one takes a fifth of the time in which an expression makes its match object. But a
    set that lacks memory for its states finds nothing, so large expressions are not left to it.
    """
    compiled = compile_regex(pattern)
    if compiled.programsize + len(pattern) > _LARGE:  # RE2 leaves a literal beginning out
        return compiled.search  # type: ignore[no-any-return]
    alone = re2.Set.SearchSet(options(_MEMORY[0]))
    alone.Add(anchored(pattern))
    alone.Compile()
    return alone.Match  # type: ignore[no-any-return]


def _quote(text: str) -> str:
    """In double quotes, so that both grammars read it back as it is."""
    escaped = text.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")
    return f'"{escaped}"'
