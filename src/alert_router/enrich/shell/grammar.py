"""Reads shell text command by command: lists, pipelines, compound commands, redirections.

What one command is, is `script`; what a word is, `words`.
"""

import re

from alert_router.enrich.placeholder import of_environment
from alert_router.enrich.shell.marks import HereDocument, Mark, Unsure, Use, Word
from alert_router.enrich.shell.words import Words

_TOKEN = re.compile(r"[^\s;&|<>()'\"\\$`]+")
_CLOSERS = frozenset(("then", "elif", "else", "fi", "do", "done", "esac", "}", "]]", "in"))
_REDIRECTION = re.compile(r"\d*(?:<<<|<<-|<<|<>|<&|>>|>\||>&|[<>](?!\())|&>>|&>")
_NAME = re.compile(r"[A-Za-z_]\w*", re.ASCII)
# Where a joined line makes one token of two halves, which is not followed here.
_JOINED = re.compile(r"(?:\$\w*|\$\{[^}\s]*|[&|<>;({\[!])\\\n")
# Variables whose value a program obeys.
_OBEYED = re.compile(
    r"(?:PROMPT|GIT|LD|DYLD|PYTHON|PERL|RUBY|NODE|JAVA|KUBE|DOCKER|LESS|MAN|GREP)_?.*"
    r"|.*(?:PATH|EDITOR|COMMAND|PAGER|OPTS|OPTIONS|ASKPASS|SHELL|CONFIG)|CDPATH|GLOBIGNORE"
)


class Grammar(Words):
    """Reads commands, from the position at hand."""

    def read(self) -> None:
        """Read all of it. Raises Unsure."""
        if _JOINED.search(self.text, self.pos, self.end):
            raise Unsure
        self.statements()
        if self.pending:
            raise Unsure

    def substitution(self) -> None:
        if self.pending:
            raise Unsure
        self.statements(bracket=True)
        self.pos += 1

    def commands_until(self, end: int) -> None:
        outer, self.end = self.end, end
        if self.pending:
            raise Unsure
        self.statements()
        if self.pending:
            raise Unsure
        self.end = outer

    def statements(self, *closers: str, bracket: bool = False) -> str:
        """Read commands up to one of the closing words (which is passed and returned), or up to
        the closing bracket, or else up to the end."""
        while True:
            self.blank(newlines=True)
            if not self.peek():
                if closers or bracket:
                    raise Unsure
                return ""
            if bracket and self.at(")"):
                if self.pending:
                    raise Unsure
                return ")"
            if self.at(";;") and ";;" in closers:
                self.pos += 3 if self.at(";;&") else 2
                return ";;"
            token = self.token()
            if token in closers:
                self.pos += len(token)
                return token
            if token in _CLOSERS:
                raise Unsure
            self._and_or()
            self._separator(closers, bracket)

    def token(self) -> str:
        """The unquoted text at hand up to a blank or operator."""
        match = _TOKEN.match(self.text, self.pos, self.end)
        return match[0] if match else ""

    def blank(self, *, newlines: bool = False) -> None:
        """Pass blanks, joined lines and comments; with `newlines` also these, and with them the
        here-documents that begin there."""
        while char := self.peek():
            if char in " \t":
                self.pos += 1
            elif self.at("\\\n"):
                self.pos += 2
            elif char == "#":
                close = self.text.find("\n", self.pos, self.end)
                close = self.end if close < 0 else close
                self.literal_marks(self.pos, close)
                self.pos = close
            elif char == "\n" and newlines:
                self.pos += 1
                self.bodies()
            else:
                return

    def redirection(self) -> bool:
        """Pass a redirection, if one is at hand."""
        match = _REDIRECTION.match(self.text, self.pos, self.end)
        if match is None:
            return False
        begin, self.pos = self.pos, match.end()
        operator = match[0].lstrip("0123456789")
        if operator.startswith("<") and operator != "<>":
            self.fed.append(begin)
        self.blank()
        commands = self.at("<(") or self.at(">(")
        word = self.word()
        if word.end == word.start:
            raise Unsure
        if operator in ("<<", "<<-"):
            if word.literal is None:
                raise Unsure
            quoted = self.text[word.start : word.end] != word.literal
            self.pending.append(HereDocument(word.literal, quoted, operator == "<<-", begin))
        elif operator != "<<<" and not commands:
            word.refuse()
        return True

    def redirections(self) -> None:
        """Pass the redirections after a compound command."""
        self.blank()
        while self.redirection():
            self.blank()

    def assign(self, name: str, marks: list[Mark]) -> None:
        """Note that a variable is given the value of these."""
        self.assigned.add(name)
        for mark in marks:
            if mark.into not in ("", name) or of_environment(name) or _OBEYED.fullmatch(name):
                mark.refuse()
            mark.into = name

    def run(self, word: Word) -> None:
        """Note that a word is run: as a command, or as what a shell reads."""
        word.refuse(Use.RUN)
        self.running = self.running or word.dynamic

    def command(self) -> None:
        """Read one command; `script` knows how."""
        raise NotImplementedError

    def inside(self, start: int, end: int) -> "Grammar":
        """Another reader, for text within this one that a shell reads once more."""
        return type(self)(self.text, start, end)

    def bodies(self) -> None:
        """Read the here-documents that begin here; `script` knows how."""
        raise NotImplementedError

    def _and_or(self) -> None:
        while True:
            begin, stages = self.pos, 0
            while True:
                self.command()
                stages += 1
                self.blank()
                if not self.at("|") or self.at("||"):
                    break
                self.pos += 2 if self.at("|&") else 1
                self.blank(newlines=True)
            self._flow(begin, stages)
            if not self.at("&&") and not self.at("||"):
                return
            self.pos += 2
            self.blank(newlines=True)

    def _flow(self, begin: int, stages: int) -> None:
        """Where a shell reads commands from what a pipeline gives it, nothing there is filled."""
        read = any(position >= begin for position in self.readers)
        if read and (stages > 1 or any(position >= begin for position in self.fed)):
            for mark in self.marks:
                if mark.start >= begin:
                    mark.refuse(Use.RUN)
            for document in self.pending:
                document.runs = document.runs or document.position >= begin

    def _separator(self, closers: tuple[str, ...], bracket: bool) -> None:
        char = self.peek()
        if char in ("", "\n") or (char == ")" and bracket):
            return
        if self.at(";;") and ";;" in closers:
            return
        if char in (";", "&") and not self.at(";;"):
            self.pos += 1
            return
        raise Unsure

    def function(self, name: str) -> None:
        """Read a function's body."""
        self.functions.add(name)
        self.blank(newlines=True)
        self.command()

    def variable(self) -> str:
        """Pass a variable's name. Raises Unsure if there is none."""
        token = self.token()
        if not _NAME.fullmatch(token):
            raise Unsure
        self.pos += len(token)
        return token
