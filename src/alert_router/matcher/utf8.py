"""The UTF-8 grammar of matchers (prometheus/alertmanager, matcher/parse): names and values are
bare literals or Go's double-quoted strings, braces are optional, one comma may trail.

Messages are Alertmanager's; only those about quoted text are more exact.
"""

import re
from dataclasses import dataclass

from alert_router.matcher.model import (
    SPACE,
    Matcher,
    MatcherError,
    Op,
    RegexError,
    check_unicode,
)

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
