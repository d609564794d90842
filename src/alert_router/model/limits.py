"""Cuts a webhook body to the configured limits before it is parsed.

Reads the JSON token by token. Text over a limit is cut with a visible mark and counted. The result
is valid JSON. A body within the limits is unchanged.
"""

import re
from collections.abc import Callable
from dataclasses import dataclass
from hashlib import blake2b

from alert_router.model.normalize import PayloadError

_VALUES_PER_ALERT = 25  # on average over a group: fields, labels and annotations
_FIELDS = 64  # of a group and of an alert, besides labels and alerts
_DEEPEST = 64  # nested lists and objects
# Items of lists and objects where Alertmanager has text, in the whole body. Each takes a hundred
# bytes of memory, but three as JSON. No small body has as many.
_NESTED = 20_000

# Possessive and bounded, so that no single match takes long.
_TEXT = rb'[^"\\]*+(?:\\.[^"\\]*+){0,10000}+'
_TOKEN = re.compile(
    rb'[ \t\n\r]*+(?:(?P<quote>")' + _TEXT + rb"|[{}\[\],:]|(?P<word>[-+.0-9A-Za-z]++))",
    re.DOTALL,
)
_MORE_TEXT = re.compile(_TEXT, re.DOTALL)
_TO_BRACKET = re.compile(rb'(?:[^"\[\]{}]++|\{[ \t\n\r]*+\}){0,10000}+(["\[\]{}])?')
_WHOLE_CHARACTERS = re.compile(rb'(?:[^"\\]|\\u[0-9a-fA-F]{4}|\\[^u])*+', re.DOTALL)
_MAPS = (b'"groupLabels"', b'"commonLabels"', b'"commonAnnotations"', b'"routeLabels"')
_NUMBER = re.compile(rb"[0-9]{1,15}")
_HALF_A_PAIR = re.compile(r"\\u[dD][89abAB][0-9a-fA-F]{2}\Z")


@dataclass(frozen=True, slots=True)
class BodyLimits:
    """The most alerts of a group, labels and annotations (each) of an alert, and bytes, as JSON, of
    a name and of a value."""

    alerts: int = 5_000
    labels: int = 128
    name: int = 1024
    value: int = 64 * 1024


def trim(raw: bytes, limits: BodyLimits) -> bytes:
    """The body within the limits; `raw` itself if nothing is over them.

    Raises PayloadError if it is not a JSON object. What remains is not validated.
    """
    return _Trimming(raw, limits).body()


class _Trimming:
    """One body. The next token is at `_at`; text before `_done` is in `_pieces` or was cut."""

    def __init__(self, raw: bytes, limits: BodyLimits) -> None:
        self._raw = raw
        self._limits = limits
        self._at = 0
        self._done = 0
        self._pieces: list[bytes] = []
        self._seen = 0
        self._nested = 0
        self._truncated = 0  # as the sender says
        self._alerts = self._labels = self._values = 0

    def body(self) -> bytes:
        if self._peek() != b"{":
            kind = "a JSON list" if self._peek() == b"[" else "something else"
            raise PayloadError("an Alertmanager webhook body: a JSON object", kind)
        self._object(self._top_member)
        end = self._at
        if self._raw[end:].strip(b" \t\n\r"):
            raise self._invalid("unexpected data after the object")
        if not self._pieces:
            return self._raw
        counts = (self._alerts, self._labels, self._values)
        note = b',"alertRouterCut":{"alerts":%d,"labels":%d,"values":%d}' % counts
        if self._alerts:  # of two members with the same name the last wins
            note += b',"truncatedAlerts":%d' % (self._truncated + self._alerts)
        self._replace(end - 1, end - 1, note)
        self._pieces.append(self._raw[self._done :])
        return b"".join(self._pieces)

    def _top_member(self, name: bytes) -> None:
        if name == b'"alerts"' and self._peek() == b"[":
            most = _VALUES_PER_ALERT * self._limits.alerts
            self._alerts = self._sequence(
                b"]", self._alert, lambda n: n < self._limits.alerts and self._seen < most
            )
        elif name in _MAPS:
            self._map()
        else:
            start = self._at
            self._value()
            if name == b'"truncatedAlerts"':
                number = self._raw[start : self._at].strip()
                self._truncated = int(number) if _NUMBER.fullmatch(number) else 0

    def _alert(self) -> None:
        if self._peek() == b"{":
            self._object(self._alert_member)
        else:
            self._value()

    def _alert_member(self, name: bytes) -> None:
        if name in (b'"labels"', b'"annotations"'):
            self._map()
        else:
            self._value()

    def _map(self) -> None:
        if self._peek() == b"{":
            self._object(lambda _: self._value(), self._limits.labels)
        else:
            self._value()

    def _object(self, read_value: Callable[[bytes], None], most: int = _FIELDS) -> None:
        """Read an object and cut it to `most` members. `read_value` gets the name of each, in its
        quotes, and reads its value."""

        def member() -> None:
            start, end = self._next()
            if self._raw[start : start + 1] != b'"':
                raise self._invalid("expected a name", start)
            name = self._raw[start : min(end, start + 32)]
            if end - start - 2 > self._limits.name:
                self._shorten(start, end, self._limits.name)
            colon, behind = self._next()
            if self._raw[colon:behind] != b":":
                raise self._invalid("expected `:`", colon)
            read_value(name)

        dropped = self._sequence(b"}", member, lambda n: n < most)
        self._labels += dropped

    def _sequence(
        self, closing: bytes, read_item: Callable[[], None], has_room: Callable[[int], bool]
    ) -> int:
        """Read a list or an object, and cut the items without room. The number of items cut."""
        self._next()
        if self._peek() == closing:
            self._next()
            return 0
        number, last = 0, self._at
        while True:
            if number and not has_room(number):
                cut = self._skip_to_end(closing)
                self._replace(last, self._at - 1, b"")
                return cut
            read_item()
            number += 1
            last = self._at
            start, end = self._next()
            mark = self._raw[start:end]
            if mark == closing:
                return 0
            if mark != b",":
                raise self._invalid("expected `,` or a bracket", start)

    def _value(self) -> None:
        """Read a value of any kind; cut it if it is too long."""
        self._seen += 1
        start, end = self._next()
        mark = self._raw[start : start + 1]
        has_room = True
        if mark in (b"[", b"{"):
            self._skip_to_end(b"]" if mark == b"[" else b"}")
            end = self._at
            items = sum(self._raw.count(sign, start, end) for sign in (b",", b"[", b"{"))
            has_room = self._nested + items <= _NESTED
        elif mark in b"]},:":
            raise self._invalid("expected a value", start)
        if end - start - 2 > self._limits.value or not has_room:
            self._values += 1
            if mark == b'"':
                self._shorten(start, end, self._limits.value)
            else:
                self._replace(start, end, b'"' + self._mark(start, end) + b'"')
        elif mark in (b"[", b"{"):
            self._nested += items

    def _skip_to_end(self, closing: bytes) -> int:
        """Skip to the end of the list or object that `_at` is in. The number of items skipped."""
        raw, depth, items = self._raw, 0, 1
        while True:
            found = _TO_BRACKET.match(raw, self._at)
            assert found is not None  # it may be empty
            if depth == 0:
                items += raw.count(b",", self._at, found.end())
            if found.end() == self._at:
                raise self._invalid("unexpected end")
            self._at = found.end()
            bracket = found[1]
            if bracket == b'"':
                self._at = self._end_of_text(self._at)
            elif bracket in (b"[", b"{"):
                depth += 1
                if depth > _DEEPEST:
                    raise self._invalid("nested too deeply")
            elif bracket is not None:
                if depth == 0:
                    if bracket != closing:
                        raise self._invalid("unmatched bracket", self._at - 1)
                    return items
                depth -= 1

    def _next(self) -> tuple[int, int]:
        """Read a token: its start and end."""
        found = _TOKEN.match(self._raw, self._at)
        if found is None:
            raise self._invalid("unexpected end, or not JSON")
        end = found.end()
        if found["quote"]:
            start = found.start("quote")
            if self._raw[end : end + 1] != b'"':
                end = self._end_of_text(end) - 1
            end += 1
        else:
            start = found.start("word") if found["word"] else end - 1
        self._at = end
        return start, end

    def _peek(self) -> bytes:
        """The first character of the next token."""
        found = _TOKEN.match(self._raw, self._at)
        if found is None:
            return b""
        first = max(found.start("quote"), found.start("word"))
        return self._raw[first : first + 1] if first >= 0 else found[0][-1:]

    def _end_of_text(self, at: int) -> int:
        """The position after the closing quote of the string that `at` is in."""
        raw = self._raw
        while raw[at : at + 1] != b'"':
            found = _MORE_TEXT.match(raw, at)
            if found is None or found.end() == at:
                raise self._invalid("unterminated string")
            at = found.end()
        return at + 1

    def _shorten(self, start: int, end: int, limit: int) -> None:
        """Cut a string between characters, and add a mark. The result is within the limit."""
        mark = b" " + self._mark(start, end)
        head = _WHOLE_CHARACTERS.match(self._raw, start + 1, start + 1 + max(0, limit - len(mark)))
        assert head is not None  # it may be empty
        text = _HALF_A_PAIR.sub("", head[0].decode("utf-8", "ignore"))
        self._replace(start, end, b'"' + text.encode() + mark + b'"')

    def _mark(self, start: int, end: int) -> bytes:
        # The digest keeps values different that now would be equal: group keys, label values.
        digest = blake2b(memoryview(self._raw)[start:end], digest_size=4).hexdigest()
        return f"… [cut: {end - start - 2} bytes, {digest}]".encode()

    def _replace(self, start: int, end: int, by: bytes) -> None:
        self._pieces += (self._raw[self._done : start], by)
        self._done = end

    def _invalid(self, what: str, at: int | None = None) -> PayloadError:
        at = self._at if at is None else at
        return PayloadError("a JSON object in UTF-8", f"invalid JSON: {what}, at byte {at}")
