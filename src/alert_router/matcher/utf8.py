"""The UTF-8 grammar of matchers (prometheus/alertmanager, matcher/parse): names and values are
bare literals or Go's double-quoted strings, braces are optional, one comma may trail.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass

from alert_router.matcher.model import Matcher, MatcherError, Op

_RESERVED = frozenset("{}!=~,\\\"'`")
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
    return _Parser(list(_tokens(text))).parse()


def _is_space(char: str) -> bool:
    """As Go's unicode.IsSpace: Python counts the separators U+001C to U+001F too."""
    return char.isspace() and char not in "\x1c\x1d\x1e\x1f"


def _tokens(text: str) -> Iterator[_Token]:
    place = 0
    while place < len(text):
        char = text[place]
        if _is_space(char):
            place += 1
            continue
        token = _token(text, place)
        yield token
        place = token.end
    yield _Token("end", "end of input", place, place)


def _token(text: str, start: int) -> _Token:
    char = text[start]
    if char in "{},":
        return _Token(char, char, start, start + 1)
    if char in "=!":
        pair = text[start : start + 2]
        if pair in ("=~", "!=", "!~"):
            return _Token(pair, pair, start, start + 2)
        if char == "=":
            return _Token(char, char, start, start + 1)
        raise MatcherError("!: expected one of '=~' after it", start + 1)
    if char == '"':
        return _quoted(text, start)
    end = start
    while end < len(text) and not _is_space(text[end]) and text[end] not in _RESERVED:
        end += 1
    if end == start:
        raise MatcherError(f"{char}: invalid input", start)
    return _Token("literal", text[start:end], start, end)


def _quoted(text: str, start: int) -> _Token:
    place = start + 1
    while place < len(text) and text[place] != '"':
        place += 2 if text[place] == "\\" else 1
    if place >= len(text):
        raise MatcherError('missing the closing "', start)
    return _Token("quoted", text[start : place + 1], start, place + 1)


class _Parser:
    """Reads the tokens of one text, left to right."""

    def __init__(self, tokens: list[_Token]) -> None:
        self._tokens = tokens
        self._place = 0

    def parse(self) -> tuple[Matcher, ...]:
        matchers: list[Matcher] = []
        in_braces = self._accept("{")
        while self._peek().kind not in ("}", "end"):
            matchers.append(self._matcher())
            if not self._accept(","):
                break
        self._closing(in_braces, bool(matchers))
        return tuple(matchers)

    def _matcher(self) -> Matcher:
        name = self._expect("expected label name", "quoted", "literal")
        op = self._expect(
            "expected an operator such as '=', '!=', '=~' or '!~'", "=", "!=", "=~", "!~"
        )
        value = self._expect("expected label value", "quoted", "literal")
        try:
            return Matcher(_unquote(name), Op(op.kind), _unquote(value))
        except MatcherError as error:
            raise MatcherError(error.message, error.offset or value.start) from None

    def _closing(self, in_braces: bool, any_matcher: bool) -> None:
        token = self._peek()
        if in_braces:
            wanted = "a comma or close brace" if any_matcher else "close brace"
            self._expect(f"expected {wanted}", "}")
        elif token.kind == "}":
            raise MatcherError("}: expected opening brace", token.start)
        elif token.kind != "end":
            raise MatcherError(
                f"unexpected {token.text}: expected a comma or close brace", token.start
            )
        token = self._peek()
        if token.kind != "end":
            raise MatcherError(f"{token.text}: expected end of input", token.start)

    def _peek(self) -> _Token:
        return self._tokens[self._place]

    def _accept(self, kind: str) -> bool:
        accepted = self._peek().kind == kind
        self._place += accepted
        return accepted

    def _expect(self, wanted: str, *kinds: str) -> _Token:
        token = self._peek()
        if token.kind not in kinds:
            found = token.text if token.kind == "end" else f"unexpected {token.text}"
            raise MatcherError(f"{found}: {wanted}", token.start)
        self._place += 1
        return token


def _unquote(token: _Token) -> str:
    """A literal as it stands; a quoted one as a Go string."""
    if token.kind == "literal":
        return token.text
    out = bytearray()
    inner, place = token.text[1:-1], 0
    while place < len(inner):
        char = inner[place]
        if char != "\\":
            if char == "\n" or "\ud800" <= char <= "\udfff":
                raise MatcherError("invalid input: a line break in quotes", token.start + 1 + place)
            out += char.encode()
            place += 1
            continue
        found = _ESCAPE.match(inner, place)
        decoded = _decode(found) if found else None
        if found is None or decoded is None:
            raise MatcherError("invalid input: no escape of Go's", token.start + 1 + place)
        out += decoded
        place = found.end()
    try:
        return out.decode()
    except UnicodeDecodeError:
        raise MatcherError("invalid input: its escapes are not UTF-8", token.start) from None


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
