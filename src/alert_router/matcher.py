"""Alertmanager's matchers: each is one comparison of a label with a value.

They are parsed by both of its grammars, in its default mode: UTF-8 first, classic where that fails,
and classic where both accept and disagree (prometheus/alertmanager, matcher/compat). Messages are
Alertmanager's; only those about quoted text are more exact.
"""

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


def parse_matchers(text: str) -> tuple[Matcher, ...]:
    """The matchers in a text such as `severity="critical", team=~"a|b"`, braces optional.

    Raises MatcherError with the place of the fault.
    """
    try:
        found = parse_utf8(text)
    except MatcherError as error:
        try:
            return parse_classic(text)
        except RegexError as why:
            # The classic grammar reached the expression, so that is the fault.
            raise (error if isinstance(error, RegexError) else why) from None
        except MatcherError:
            raise error from None  # it has the exact place
    try:
        return parse_classic(text)  # the same, or it wins
    except MatcherError:
        return found


# The classic grammar (pkg/labels): tolerant of missing quotes, empty values and lone backslashes.
_BLANK = "\t\n\f\r "  # RE2's \s
_HEAD = re.compile(rf"[{_BLANK}]*(?P<name>[a-zA-Z_:][a-zA-Z0-9_:]*)[{_BLANK}]*(?P<op>=~|=|!=|!~)")
_SPACE = "".join(SPACE)


def parse_classic(text: str) -> tuple[Matcher, ...]:
    """By the classic grammar alone. Raises MatcherError."""
    check_unicode(text)
    start = 1 if text.startswith("{") else 0
    inner = text[start:].removesuffix("}")
    return tuple(_matcher(part, start + offset) for part, offset in _split(inner))


def _split(text: str) -> list[tuple[str, int]]:
    """The parts between commas outside quotes, each with its offset. The last one is stripped, and
    left out if empty."""
    parts: list[tuple[str, int]] = []
    quoted = escaped = False
    start = 0
    for place, char in enumerate(text):
        if char == ",":  # a backslash before it still escapes what follows, as in Alertmanager
            if not quoted:
                parts.append((text[start:place], start))
                start = place + 1
        elif char == '"':
            quoted ^= not escaped
            escaped = False
        else:
            escaped = char == "\\" and not escaped
    last = text[start:].lstrip(_SPACE)
    if last:
        parts.append((last.rstrip(_SPACE), len(text) - len(last)))
    return parts


def _matcher(text: str, offset: int) -> Matcher:
    head = _HEAD.match(text)
    end = offset + len(text)
    if head is None:
        raise MatcherError(f"bad matcher format: {text}", offset, end)
    rest = text[head.end() :].lstrip(_BLANK)
    raw = rest.rstrip(_BLANK)
    value = _value(raw.removeprefix('"'), raw.startswith('"'))
    start = end - len(rest)
    if value is None:
        raise MatcherError(f"matcher value contains unescaped double quote: {raw}", start, end)
    try:
        return Matcher(head["name"], Op(head["op"]), value)
    except RegexError as error:
        raise RegexError(error.message, start, end) from None


def _value(raw: str, is_quoted: bool) -> str | None:
    """The value without escapes; None if the quotes do not match."""
    out: list[str] = []
    place, last = 0, len(raw) - 1
    closed = not is_quoted
    while place <= last:
        char = raw[place]
        if char == "\\" and place < last:
            place += 1
            out.append({"n": "\n", '"': '"', "\\": "\\"}.get(raw[place], "\\" + raw[place]))
        elif char == '"':
            if closed or place < last:
                return None
            closed = True
        else:
            out.append(char)
        place += 1
    return "".join(out) if closed else None


# The UTF-8 grammar (matcher/parse): names and values are bare literals or Go's double-quoted
# strings, braces are optional, one comma may trail.
_RESERVED = SPACE | frozenset("{}!=~,\\\"'`")
_ESCAPE = re.compile(
    r"\\(?:(?P<plain>[abfnrtv\\\"])|x(?P<x>[0-9a-fA-F]{2})|(?P<octal>[0-7]{3})"
    r"|u(?P<u>[0-9a-fA-F]{4})|U(?P<U>[0-9a-fA-F]{8}))"
)
_PLAIN = dict(zip('abfnrtv\\"', '\a\b\f\n\r\t\v\\"', strict=True))


@dataclass(frozen=True, slots=True)
class _Token:
    """`kind` is the punctuation itself, `quoted`, `literal` or `end`."""

    kind: str
    text: str
    start: int
    end: int


def parse_utf8(text: str) -> tuple[Matcher, ...]:
    """By the UTF-8 grammar alone. Raises MatcherError."""
    check_unicode(text)
    return _Parser(text).parse()


def _token(text: str, start: int) -> _Token:
    """The token at `start`, spaces skipped."""
    while start < len(text) and text[start] in SPACE:
        start += 1
    if start == len(text):
        return _Token("end", "end of input", start, start)
    char = text[start]
    if char in "{},":
        return _Token(char, char, start, start + 1)
    if char in "=!":
        pair = text[start : start + 2]
        if pair in ("=~", "!=", "!~"):
            return _Token(pair, pair, start, start + 2)
        if char == "=":
            return _Token(char, char, start, start + 1)
        found = "!:" if start + 1 < len(text) else "unexpected end of input,"
        raise MatcherError(f"{found} expected one of '=~'", start, start + 1)
    if char == '"':
        return _quoted(text, start)
    end = start
    while end < len(text) and text[end] not in _RESERVED:
        end += 1
    if end == start:
        raise MatcherError(f"{char}: invalid input", start, start + 1)
    return _Token("literal", text[start:end], start, end)


def _quoted(text: str, start: int) -> _Token:
    place = start + 1
    while place < len(text) and text[place] != '"':
        place += 2 if text[place] == "\\" else 1
    if place >= len(text):
        raise MatcherError(f'{text[start:]}: missing end "', start, len(text))
    return _Token("quoted", text[start : place + 1], start, place + 1)


class _Parser:
    def __init__(self, text: str) -> None:
        self._text = text
        self._place = 0
        self._next: _Token | None = None

    def parse(self) -> tuple[Matcher, ...]:
        matchers: list[Matcher] = []
        in_braces = self._accept("{")
        if self._peek().kind not in ("}", "end"):
            matchers.append(self._matcher())
            while self._comma():
                matchers.append(self._matcher())
        self._closing(in_braces)
        return tuple(matchers)

    def _matcher(self) -> Matcher:
        name = self._expect("expected label name", "quoted", "literal")
        label = _unquote(name)
        op = self._expect(
            "expected an operator such as '=', '!=', '=~' or '!~'", "=", "!=", "=~", "!~"
        )
        value = self._expect("expected label value", "quoted", "literal")
        try:
            return Matcher(label, Op(op.kind), _unquote(value))
        except RegexError as error:
            raise RegexError(error.message, value.start, value.end) from None

    def _comma(self) -> bool:
        """Skip a comma; return whether a matcher follows."""
        wanted = "expected a comma or close brace"
        if self._peek(wanted).kind in ("}", "end"):
            return False
        self._expect(wanted, ",")
        wanted = "expected a matcher or close brace after comma"
        if self._peek(wanted).kind in ("}", "end"):
            return False
        if self._peek().kind not in ("quoted", "literal"):
            self._expect(wanted)
        return True

    def _closing(self, in_braces: bool) -> None:
        if in_braces:
            self._expect("expected close brace", "}")
        token = self._peek("expected end of input")
        if token.kind != "end":
            wanted = "opening brace" if token.kind == "}" and not in_braces else "end of input"
            raise MatcherError(f"{token.text}: expected {wanted}", token.start, token.end)

    def _peek(self, wanted: str = "") -> _Token:
        if self._next is None:
            try:
                self._next = _token(self._text, self._place)
            except MatcherError as error:
                message = ": ".join(filter(None, (error.message, wanted)))
                raise MatcherError(message, error.offset, error.end) from None
        return self._next

    def _accept(self, kind: str) -> bool:
        token = self._peek()
        if token.kind != kind:
            return False
        self._place, self._next = token.end, None
        return True

    def _expect(self, wanted: str, *kinds: str) -> _Token:
        token = self._peek(wanted)
        if token.kind not in kinds:
            found = token.text if token.kind == "end" else f"unexpected {token.text}"
            raise MatcherError(f"{found}: {wanted}", token.start, token.end)
        self._place, self._next = token.end, None
        return token


def _unquote(token: _Token) -> str:
    """The value of a literal or of a quoted Go string."""
    if token.kind == "literal":
        return token.text
    out = bytearray()
    inner, place = token.text[1:-1], 0
    while place < len(inner):
        at = token.start + 1 + place
        if inner[place] == "\n":
            raise MatcherError("invalid input: line break in quotes", at, at + 1)
        if inner[place] != "\\":
            out += inner[place].encode()
            place += 1
            continue
        found = _ESCAPE.match(inner, place)
        decoded = _decode(found) if found else None
        if found is None or decoded is None:
            shown = inner[place : place + 2]
            raise MatcherError(f"{shown}: invalid input: not a Go escape", at, at + len(shown))
        out += decoded
        place = found.end()
    try:
        return out.decode()
    except UnicodeDecodeError:
        message = f"{token.text}: invalid input: escapes are not valid UTF-8"
        raise MatcherError(message, token.start, token.end) from None


def _decode(found: re.Match[str]) -> bytes | None:
    if found["plain"]:
        return _PLAIN[found["plain"]].encode()
    if found["x"]:
        return bytes([int(found["x"], 16)])
    if found["octal"]:
        number = int(found["octal"], 8)
        return bytes([number]) if number < 256 else None
    number = int(found["u"] or found["U"], 16)
    if number > 0x10FFFF or 0xD800 <= number <= 0xDFFF:
        return None
    return chr(number).encode()
