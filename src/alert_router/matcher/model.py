"""A matcher: one comparison of a label with a value, and how it is printed.

Reading one from text is for the two grammars beside this.
"""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

import re2

_BARE_NAME = re.compile(r"[a-zA-Z_:][a-zA-Z0-9_:]*")
_OPTIONS = re2.Options()
_OPTIONS.log_errors = False  # what is wrong with a pattern is told by MatcherError


class MatcherError(ValueError):
    """A text that is no matcher. `offset` counts code points from 0."""

    def __init__(self, message: str, offset: int = 0) -> None:
        self.message = message
        self.offset = offset
        super().__init__(f"0:{offset}: {message}")


class Op(StrEnum):
    """How a value is compared."""

    EQUAL = "="
    NOT_EQUAL = "!="
    REGEX = "=~"
    NOT_REGEX = "!~"


def anchored(pattern: str) -> str:
    """The pattern as Alertmanager compiles it: it must match the whole value."""
    return f"^(?:{pattern})$"


def compile_regex(pattern: str) -> Any:
    """The compiled expression. Raises MatcherError if RE2 refuses it."""
    try:
        return re2.compile(anchored(pattern), _OPTIONS)
    except (re2.error, UnicodeEncodeError) as error:
        why = str(error.args[0].decode() if isinstance(error.args[0], bytes) else error.args[0])
        raise MatcherError(f"{pattern!r} is no regular expression of RE2: {why}") from None


@dataclass(frozen=True, slots=True)
class Matcher:
    """One comparison of a label with a value. Raises MatcherError for a bad expression."""

    name: str
    op: Op
    value: str
    _test: Callable[[str], bool] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "_test", _compile_test(self.op, self.value))

    def matches(self, labels: Mapping[str, str]) -> bool:
        """Whether the labels satisfy it; a label that is missing is the empty string."""
        return self._test(labels.get(self.name, ""))

    def __str__(self) -> str:
        name = self.name if _BARE_NAME.fullmatch(self.name) else _quote(self.name)
        return f"{name}{self.op}{_quote(self.value)}"


def _compile_test(op: Op, value: str) -> Callable[[str], bool]:
    if op is Op.EQUAL:
        return value.__eq__
    if op is Op.NOT_EQUAL:
        return value.__ne__
    search = compile_regex(value).search
    if op is Op.REGEX:
        return lambda text: search(_encodable(text)) is not None
    return lambda text: search(_encodable(text)) is None


def _encodable(text: str) -> str:
    """RE2 reads UTF-8, which has no lone surrogates."""
    return text if text.isascii() else text.encode("utf-8", "replace").decode()


def _quote(text: str) -> str:
    """In double quotes, so that both grammars read it back as it is."""
    escaped = text.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")
    return f'"{escaped}"'
