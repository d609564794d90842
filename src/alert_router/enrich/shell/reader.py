"""Reads shell text just far enough to know in which word of which command a placeholder stands.

Only simple commands are understood; `commands` judges those. Text that is not understood costs no
more than its line, and its placeholders keep the context NONE.
"""

import re
from bisect import bisect_left, insort
from dataclasses import dataclass, field
from operator import attrgetter

from alert_router.enrich.placeholders import ANGLE, NO_VALUE, Context
from alert_router.enrich.shell import commands
from alert_router.enrich.shell.commands import OPAQUE, SLOT, Placeholder, Word

_REDIRECTION = re.compile(r"\d*(?:<<<|<<-?|<>|<&|>>|>\||>&|[<>](?!\())|&>>?")
_VARIABLE = re.compile(r"\$(?:\w+|[@*#?$!-])", re.ASCII)
_ASSIGNS = re.compile(r"[A-Za-z_]\w*\+?=", re.ASCII)
_END_OF_WORD = " \t\n;&|<>()"
_DEEPEST = 8  # nested substitutions
_EFFORT = 12  # characters read for each one of the text, at most


_start = attrgetter("start")


class Unreadable(Exception):
    """The current command is not understood."""


@dataclass(slots=True, eq=False)
class _HereDocument:
    delimiter: str
    is_raw: bool  # the shell expands nothing in it
    tabs: bool
    words: list[Word]


@dataclass(slots=True)
class _Stage:
    """One command of a pipeline, and where it starts and ends."""

    words: list[Word]
    start: int
    end: int


@dataclass(slots=True)
class Reader:
    """Reads `text[pos:end]` and sets the context of each of `placeholders`, sorted by start.

    `functions` are commands that may do anything, `known` the keys of the names that plain words
    may mean. The results: `simple`, whether the text is only simple commands; `inserted`, text to
    insert by offset, so that no variable gets an empty value from a command that fails; and
    `found`, further placeholders, sorted by start: words in angle brackets that the shell would
    read as redirections, and plain words that are placeholders by their place.
    """

    text: str
    placeholders: list[Placeholder]
    pos: int
    end: int
    functions: frozenset[str] = frozenset()
    known: frozenset[str] = frozenset()
    simple: bool = True
    inserted: dict[int, str] = field(default_factory=dict)
    found: list[Placeholder] = field(default_factory=list)
    _refused: list[tuple[int, int]] = field(default_factory=list)
    _at: dict[int, Placeholder] = field(default_factory=dict)
    _pending: list[_HereDocument] = field(default_factory=list)
    _depth: int = 0
    _effort: int = 0

    def read(self) -> None:
        """Read the text."""
        self._at = {each.start: each for each in self.placeholders}
        self._effort = _EFFORT * (self.end - self.pos) + 10_000
        if OPAQUE in self.text or SLOT.search(self.text):
            self.simple = False
            return
        self._list("")
        self._refuse_found()

    def _list(self, close: str) -> None:
        """Read commands to the closing bracket, inclusive, or to the end."""
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
                self._stage(stages, close)

    def _stage(self, stages: list[_Stage], close: str) -> None:
        """Read one command of a pipeline. If it is not understood, skip its line."""
        start = self.pos
        try:
            words = self._command()
        except Unreadable:
            if close:
                raise
            self._skip_line(start)
            stages.clear()
            return
        if stages and not stages[-1].words:
            stages.pop()
        else:
            stages.clear()
        stages.append(_Stage(words, start, self.pos))

    def _operator(self, stages: list[_Stage], opened: int) -> None:
        piped = self._looking_at("|") and not self._looking_at("||")
        self.pos += 1
        if self._peek() in ("&", "|", ";"):
            self.pos += 1
        if piped and stages:
            stages.append(_Stage([], self.pos, self.pos))
        else:
            self._pipeline(stages, opened)
            stages.clear()

    def _pipeline(self, stages: list[_Stage], opened: int) -> None:
        """Judge the commands of a pipeline: input of an interpreter is a program."""
        reads = False
        for stage in reversed(stages):
            if reads:
                # A loop or a group prints anything that is in it.
                whole = commands.closes_group(stage.words)
                self._refuse(opened if whole else stage.start, stage.end)
            reads = reads or commands.reads_program(stage.words)

    def _command(self) -> list[Word]:
        """Read one command with its redirections, and judge its words."""
        start = self.pos
        words: list[Word] = []
        documents: list[_HereDocument] = []
        inner: list[tuple[int, int]] = []
        while self._goes_on():
            operator = self.pos not in self._at and self._angle() is None
            if self._peek() == "(":
                if words and not (len(words) == 1 and self._looking_at("()")):
                    raise Unreadable
                self._brackets(words)
            elif operator and (redirection := _REDIRECTION.match(self.text, self.pos, self.end)):
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
            self._refuse(start, self.pos)
            return words
        bare = list(commands.bare_names(words, self.known))
        for placeholder in bare:
            insort(self.found, placeholder, key=_start)
        commands.restrict(words, bare)
        if commands.judge(words):
            for first, last in inner:
                self._refuse(first, last)
        return words

    def _refuse(self, start: int, end: int) -> None:
        """Fill nothing between two positions."""
        for placeholder in self.placeholders[self._index(start) : self._index(end)]:
            placeholder.context = Context.NONE
        self._refused.append((start, end))

    def _refuse_found(self) -> None:
        covered, refused = -1, iter(sorted(self._refused))
        start, end = next(refused, (self.end, 0))
        for placeholder in self.found:
            while start <= placeholder.start:
                covered = max(covered, end)
                start, end = next(refused, (self.end, 0))
            if placeholder.start < covered:
                placeholder.context = Context.NONE

    def _angle(self) -> Placeholder | None:
        """The word in angle brackets here, if it is not a redirection."""
        match = ANGLE.match(self.text, self.pos, self.end) if self._peek() == "<" else None
        if match is None or match["name"].lower() in NO_VALUE:
            return None
        return Placeholder(match.start(), match.end(), match["name"], spelled=True)

    def _goes_on(self) -> bool:
        """Skip blanks. Whether the current command has another word."""
        self._blank()
        if self._looking_at("&>"):
            return True
        return self._peek() not in ("", "\n", ";", "|", "&", ")", "#")

    def _brackets(self, words: list[Word]) -> None:
        """Read `(...)`, `((...))`, or the brackets after a function name."""
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
            if target.placeholders or OPAQUE in target.text:
                raise Unreadable
            documents.append(_HereDocument(target.text, target.quoted, operator == "<<-", words))

    def _word(self, inner: list[tuple[int, int]]) -> Word:
        """Read a word, without its quotes and with one sign for each placeholder. `inner` gets the
        places of its substitutions."""
        word = Word()
        parts: list[str] = []
        start = self.pos
        assigns = _ASSIGNS.match(self.text, start, self.end) is not None
        word.start = start
        while char := self._peek():
            if placeholder := self._at.get(self.pos):
                parts.append(self._sign(placeholder, word))
            elif char == "<" and (placeholder := self._angle()):
                insort(self.found, placeholder, key=_start)
                parts.append(self._sign(placeholder, word))
            elif char in _END_OF_WORD:
                break
            elif char == "'":
                word.quoted = True
                close = self._find("'", self.pos + 1)
                parts += self._literal(self.pos + 1, close, word)
                self.pos = close + 1
            elif char == '"':
                word.quoted = True
                parts += self._double(word, inner, "\\" if assigns else None)
            elif char in "$`":
                parts.append(self._expansion(inner, "'" if assigns else None))
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
        self._end_of_word(word, parts, inner)
        word.text, word.end = "".join(parts), self.pos
        return word

    def _end_of_word(self, word: Word, parts: list[str], inner: list[tuple[int, int]]) -> None:
        if self._looking_at("<(") or self._looking_at(">("):
            word.odd = True
            self.pos += 1
            first = self.pos
            self._nested()
            inner.append((first, self.pos))
            parts.append(OPAQUE)
        elif self._peek() in ("<", ">"):
            word.odd = True  # a number before `>` is a descriptor

    def _literal(self, start: int, close: int, word: Word) -> list[str]:
        """The text between, which the shell does not expand, with signs for placeholders."""
        parts: list[str] = []
        for placeholder in self.placeholders[self._index(start) : self._index(close)]:
            placeholder.raw = True
            parts += [self.text[start : placeholder.start], self._sign(placeholder, word)]
            start = placeholder.end
        self.pos = close
        return [*parts, self.text[start:close]]

    def _double(self, word: Word, inner: list[tuple[int, int]], escape: str | None) -> list[str]:
        self.pos += 1
        parts: list[str] = []
        while (char := self._peek()) != '"':
            if not char:
                raise Unreadable
            if placeholder := self._at.get(self.pos):
                parts.append(self._sign(placeholder, word))
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
        """Skip `$name`, `$(...)` and the like; only a sign remains. `escape` is what keeps the
        shell from computing here, in the value of a variable."""
        first = self.pos
        if self._looking_at("$(("):
            self._arithmetic(escape)
        elif self._looking_at("$("):
            self.pos += 1
            self._nested()
            inner.append((first, self.pos))
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
        if escape is None:  # the arithmetic fails, and its command does not run
            return
        # The variable would be empty afterwards: it gets the text instead.
        for placeholder in self.placeholders[first : self._index(self.pos)]:
            placeholder.computed = False
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
        """Skip brackets with their content."""
        depth = 0
        while char := self._peek():
            self.pos += 1
            self._spend(1)
            depth += (char == opening) - (char == closing)
            if not depth and char == closing:
                return
        raise Unreadable

    def _sign(self, placeholder: Placeholder, word: Word) -> str:
        self.pos = placeholder.end
        word.odd = word.odd or self.text[placeholder.start] == "\\"
        return word.add(placeholder)

    def _comment(self) -> None:
        close = self._line_end(self.pos)
        for placeholder in self.placeholders[self._index(self.pos) : self._index(close)]:
            placeholder.context = Context.PART
        self.pos = close

    def _documents(self) -> None:
        """Read the here-documents that start at this line."""
        for document in self._pending:
            body = Word()
            parts: list[str] = []
            while self.pos < self.end:
                close = self._line_end(self.pos)
                line = self.text[self.pos : close]
                if (line.lstrip("\t") if document.tabs else line) == document.delimiter:
                    self.pos = close
                    break
                parts += [*self._literal(self.pos, close, body), "\n"]
                self.pos = min(close + 1, self.end)
            body.text = "".join(parts)
            for placeholder in body.placeholders:
                placeholder.raw = document.is_raw
            commands.judge_document(document.words, body)
        self._pending.clear()

    def _skip_line(self, start: int) -> None:
        """Give up a command: nothing is filled from its start to the end of its line."""
        self.simple = False
        self._depth = 0
        self._pending.clear()
        self.pos = self._line_end(start)
        while self.found and self.found[-1].start >= start:
            self.found.pop()
        for placeholder in self.placeholders[self._index(start) :]:
            placeholder.context, placeholder.computed = Context.NONE, None
            placeholder.raw = placeholder.own = False
        self.inserted = {at: text for at, text in self.inserted.items() if at < start}

    def _unreadable(self, opened: int) -> None:
        if self._depth:
            raise Unreadable
        self.simple = False
        if self._pending:
            self._refuse(opened, self.end)

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

    def _line_end(self, start: int) -> int:
        found = self.text.find("\n", start, self.end)
        return self.end if found < 0 else found

    def _spend(self, characters: int) -> None:
        """Limits the time for text with many unclosed quotes, each read again from its line."""
        self._effort -= characters
        if self._effort < 0:
            raise Unreadable

    def _index(self, position: int) -> int:
        """The number of placeholders that start before a position."""
        return bisect_left(self.placeholders, position, key=lambda each: each.start)

    def _peek(self) -> str:
        return self.text[self.pos] if self.pos < self.end else ""

    def _looking_at(self, wanted: str) -> bool:
        return self.text.startswith(wanted, self.pos, self.end)
