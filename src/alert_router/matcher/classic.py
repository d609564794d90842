"""The classic grammar of matchers (prometheus/alertmanager, pkg/labels): tolerant of missing
quotes, empty values and lone backslashes.
"""

import re

from alert_router.matcher.model import Matcher, MatcherError, Op

_CLASSIC = re.compile(
    r"[\t\n\f\r ]*(?P<name>[a-zA-Z_:][a-zA-Z0-9_:]*)[\t\n\f\r ]*(?P<op>=~|=|!=|!~)"
    r"[\t\n\f\r ]*(?P<value>.*?)[\t\n\f\r ]*",
    re.DOTALL,
)


def parse_classic(text: str) -> tuple[Matcher, ...]:
    """By the classic grammar alone. Raises MatcherError."""
    start = 1 if text.startswith("{") else 0
    inner = text[start:].removesuffix("}")
    return tuple(_classic(part, start + offset) for part, offset in _split(inner))


def _split(text: str) -> list[tuple[str, int]]:
    """The parts between commas outside quotes, each with its offset; an empty last one does not
    count."""
    parts: list[tuple[str, int]] = []
    quoted = escaped = False
    start = 0
    for place, char in enumerate(text):
        if char == "," and not quoted:
            parts.append((text[start:place], start))
            start = place + 1
        elif char == '"':
            quoted ^= not escaped
            escaped = False
        else:
            escaped = char == "\\" and not escaped
    if text[start:].strip():
        parts.append((text[start:], start))
    return parts


def _classic(text: str, offset: int) -> Matcher:
    found = _CLASSIC.fullmatch(text)
    if found is None:
        raise MatcherError(f"bad matcher format: {text}", offset)
    raw = found["value"]
    value = _classic_value(raw.removeprefix('"'), raw.startswith('"'))
    if value is None:
        where = offset + found.start("value")
        raise MatcherError(f"matcher value contains unescaped double quote: {raw}", where)
    return Matcher(found["name"], Op(found["op"]), value)


def _classic_value(raw: str, is_quoted: bool) -> str | None:
    """The value with its escapes undone; None where quotes are not in order."""
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
