"""A runbook together with its source, so that a finding gets its line, its column and its text.

The tree knows lines of blocks alone; where in a line a word stands is found here, and only for
what is to be reported.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from alert_router.checks.lint.codes import SEVERITIES
from alert_router.checks.lint.walk import Prose, codes, leaves, proses
from alert_router.markdown import Block, Code, CodeSpan, Heading, Text
from alert_router.model.problem import Place, Problem
from alert_router.runbook import Runbook

_LINE_END = re.compile(r"\r\n?")
_FENCE = re.compile(r"`{3,}|~{3,}")
_MARKUP = re.compile(r"[\s>]*(?:#{1,6}\s+)?")
_BLANK_LINE = re.compile(r"\n[ \t>]*(?:\n|\Z)")


@dataclass(frozen=True, slots=True)
class Spot:
    """Where a match stands. `exact`: the source has it literally there, not as an entity."""

    line: int
    column: int
    match: re.Match[str]
    leaf: Text | CodeSpan
    exact: bool


@dataclass(frozen=True)
class Page:
    """A runbook and its file's text; lines and columns count from 1."""

    runbook: Runbook
    path: Path
    text: str

    @classmethod
    def of(cls, runbook: Runbook, path: Path, text: str) -> "Page":
        """With line ends and byte order mark as the parser sees them."""
        return cls(runbook, path, _LINE_END.sub("\n", text.removeprefix("\ufeff")))

    @cached_property
    def proses(self) -> tuple[Prose, ...]:
        """Everything in it that is read as words."""
        return tuple(proses(self.runbook.blocks))

    @cached_property
    def codes(self) -> tuple[Code, ...]:
        """Its code blocks."""
        return tuple(codes(self.runbook.blocks))

    @property
    def parsable(self) -> tuple[Code, ...]:
        """Its code blocks, if each ends where it should: with one fence too few, code and prose
        may have changed places from anywhere on."""
        found = (problem.code for problem in self.runbook.problems)
        return () if "runbook-unclosed-fence" in found else self.codes

    @cached_property
    def lines(self) -> list[str]:
        """The lines without their ends."""
        return self.text.split("\n")

    @cached_property
    def lower(self) -> str:
        """The text in lower case, for searching."""
        return self.text.lower()

    @cached_property
    def _starts(self) -> list[int]:
        starts = [0]
        for line in self.lines:
            starts.append(starts[-1] + len(line) + 1)
        return starts

    @cached_property
    def title_line(self) -> int:
        """The line of the title, else of the first heading or block."""
        blocks = self.runbook.blocks
        headings = [block for block in blocks if isinstance(block, Heading)]
        top = [heading.line for heading in headings if heading.level == 1]
        anything: list[Block] = [*headings, *blocks]
        return max(1, next(iter([*top, *(block.line for block in anything)]), 1))

    def source(self, line: int) -> str:
        """The line as it stands, "" where there is none."""
        return self.lines[line - 1] if 0 < line <= len(self.lines) else ""

    def problem(
        self, code: str, message: str, line: int, column: int = 0, *, hint: str = ""
    ) -> Problem:
        """A problem at a place; without a column at the first word of the line."""
        source = self.source(line)
        if line and not 0 < column <= len(source) + 1:
            column = self.first_word(line)
        place = Place(str(self.path), line, column if source.strip() else 0)
        return Problem(code, message, place, SEVERITIES[code], hint, source.rstrip())

    def first_word(self, line: int) -> int:
        """The column of the first word of a line, after what marks headings and quotes."""
        source = self.source(line)
        match = _MARKUP.match(source)
        column = match.end() + 1 if match else 1
        return column if column <= len(source) else 1

    def at(self, offset: int) -> tuple[int, int]:
        """Line and column of an offset in the text."""
        line = self.text.count("\n", 0, offset)
        return line + 1, offset - self._starts[line] + 1

    def find(self, needle: str, line: int, until: int = 0) -> tuple[int, int] | None:
        """Line and column of the first such text from that line on (to before line `until`)."""
        if not 0 < line <= len(self.lines):
            return None
        end = self._starts[until - 1] if 0 < until <= len(self.lines) else len(self.text)
        found = self.text.find(needle, self._starts[line - 1], end)
        return self.at(found) if found >= 0 else None

    def spots(self, pattern: re.Pattern[str], *signs: str) -> Iterator[Spot]:
        """The matches in the words and inline code of all its prose. One of the signs, in lower
        case, is in the source of whatever matches: they are quickly found, or not."""
        there = [sign for sign in signs if sign in self.lower]
        for prose in self.proses if there else ():
            found = list(leaves(prose.spans))
            words = " ".join(leaf.text for leaf in found).lower()
            if any(sign in words for sign in there):
                yield from self._spots(prose, found, pattern)

    def _spots(
        self, prose: Prose, found: list[Text | CodeSpan], pattern: re.Pattern[str]
    ) -> Iterator[Spot]:
        if not 0 < prose.line <= len(self.lines):
            return
        cursor = self._starts[prose.line - 1]
        blank = _BLANK_LINE.search(self.text, cursor)
        end = blank.start() if blank and not prose.one_line else len(self.text)
        if prose.one_line:
            end = self._starts[prose.line] - 1
        for leaf in found:
            start = self.text.find(leaf.text, cursor, end)
            for match in pattern.finditer(leaf.text):
                at = start + match.start() if start >= 0 else self.text.find(match[0], cursor, end)
                line, column = self.at(at) if at >= 0 else (prose.line, 0)
                yield Spot(line, column, match, leaf, at >= 0)
            if start >= 0:
                cursor = start + len(leaf.text)

    def in_code(self, code: Code, offset: int) -> tuple[int, int]:
        """Line and column of an offset in a code block's text."""
        number = code.text.count("\n", 0, offset)
        start = code.text.rfind("\n", 0, offset) + 1
        end = code.text.find("\n", offset)
        written = code.text[start : end if end >= 0 else len(code.text)]
        fenced = _FENCE.search(self.source(code.line)) is not None
        line = code.line + number + fenced
        column = self._column(written, line)
        if not column:  # HTML: its first line may stand beside the tag
            line -= 1
            column = self._column(written, line) or 1
        return line, column + offset - start

    def _column(self, written: str, line: int) -> int:
        source = self.source(line)
        found = source.find(written) if written else len(source)
        if found < 0:
            bare = written.lstrip()
            found = source.find(bare) - (len(written) - len(bare))
            return max(found + 1, 1) if bare in source else 0
        return found + 1
