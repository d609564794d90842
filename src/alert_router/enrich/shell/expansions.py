"""Reads what the shell expands: placeholders, parameters, arithmetic, commands within commands.

Whole words are `words`; the commands in `$(...)` are read by `grammar`.
"""

import re

from alert_router.enrich.placeholder import PLACEHOLDER, name_of
from alert_router.enrich.shell.marks import HereDocument, Mark, Unsure, Word

_SPECIAL = frozenset("0123456789@*#?$!-")
_IDENTIFIER = re.compile(r"(?<![\w$])[A-Za-z_]\w*", re.ASCII)
_CHANGES = re.compile(
    r"([A-Za-z_]\w*)(?:\[[^\]]*\])?\s*(?:\+\+|--|(?:<<|>>|[-+*/%&|^])?=(?!=))"
    r"|(?:\+\+|--)\s*([A-Za-z_]\w*)",
    re.ASCII,
)
_DEFAULT = re.compile(r"\$\{([A-Za-z_]\w*):?=", re.ASCII)


class Expansions:
    """A position in a text, and what was found on the way. `end` bounds what is read."""

    def __init__(self, text: str, start: int, end: int) -> None:
        self.text = text
        self.pos = start
        self.end = end
        self.marks: list[Mark] = []
        self.assigned: set[str] = set()
        self.functions: set[str] = set()
        self.risky: set[str] = set()  # variables whose value is more than an argument somewhere
        self.running = False  # something expanded is run
        self.readers: list[int] = []  # where a shell reads its commands from its input
        self.fed: list[int] = []  # where an input is redirected
        self.pending: list[HereDocument] = []

    def substitution(self) -> None:
        """Read the commands of `$(...)` up to its bracket; `grammar` knows how."""
        raise NotImplementedError

    def commands_until(self, end: int) -> None:
        """Read commands up to a place known beforehand; `grammar` knows how."""
        raise NotImplementedError

    def peek(self) -> str:
        """The character at hand, "" at the end."""
        return self.text[self.pos] if self.pos < self.end else ""

    def at(self, text: str) -> bool:
        """Whether this text is at hand."""
        return self.text.startswith(text, self.pos, self.end)

    def double_quoted(self, closing: str) -> None:
        """Read text with a double-quoted string's rules, to an unescaped `closing` or the end."""
        while char := self.peek():
            if char == closing:
                return
            if char == "\\":
                self.escape()
            elif char in "$`":
                self.expansion(Word(self.pos), quoted=True)
            elif not (char == "{" and self.explicit()):
                self.pos += 1
        if closing:
            raise Unsure

    def literal_marks(self, start: int, end: int) -> None:
        """Note the placeholders in text that the shell takes as it is."""
        for match in PLACEHOLDER.finditer(self.text, start, end):
            explicit = match["explicit"] is not None
            self.marks.append(
                Mark(match.start(), match.end(), name_of(match), explicit, stops=False)
            )

    def arithmetic(self) -> None:
        """Read `((...))`: numbers are computed there, and names are variables."""
        start, before, depth = self.pos, len(self.marks), 0
        while True:
            char = self.peek()
            if char in ("", "'", "\\", "`", "#", ";") and not (char == ";" and depth == 2):
                raise Unsure
            if char == "$":
                self.expansion(Word(self.pos), quoted=True)
                continue
            depth += (char == "(") - (char == ")")
            self.pos += 1
            if depth == 1 and char == ")":
                break
        if not self.at(")"):
            raise Unsure
        self.pos += 1
        inside = self.text[start : self.pos]
        self.risky.update(_IDENTIFIER.findall(inside))
        self.assigned.update(a or b for a, b in _CHANGES.findall(inside))
        for mark in self.marks[before:]:
            mark.refuse()

    def escape(self) -> None:
        """Pass a backslash and what it stands before."""
        if self.pos + 1 >= self.end:
            raise Unsure
        self.pos += 2

    def explicit(self) -> bool:
        """Pass a `{{ $labels.name }}`, if one is at hand."""
        match = PLACEHOLDER.match(self.text, self.pos, self.end)
        if match is None:
            return False
        self.marks.append(Mark(self.pos, match.end(), name_of(match), explicit=True))
        self.pos = match.end()
        return True

    def expansion(self, word: Word, *, quoted: bool) -> str:
        """Pass what begins with `$` or a backtick; what it says literally, if it does."""
        match = PLACEHOLDER.match(self.text, self.pos, self.end)
        if match is not None:
            self.marks.append(Mark(self.pos, match.end(), name_of(match)))
            self.pos = match.end()
            return ""
        following = self.text[self.pos + 1 : self.pos + 2] if self.pos + 1 < self.end else ""
        if self.at("`"):
            self._backticks()
        elif self.at("$(("):
            self.pos += 1
            self.arithmetic()
        elif following == "(":
            self.pos += 2
            self.substitution()
        elif following == "{":
            self._parameter(quoted)
        elif following and following in _SPECIAL:
            self.pos += 2
        elif following == "'" and not quoted:
            self._ansi()
        elif following in ("[", "\\") or (following == '"' and not quoted):
            raise Unsure
        else:
            self.pos += 1
            return "$"
        word.dynamic = True
        return ""

    def _quotes(self) -> None:
        self.pos += 1
        self.double_quoted('"')
        self.pos += 1

    def _backticks(self) -> None:
        close = self.text.find("`", self.pos + 1, self.end)
        if close < 0 or "\\" in self.text[self.pos : close]:
            raise Unsure
        self.pos += 1
        self.commands_until(close)
        self.pos = close + 1

    def _ansi(self) -> None:
        self.pos += 2
        while (char := self.peek()) != "'":
            self.pos += 2 if char == "\\" else 1
            if not char:
                raise Unsure
        self.pos += 1

    def _parameter(self, quoted: bool) -> None:
        """Pass `${name...}`, which is more than a placeholder; what is in it is not filled."""
        if self.at("${!"):
            raise Unsure
        if default := _DEFAULT.match(self.text, self.pos, self.end):
            self.assigned.add(default[1])
        before = len(self.marks)
        self.pos += 2
        if self.peek() in ("#", "$"):
            self.pos += 1
        while (char := self.peek()) != "}":
            if char in ("", "\n", "'") or (char == '"' and quoted):
                raise Unsure
            if char == "\\":
                self.escape()
            elif char == '"':
                self._quotes()
            elif char in "$`":
                self.expansion(Word(self.pos), quoted=quoted)
            else:
                self.pos += 1
        self.pos += 1
        for mark in self.marks[before:]:
            mark.refuse()
