"""The classic grammar of matchers (prometheus/alertmanager, pkg/labels): tolerant of missing
quotes, empty values and lone backslashes.
"""

import re

from alert_router.matcher.model import (
    SPACE,
    Matcher,
    MatcherError,
    Op,
    RegexError,
    check_unicode,
)

_BLANK = "\t\n\f\r "  # RE2's \s
_HEAD = re.compile(rf"[{_BLANK}]*(?P<name>[a-zA-Z_:][a-zA-Z0-9_:]*)[{_BLANK}]*(?P<op>=~|=|!=|!~)")
_SPACE = "".join(SPACE)


def parse_classic(text: str) -> tuple[Matcher, ...]:
    """By the classic grammar alone. Raises MatcherError."""
    check_unicode(text)
    start = 1 if text.startswith("{") else 0
    inner = text[start:].removesuffix("}")
    return tuple(_matcher(part, start + offset) for part, offset in _split(inner))


def parse_classic_one(text: str) -> Matcher:
    """One matcher by the classic grammar, a comma being part of the value. Raises MatcherError."""
    check_unicode(text)
    return _matcher(text, 0)


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
