"""Reads words of shell text: quotes, escapes, expansions, and the placeholders among them.

Strict on purpose: what bash reads in another way than it looks raises Unsure. Commands are read
by `grammar`, which this calls for what stands in `$(...)`.
"""

import re

from alert_router.enrich.shell.expansions import Expansions
from alert_router.enrich.shell.marks import Unsure, Word

_ESCAPE = re.compile(r'\\([$`"\\\n])')
_HISTORY = re.compile(r"!\S*\Z")


class Words(Expansions):
    """Reads words, one at a time."""

    def word(self) -> Word:
        """The word at hand; an empty one if an operator or blank is."""
        word = Word(self.pos)
        before = len(self.marks)
        parts: list[str] = []
        plain = True  # no character that the shell expands to file names or several words
        while (char := self.peek()) and char not in " \t\n;&|()":
            if char in "<>":
                if self.text[self.pos + 1 : self.pos + 2] != "(":
                    break
                if self.pos != word.start:
                    raise Unsure
                self.pos += 2
                self.substitution()
                word.dynamic = True
            elif char == "'":
                parts.append(self._single(word))
            elif char == '"':
                parts.append(self._double(word))
            elif char in "$`":
                parts.append(self.expansion(word, quoted=False))
            elif char == "\\":
                parts.append(self.text[self.pos + 1 : self.pos + 2])
                if parts[-1] == "\n":  # the lines' halves make one word
                    raise Unsure
                self.escape()
            elif char == "{" and self.explicit():
                pass
            else:
                plain = plain and not self._spreads(char, word)
                parts.append(char)
                self.pos += 1
        word.end = self.pos
        word.marks = self.marks[before:]
        word.literal = None if word.marks or word.dynamic else "".join(parts)
        if not plain or self.peek() in ("<", ">"):
            word.refuse()
        self._look_back(word)
        return word

    def _spreads(self, char: str, word: Word) -> bool:
        if char == "~":
            return not (self.pos == word.start and self.at("~/"))
        if char == "=" and self.pos == word.start:
            return True  # zsh: `=name` is the path of that command
        return char in "*?[]{}^"

    def _single(self, word: Word) -> str:
        start = self.pos + 1
        close = self.text.find("'", start, self.end)
        if close < 0:
            raise Unsure
        if start == word.start + 1:
            self._note_quoted(word, start, close)
        self.literal_marks(start, close)
        self.pos = close + 1
        return self.text[start:close]

    def _double(self, word: Word) -> str:
        start = self.pos + 1
        self.pos = start
        before = len(self.marks)
        self.double_quoted('"')
        inside = self.text[start : self.pos]
        if "$" in inside or "`" in inside:
            word.dynamic = word.dynamic or self._has_more(start, before)
        if start == word.start + 1:
            self._note_quoted(word, start, self.pos)
        self.pos += 1
        return _ESCAPE.sub(lambda match: match[1].strip("\n"), inside)

    def _has_more(self, start: int, before: int) -> bool:
        """Whether anything but placeholders is expanded between `start` and here."""
        text, at = [], start
        for mark in self.marks[before:]:
            text.append(self.text[at : mark.start])
            at = mark.end
        rest = "".join([*text, self.text[at : self.pos]])
        return "`" in rest or re.search(r"\$[\w@*#?$!({-]", rest) is not None

    def _note_quoted(self, word: Word, start: int, close: int) -> None:
        following = self.text[close + 1 : close + 2] if close + 1 < self.end else ""
        if following in ("", *" \t\n;&|()"):
            word.quoted = (start, close)

    def _look_back(self, word: Word) -> None:
        """Refuse what stands after a character that would make something else of a value."""
        for mark in word.marks:
            before = self.text[word.start : mark.start]
            if before.endswith(("~", "\\", "$")) or _HISTORY.search(before):
                mark.refuse()
