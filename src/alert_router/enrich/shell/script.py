"""Reads single commands: simple ones with their assignments, functions, and what is compound.

Lists of commands are `grammar`'s; what a simple command does with its words is `meaning`'s.
"""

import re

from alert_router.enrich.shell.compound import compound
from alert_router.enrich.shell.grammar import Grammar
from alert_router.enrich.shell.heredoc import read_bodies
from alert_router.enrich.shell.marks import Unsure, Word
from alert_router.enrich.shell.meaning import interpret

_ASSIGNMENT = re.compile(r"([A-Za-z_]\w*)(\[[^\]]*\])?\+?=", re.ASCII)


class Script(Grammar):
    """Shell text."""

    def bodies(self) -> None:
        read_bodies(self)

    def command(self) -> None:
        """Read one command, compound or simple."""
        self.blank()
        if compound(self):
            return
        self._simple()

    def _simple(self) -> None:
        words: list[Word] = []
        begin = self.pos
        while (char := self.peek()) and (char not in "\n;|)&" or self.at("&>")):
            if self.redirection():
                self.blank()
                continue
            word = self.word()
            if self._defines(word, words):
                return
            if word.end == word.start:
                raise Unsure
            if words or not self._assigns(word):
                words.append(word)
            self.blank()
        if self.pos == begin:
            raise Unsure
        if words:
            interpret(self, words)

    def _assigns(self, word: Word) -> bool:
        """Whether the word is an assignment before a command; if so, it is noted."""
        match = _ASSIGNMENT.match(self.text, word.start, word.end)
        if match is None:
            return False
        if match[2] is not None:
            word.refuse()
        if match.end() == word.end and self.at("("):
            self.pos += 1
            self.blank(newlines=True)
            while not self.at(")"):
                item = self.word()
                if item.end == item.start:
                    raise Unsure
                word.marks.extend(item.marks)
                self.blank(newlines=True)
            self.pos += 1
            if self.peek() not in ("", *" \t\n;&|)"):
                raise Unsure  # bash goes on with the word: `x=()#` is no comment
        self.assign(match[1], word.marks)
        return True

    def _defines(self, word: Word, words: list[Word]) -> bool:
        """Whether `name()` begins a function here; if so, it is read."""
        if _ASSIGNMENT.match(self.text, word.start, word.end):
            return False
        at = self.pos
        while self.peek() in (" ", "\t"):
            self.pos += 1
        if not self.at("("):
            self.pos = at
            return False
        if words or not word.literal or not self.at("()"):
            raise Unsure
        self.pos += 2
        self.function(word.literal)
        return True
