"""A matcher: one comparison of a label with a value, and how it is printed."""

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

import re2

# Bytes that RE2 may use for one expression. Its default, 8 MiB, is enough for nearly all, and
# limits what hostile values can make it keep. Go, and so Alertmanager, accepts larger ones.
_MEMORY = (8 << 20, 64 << 20)
_LARGE = 5_000  # RE2 instructions; a set needs memory for twenty times as many
_MOST_PARTS = 1000

# What Go's unicode.IsSpace accepts; Python's isspace also accepts U+001C to U+001F.
SPACE = frozenset("\t\n\v\f\r \x85\xa0\u1680\u2028\u2029\u202f\u205f\u3000") | frozenset(
    map(chr, range(0x2000, 0x200B))
)
_SURROGATE = re.compile("[\ud800-\udfff]")
_BARE_NAME = re.compile(r"[a-zA-Z_:][a-zA-Z0-9_:]*")
# Characters that match themselves anywhere, or any punctuation after a backslash.
_PART = re.compile(r"(?P<literal>(?:[^\\.+*?()\[\]{}|^$]|\\[!-/:-@\[-`{-~])*)(?P<tail>(?:\.[*+])?)")
_GROUP = re.compile(r"\((?:\?:)?(?P<inner>[^()]*)\)(?P<tail>(?:\.[*+])?)")
_ESCAPED = re.compile(r"\\(.)")


class MatcherError(ValueError):
    """Not a valid matcher. `message` applies from `offset` to before `end`, code points counted
    from 0. Printed as Alertmanager does, columns first."""

    def __init__(self, message: str, offset: int = 0, end: int | None = None) -> None:
        self.message = message
        self.offset = offset
        self.end = offset if end is None else end
        super().__init__(f"{self.offset}:{self.end}: {message}")


class RegexError(MatcherError):
    """A well-formed matcher with a regular expression that RE2 rejects."""


def check_unicode(text: str) -> None:
    """Raise MatcherError if the text has a lone surrogate: its bytes were not UTF-8."""
    if found := _SURROGATE.search(text):
        raise MatcherError("this is not valid UTF-8", found.start(), found.end())


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
    """The text without lone surrogates, which cannot be encoded for RE2."""
    return text if text.isascii() else text.encode("utf-8", "replace").decode()


def compile_regex(pattern: str) -> Any:
    """The compiled expression. Raises RegexError if RE2 rejects it."""
    why = ""
    for memory in _MEMORY:
        try:
            return re2.compile(anchored(pattern), options(memory))
        except (re2.error, UnicodeEncodeError) as error:
            why = _reason(error)
        if "too large" not in why:
            break
    try:
        # The message for the pattern alone does not mention the anchors around it.
        re2.compile(pattern, options(_MEMORY[0]))
    except (re2.error, UnicodeEncodeError) as error:
        why = _reason(error)
    raise RegexError(f'"{pattern}" is not a valid RE2 regular expression: {why}')


def options(memory: int) -> Any:
    """RE2's options. Errors are reported by RegexError, not in RE2's log."""
    chosen = re2.Options()
    chosen.log_errors = False
    chosen.max_mem = memory
    return chosen


def _reason(error: Exception) -> str:
    why = error.args[0]
    return why.decode("utf-8", "replace") if isinstance(why, bytes) else str(why)


@dataclass(frozen=True, slots=True)
class Part:
    """A value that matches or, with a tail of `.*` or `.+`, a prefix of values that match."""

    text: str
    tail: str = ""


def parts(pattern: str) -> tuple[Part, ...]:
    """The literals and prefixes that an expression such as `redis|kafka.*` joins by `|`; empty if
    it is anything else. They can be compared and indexed without a regular expression engine."""
    grouped = _GROUP.fullmatch(pattern)
    inner, common = (grouped["inner"], grouped["tail"]) if grouped else (pattern, "")
    found: dict[Part, None] = {}
    for text in inner.split("|", _MOST_PARTS):
        part = _PART.fullmatch(text)
        if part is None or (part["tail"] and common):
            return ()
        found[Part(_ESCAPED.sub(r"\1", part["literal"]), part["tail"] or common)] = None
    return tuple(found) if len(found) <= _MOST_PARTS else ()


@dataclass(frozen=True, slots=True)
class Matcher:
    """One comparison of a label with a value. Raises RegexError for an invalid expression.

    `parts` are the literals and prefixes that the value is compared with; empty for any other
    regular expression.
    """

    name: str
    op: Op
    value: str
    parts: tuple[Part, ...] = field(init=False, repr=False, compare=False)
    _test: Callable[[str], bool] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        found = parts(self.value) if self.is_regex else (Part(self.value),)
        object.__setattr__(self, "parts", found)
        object.__setattr__(self, "_test", _compile_test(self.op, self.value, found))

    @property
    def is_regex(self) -> bool:
        """Whether the value is a regular expression."""
        return self.op in (Op.REGEX, Op.NOT_REGEX)

    @property
    def is_positive(self) -> bool:
        """Whether it states what the value is, rather than what it is not."""
        return self.op in (Op.EQUAL, Op.REGEX)

    def matches(self, labels: Mapping[str, str]) -> bool:
        """Whether the labels match; a missing label is the empty string."""
        return self._test(labels.get(self.name, ""))

    def __str__(self) -> str:
        name = self.name if _BARE_NAME.fullmatch(self.name) else _quote(self.name)
        return f"{name}{self.op}{_quote(self.value)}"


def _compile_test(op: Op, value: str, found: tuple[Part, ...]) -> Callable[[str], bool]:
    if op is Op.EQUAL:
        return value.__eq__
    if op is Op.NOT_EQUAL:
        return value.__ne__
    test = _test_by_parts(found) if found else _test_by_regex(value)
    return test if op is Op.REGEX else lambda text: not test(text)


def _test_by_parts(found: Sequence[Part]) -> Callable[[str], bool]:
    exact = frozenset(part.text for part in found if not part.tail)
    begin = [(part.text, len(part.text) + (part.tail == ".+")) for part in found if part.tail]

    def test(value: str) -> bool:
        if value in exact:
            return True
        for text, least in begin:  # a dot does not match a line break
            if value.startswith(text) and len(value) >= least and "\n" not in value[len(text) :]:
                return True
        return False

    return test if begin else exact.__contains__


def _test_by_regex(pattern: str) -> Callable[[str], bool]:
    """A set of one expression takes a fifth of the time of `search`, which makes a match object.
    But a set without enough memory finds nothing, so large expressions use `search`."""
    compiled = compile_regex(pattern)
    find = compiled.search
    if compiled.programsize + len(pattern) <= _LARGE:  # RE2 does not count a literal prefix
        single = re2.Set.SearchSet(options(_MEMORY[0]))
        single.Add(anchored(pattern))
        single.Compile()
        find = single.Match
    return lambda text: find(encodable(text)) is not None


def _quote(text: str) -> str:
    """In double quotes, as both grammars read it."""
    escaped = text.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")
    return f'"{escaped}"'
