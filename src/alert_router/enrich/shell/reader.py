"""Reads shell text just far enough to know in which word of which command a placeholder stands.

Only simple commands are understood; `commands` judges those. What is not understood stops no more
than its line, and its placeholders keep the place they begin with: nowhere.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass, field

from alert_router.enrich.placeholder import Place
from alert_router.enrich.shell import commands
from alert_router.enrich.shell.commands import OPAQUE, SLOT, Word, slot_sign

_REDIRECTION = re.compile(r"\d*(?:<<<|<<-?|<>|<&|>>|>\||>&|[<>](?!\())|&>>?")
_VARIABLE = re.compile(r"\$(?:\w+|[@*#?$!-])", re.ASCII)
_ASSIGNS = re.compile(r"[A-Za-z_]\w*\+?=", re.ASCII)
_END_OF_WORD = " \t\n;&|<>()"
_DEEPEST = 8  # substitutions within each other
_EFFORT = 12  # characters looked at for each one there is, at most


class Unreadable(Exception):
    """The command at hand is no simple command that is understood here."""


@dataclass(slots=True, eq=False)
class Mark:
    """A placeholder at `start:end`, with what surrounds it. `own`: it is a variable of the
    program in which it stands, not a placeholder. `computed`: a word there would count as 0;
    False where that does not matter, None where nobody looked."""

    start: int
    end: int
    name: str
    place: Place = Place.NOWHERE
    own: bool = False
    computed: bool | None = None


@dataclass(slots=True, eq=False)
class _HereDocument:
    delimiter: str
    is_raw: bool  # the shell expands nothing in it
    tabs: bool
    words: list[Word]


@dataclass(slots=True)
class _Stage:
    """One command of a pipeline, and the marks before and in it."""

    words: list[Word]
    first: int
    last: int


def _assigns(word: Sequence[str]) -> bool:
    """Whether a word begins by setting a variable."""
    return _ASSIGNS.match("".join(word)) is not None


@dataclass(slots=True)
class Reader:
    """Reads `text[pos:end]` and gives each of `marks` (sorted by start) its place.

    `functions` are commands of which nothing is known. `simple` tells afterwards whether all of it
    was simple commands, and `inserted` what is to be put into the text and where, so that no
    variable gets its value from what is not filled.
    """

    text: str
    marks: list[Mark]
    pos: int
    end: int
    functions: frozenset[str] = frozenset()
    simple: bool = True
    inserted: dict[int, str] = field(default_factory=dict)
    _at: dict[int, int] = field(default_factory=dict)
    _pending: list[_HereDocument] = field(default_factory=list)
    _depth: int = 0
    _effort: int = 0

    def read(self) -> None:
        """Read all of it."""
        self._at = {mark.start: index for index, mark in enumerate(self.marks)}
        self._effort = _EFFORT * (self.end - self.pos) + 10_000
        if OPAQUE in self.text or SLOT.search(self.text):
            self.simple = False
            return
        self._list("")

    def _list(self, close: str) -> None:
        """Read commands up to the closing bracket, which is passed, or to the end."""
        stages: list[_Stage] = []
        opened = self.pos
        while True:
            self._blank()
            char = self._peek()
            if not char:
                self._pipeline(stages, opened)
                if close or self._pending:
                    self._unreadable(opened)
                return
            if char == ")":
                self._pipeline(stages, opened)
                stages = []
                self.pos += 1
                if close:
                    return
                self.simple = False
            elif char == "#":
                self._comment()
            elif char == "\n":
                if stages and stages[-1].words:
                    self._pipeline(stages, opened)
                    stages = []
                self.pos += 1
                self._documents()
            elif char in ";&|" and not self._looking_at("&>"):
                self._operator(stages, opened)
            else:
                stages = self._stage(stages, close)

    def _stage(self, stages: list[_Stage], close: str) -> list[_Stage]:
        """Read one command of a pipeline. One that is not understood is passed by the line."""
        start, first = self.pos, self._index(self.pos)
        try:
            words = self._command()
        except Unreadable:
            if close:
                raise
            self._skip_line(start, first)
            return []
        last = self._index(self.pos)
        if stages and not stages[-1].words:
            stages = [*stages[:-1], _Stage(words, first, last)]
        else:
            stages = [_Stage(words, first, last)]
        return stages

    def _operator(self, stages: list[_Stage], opened: int) -> None:
        piped = self._looking_at("|") and not self._looking_at("||")
        self.pos += 1
        if self._peek() in ("&", "|", ";"):
            self.pos += 1
        if piped and stages:
            stages.append(_Stage([], self._index(self.pos), self._index(self.pos)))
        else:
            self._pipeline(stages, opened)
            stages.clear()

    def _pipeline(self, stages: list[_Stage], opened: int) -> None:
        """Judge the commands of a pipeline: what flows into an interpreter is its program."""
        reads = False
        for stage in reversed(stages):
            if reads:
                # What a loop or a group prints is everything that stands in it.
                whole = commands.closes_group(stage.words)
                first = self._index(opened) if whole else stage.first
                self._refuse(first, stage.last)
            reads = reads or commands.reads_program(stage.words)

    def _command(self) -> list[Word]:
        """Read one command with its redirections, and judge its words."""
        start = self._index(self.pos)
        words: list[Word] = []
        documents: list[_HereDocument] = []
        inner: list[tuple[int, int]] = []
        while self._goes_on():
            if self._peek() == "(":
                if words and not (len(words) == 1 and self._looking_at("()")):
                    raise Unreadable
                self._brackets(words)
            elif redirection := _REDIRECTION.match(self.text, self.pos, self.end):
                self._redirection(redirection, words, documents, inner)
            else:
                word = self._word(inner)
                if not words and word.text == "[[" and not word.quoted:
                    self._skip_to("]]")
                elif word.text or word.quoted:
                    words.append(word)
                else:
                    raise Unreadable
        self._pending += documents
        self.simple = self.simple and not documents and commands.is_simple(words)
        if not self.functions.isdisjoint(word.literal for word in words):
            self._refuse(start, self._index(self.pos))
            return words
        if commands.judge(words):
            for first, last in inner:
                self._refuse(first, last)
        for word in words:
            self._place(word)
        return words

    def _place(self, word: Word) -> None:
        for number, index in enumerate(word.marks):
            mark = self.marks[index]
            mark.place = word.place(number)
            mark.own = number in word.own
            mark.computed = number in word.computed or mark.computed

    def _refuse(self, first: int, last: int) -> None:
        for mark in self.marks[first:last]:
            mark.place = Place.NOWHERE

    def _goes_on(self) -> bool:
        """Whether the command at hand has another word, passing the blanks before it."""
        self._blank()
        if self._looking_at("&>"):
            return True
        return self._peek() not in ("", "\n", ";", "|", "&", ")", "#")

    def _brackets(self, words: list[Word]) -> None:
        """Read `(...)`, `((...))`, or the brackets behind a function's name."""
        self.simple = False
        if words:
            self.pos += 2
            words.clear()
        elif self._looking_at("(("):
            self._skip_to("))")
        else:
            self._nested()
            words.append(Word(OPAQUE))

    def _redirection(
        self,
        redirection: re.Match[str],
        words: list[Word],
        documents: list[_HereDocument],
        inner: list[tuple[int, int]],
    ) -> None:
        self.pos = redirection.end()
        self._blank()
        target = self._word(inner)
        operator = redirection[0].lstrip("0123456789")
        if not target.text:
            raise Unreadable
        if operator in ("<<", "<<-"):
            if target.marks or OPAQUE in target.text:
                raise Unreadable
            documents.append(_HereDocument(target.text, target.quoted, operator == "<<-", words))

    def _word(self, inner: list[tuple[int, int]]) -> Word:
        """Read the word at hand, its quotes removed and each placeholder one sign."""
        word = Word()
        parts: list[str] = []
        start = self.pos
        while (char := self._peek()) and char not in _END_OF_WORD:
            index = self._at.get(self.pos)
            if index is not None:
                parts.append(self._slot(index, word))
            elif char == "'":
                word.quoted = True
                parts += self._single(word)
            elif char == '"':
                word.quoted = True
                parts += self._double(word, inner, parts)
            elif char in "$`":
                parts.append(self._expansion(inner, "'" if _assigns(parts) else None))
            elif char == "\\":
                self.pos += 2
                if self.text[self.pos - 1 : self.pos] != "\n":
                    word.odd = True
                    parts.append(self.text[self.pos - 1 : self.pos])
            elif self._looking_at("{}"):
                self.pos += 2
                parts.append("{}")
            else:
                word.odd = word.odd or char in "*?[]{}^!" or (char in "~=%" and self.pos == start)
                parts.append(char)
                self.pos += 1
                self._spend(1)
        if self._looking_at("<(") or self._looking_at(">("):
            word.odd = True
            self.pos += 1
            first = self._index(self.pos)
            self._nested()
            inner.append((first, self._index(self.pos)))
            parts.append(OPAQUE)
        elif self._peek() in ("<", ">"):
            word.odd = True  # a number right before `>` would be a descriptor
        word.text = "".join(parts)
        return word

    def _single(self, word: Word) -> list[str]:
        close = self._find("'", self.pos + 1)
        parts = self._literal(self.pos + 1, close, word)
        self.pos = close + 1
        return parts

    def _literal(self, start: int, close: int, word: Word) -> list[str]:
        """The text between, each placeholder one sign."""
        parts: list[str] = []
        for index in range(self._index(start), self._index(close)):
            mark = self.marks[index]
            word.raw.add(len(word.marks))
            parts += [self.text[start : mark.start], self._slot(index, word)]
            start = mark.end
        self.pos = close
        return [*parts, self.text[start:close]]

    def _double(self, word: Word, inner: list[tuple[int, int]], before: list[str]) -> list[str]:
        self.pos += 1
        escape = "\\" if _assigns(before) else None
        parts: list[str] = []
        while (char := self._peek()) != '"':
            index = self._at.get(self.pos)
            if not char:
                raise Unreadable
            if index is not None:
                parts.append(self._slot(index, word))
            elif char in "$`":
                parts.append(self._expansion(inner, escape))
            elif char == "\\":
                escaped = self.text[self.pos + 1 : self.pos + 2]
                parts.append(escaped if escaped in '"\\$`' else f"\\{escaped}")
                self.pos += 2
            else:
                parts.append(char)
                self.pos += 1
                self._spend(1)
        self.pos += 1
        return parts

    def _expansion(self, inner: list[tuple[int, int]], escape: str | None) -> str:
        """Pass `$name`, `$(...)` and their like, of which only that they are there is kept.
        `escape`: what keeps the shell from computing the value of a variable here."""
        first = self._index(self.pos)
        if self._looking_at("$(("):
            self._arithmetic(escape)
        elif self._looking_at("$("):
            self.pos += 1
            self._nested()
            inner.append((first, self._index(self.pos)))
        elif self._looking_at("${"):
            self._pair("{", "}")
        elif self._looking_at("`"):
            self.pos = self._find("`", self.pos + 1) + 1
        elif match := _VARIABLE.match(self.text, self.pos, self.end):
            self.pos = match.end()
        elif self._looking_at("$'") or self._looking_at('$"'):
            raise Unreadable
        else:
            self.pos += 1
            return "$"
        return OPAQUE

    def _arithmetic(self, escape: str | None) -> None:
        self.simple = False
        start, first = self.pos, self._index(self.pos)
        self.pos += 1
        self._pair("(", ")")
        whole = self.text[start : self.pos]
        if not whole.endswith("))") or "'" in whole:
            raise Unreadable
        if escape is None:  # it fails there, and its command does not run
            return
        # The variable would be empty in what follows: it gets the text instead.
        for mark in self.marks[first : self._index(self.pos)]:
            mark.computed = False
            self.inserted |= {start: escape, self.pos: escape.strip("\\")}

    def _nested(self) -> None:
        """Read the commands in brackets."""
        self.pos += 1
        self._depth += 1
        if self._depth > _DEEPEST or self._pending:
            raise Unreadable
        self._list(")")
        self._depth -= 1

    def _pair(self, opening: str, closing: str) -> None:
        """Pass brackets and all that is in them."""
        depth = 0
        while char := self._peek():
            self.pos += 1
            self._spend(1)
            depth += (char == opening) - (char == closing)
            if not depth and char == closing:
                return
        raise Unreadable

    def _slot(self, index: int, word: Word) -> str:
        mark = self.marks[index]
        self.pos = mark.end
        word.marks.append(index)
        escaped = self.text[mark.start] == "\\"
        word.odd = word.odd or escaped
        word.names.append(mark.name)
        return slot_sign(len(word.marks) - 1)

    def _comment(self) -> None:
        close = self.text.find("\n", self.pos, self.end)
        close = self.end if close < 0 else close
        for mark in self.marks[self._index(self.pos) : self._index(close)]:
            mark.place = Place.JOINED
        self.pos = close

    def _documents(self) -> None:
        """Read the here-documents that begin at this line."""
        for document in self._pending:
            body = Word()
            parts: list[str] = []
            while True:
                if self.pos >= self.end:
                    break
                close = self.text.find("\n", self.pos, self.end)
                close = self.end if close < 0 else close
                line = self.text[self.pos : close]
                if (line.lstrip("\t") if document.tabs else line) == document.delimiter:
                    self.pos = close
                    break
                parts += [*self._literal(self.pos, close, body), "\n"]
                self.pos = min(close + 1, self.end)
            body.text = "".join(parts)
            if not document.is_raw:
                body.raw.clear()
            commands.judge_document(document.words, body)
            self._place(body)
        self._pending.clear()

    def _skip_line(self, start: int, first: int) -> None:
        """Give up a command: nothing is filled from its beginning to the end of its line."""
        self.simple = False
        self._depth = 0
        self._pending.clear()
        close = self.text.find("\n", start, self.end)
        self.pos = self.end if close < 0 else close
        for mark in self.marks[first:]:
            mark.place, mark.own, mark.computed = Place.NOWHERE, False, None
        self.inserted = {at: text for at, text in self.inserted.items() if at < start}

    def _unreadable(self, opened: int) -> None:
        if self._depth:
            raise Unreadable
        self.simple = False
        for mark in self.marks[self._index(opened) :] if self._pending else ():
            mark.place = Place.NOWHERE

    def _blank(self) -> None:
        while True:
            if self._peek() in (" ", "\t"):
                self.pos += 1
            elif self._looking_at("\\\n"):
                self.pos += 2
            else:
                return

    def _skip_to(self, closing: str) -> None:
        self.simple = False
        self.pos = self._find(closing, self.pos + 1) + len(closing)

    def _find(self, wanted: str, start: int) -> int:
        found = self.text.find(wanted, start, self.end)
        self._spend((found if found >= 0 else self.end) - start)
        if found < 0:
            raise Unreadable
        return found

    def _spend(self, characters: int) -> None:
        """Text full of what is not closed would otherwise be read again from each line."""
        self._effort -= characters
        if self._effort < 0:
            raise Unreadable

    def _index(self, position: int) -> int:
        """The number of marks that start before a position."""
        low, high = 0, len(self.marks)
        while low < high:
            middle = (low + high) // 2
            if self.marks[middle].start < position:
                low = middle + 1
            else:
                high = middle
        return low

    def _peek(self) -> str:
        return self.text[self.pos] if self.pos < self.end else ""

    def _looking_at(self, wanted: str) -> bool:
        return self.text.startswith(wanted, self.pos, self.end)
