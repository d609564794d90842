"""Regular expressions as automata, for the part of RE2's syntax that is read here exactly.

Anything else (flags, anchors in the middle, Unicode classes, ...) is Unsupported, never guessed.
Values with a line break, which `.` does not match, are left out of account. What follows from
automata is `language`'s.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass, field

from alert_router.routing.ranges import CLASSES, CONTROLS, Ranges, complement, merged

MOST_STATES = 2_000  # of one expression
_DEEPEST = 40


class Unsupported(Exception):
    """An expression that is not read here, or too large."""


@dataclass(slots=True)
class Automaton:
    """States are numbers. `edges` lead over a code point, `free` ones over nothing."""

    edges: list[list[tuple[Ranges, int]]] = field(default_factory=list)
    free: list[list[int]] = field(default_factory=list)
    start: int = 0
    end: int = 0

    def state(self) -> int:
        """A new one. Raises Unsupported if there are too many."""
        if len(self.edges) >= MOST_STATES:
            raise Unsupported
        self.edges.append([])
        self.free.append([])
        return len(self.edges) - 1


def automaton(pattern: str) -> Automaton:
    """What the whole of a value must be accepted by. Raises Unsupported."""
    made = Automaton()
    made.start, made.end = _Reader(_unanchored(pattern), made).read()
    return made


def words(texts: Sequence[str]) -> Automaton:
    """What accepts these texts alone. Raises Unsupported if they are too many."""
    made = Automaton()
    made.start, made.end = made.state(), made.state()
    for text in texts:
        at = made.start
        for char in text:
            following = made.state()
            made.edges[at].append((((ord(char), ord(char)),), following))
            at = following
        made.free[at].append(made.end)
    return made


def _unanchored(pattern: str) -> str:
    """Without anchors at its ends, where they are the whole expression's: it is anchored anyway."""
    if "|" in pattern:
        return pattern
    escaped = re.search(r"(\\+)\$$", pattern)
    if pattern.endswith("$") and not (escaped and len(escaped[1]) % 2):
        pattern = pattern[:-1]
    return pattern.removeprefix("^")


_REPEAT = re.compile(r"\{(\d{1,3})(?:(,)(\d{1,3})?)?\}")
_GROUP = re.compile(r"\((?:\?:|\?P?<\w+>|(?!\?))", re.ASCII)
_PUNCTUATION = frozenset("!\"#$%&'()*+,-./:;<=>?@[\\]^_`{|}~")


class _Reader:
    """Reads an expression left to right, adding to an automaton as it goes (Thompson)."""

    def __init__(self, pattern: str, made: Automaton) -> None:
        self._text = pattern
        self._at = 0
        self._depth = 0
        self._made = made

    def read(self) -> tuple[int, int]:
        found = self._alternation()
        if self._at < len(self._text):
            raise Unsupported
        return found

    def _peek(self) -> str:
        return self._text[self._at : self._at + 1]

    def _alternation(self) -> tuple[int, int]:
        start, end = self._made.state(), self._made.state()
        while True:
            low, high = self._sequence()
            self._made.free[start].append(low)
            self._made.free[high].append(end)
            if self._peek() != "|":
                return start, end
            self._at += 1

    def _sequence(self) -> tuple[int, int]:
        start = end = self._made.state()
        while self._peek() not in ("", "|", ")"):
            low, high = self._repeated()
            self._made.free[end].append(low)
            end = high
        return start, end

    def _repeated(self) -> tuple[int, int]:
        began = self._at
        found = self._atom()
        ended = self._at
        least, most = self._count()
        if self._peek() in ("*", "+", "?") or _REPEAT.match(self._text, self._at):
            raise Unsupported  # `a**` is refused by some and read by others
        if (least, most) == (1, 1):
            return found
        after = self._at
        start = end = self._made.state()
        for number in range(most if most is not None else max(least, 1)):
            self._at = began
            low, high = self._atom() if number else found
            following = self._made.state()
            self._made.free[end].append(low)
            self._made.free[high].append(following)
            if number >= least:
                self._made.free[end].append(following)
            if most is None and number == max(least, 1) - 1:
                self._made.free[high].append(low)
            end = following
            assert self._at == ended or number == 0
        self._at = after
        return start, end

    def _count(self) -> tuple[int, int | None]:
        """How often what was just read is to come; None: without end."""
        simple: dict[str, tuple[int, int | None]] = {"*": (0, None), "+": (1, None), "?": (0, 1)}
        if counts := simple.get(self._peek()):
            self._at += 1
        elif match := _REPEAT.match(self._text, self._at):
            least = int(match[1])
            most = int(match[3]) if match[3] else None if match[2] else least
            if most is not None and most < least:
                raise Unsupported
            counts = (least, most)
            self._at = match.end()
        else:
            return 1, 1
        if self._peek() == "?":  # lazy: the same values match
            self._at += 1
        return counts

    def _atom(self) -> tuple[int, int]:
        char = self._peek()
        if char == "(":
            return self._group()
        if char == ".":
            ranges = complement(())
            self._at += 1
        elif char == "[":
            ranges = self._class()
        elif char == "\\":
            ranges = self._escape()
        elif char in ("*", "+", "?", "^", "$", "{", "\n"):
            raise Unsupported
        else:
            ranges = ((ord(char), ord(char)),)
            self._at += 1
        start, end = self._made.state(), self._made.state()
        self._made.edges[start].append((ranges, end))
        return start, end

    def _group(self) -> tuple[int, int]:
        match = _GROUP.match(self._text, self._at)
        self._depth += 1
        if match is None or self._depth > _DEEPEST:
            raise Unsupported
        self._at = match.end()
        found = self._alternation()
        if self._peek() != ")":
            raise Unsupported
        self._at += 1
        self._depth -= 1
        return found

    def _escape(self) -> Ranges:
        char = self._text[self._at + 1 : self._at + 2]
        self._at += 2
        if char.lower() in CLASSES:
            inside = CLASSES[char.lower()]
            return inside if char.islower() else complement(inside)
        if char in CONTROLS:
            return ((CONTROLS[char], CONTROLS[char]),)
        if char in _PUNCTUATION:
            return ((ord(char), ord(char)),)
        raise Unsupported

    def _class(self) -> Ranges:
        self._at += 1
        negated = self._peek() == "^"
        self._at += negated
        found: list[tuple[int, int]] = []
        first = True
        while (char := self._peek()) != "]" or first:
            if char in ("", "[") or (
                char == "-" and not first and self._text[self._at + 1 : self._at + 2] != "]"
            ):
                raise Unsupported
            found += self._member()
            first = False
        self._at += 1
        ranges = merged(found)
        return complement(ranges) if negated else ranges

    def _member(self) -> Ranges:
        low = self._one()
        dash = self._text[self._at : self._at + 2]
        if len(dash) < 2 or dash[0] != "-" or dash[1] == "]":
            return low
        self._at += 1
        if self._peek() == "[":
            raise Unsupported
        high = self._one()
        single = len(low) == len(high) == 1 and low[0][0] == low[0][1] and high[0][0] == high[0][1]
        if not single or high[0][0] < low[0][0]:
            raise Unsupported
        return ((low[0][0], high[0][0]),)

    def _one(self) -> Ranges:
        char = self._peek()
        if char == "\\":
            return self._escape()
        if not char:
            raise Unsupported
        self._at += 1
        return ((ord(char), ord(char)),)
