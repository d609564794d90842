"""A runbook with its source text and its tree at any depth, so that a problem has a line, a column
and the line's text.

The Markdown tree knows the first line of each block only. Positions within a block are found by
searching the source, and only for what is reported.
"""

import re
from bisect import bisect_right
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from alert_router.checks.codes import LINT
from alert_router.markdown import (
    Block,
    Code,
    CodeSpan,
    Heading,
    Inline,
    Link,
    Paragraph,
    Table,
    Text,
    all_blocks,
    all_spans,
)
from alert_router.model.problem import Place, Problem
from alert_router.runbook import Runbook

_LINE_END = re.compile(r"\r\n?")
_MARKUP = re.compile(r"[\s>]*(?:#{1,6}\s+)?")
_BLANK_LINE = re.compile(r"\n[ \t>]*(?:\n|\Z)")


@dataclass(frozen=True, slots=True)
class Prose:
    """Consecutive spans that start on a line; with `one_line` they also end there."""

    line: int
    spans: Sequence[Inline]
    one_line: bool = False


def all_prose(blocks: Iterable[Block]) -> Iterator[Prose]:
    """The text of every heading, paragraph and table row."""
    for block in all_blocks(blocks):
        match block:
            case Heading() | Paragraph():
                yield Prose(block.line, block.children)
            case Table(header, rows):
                for number, row in enumerate((header, *rows)):
                    # Between the header and the rows is a delimiter line.
                    line = block.line + number + (number > 0)
                    yield Prose(line, [span for cell in row for span in cell], one_line=True)
            case _:
                pass


def words(spans: Iterable[Inline]) -> Iterator[Text | CodeSpan]:
    """The text and inline code of spans, in order."""
    return (span for span in all_spans(spans) if isinstance(span, Text | CodeSpan))


def links(spans: Iterable[Inline]) -> Iterator[Link]:
    """The links of spans, in order."""
    return (span for span in all_spans(spans) if isinstance(span, Link))


@dataclass(frozen=True, slots=True)
class Spot:
    """The position of a match. `exact`: the source has the same text, not an entity."""

    line: int
    column: int
    match: re.Match[str]
    leaf: Text | CodeSpan
    exact: bool


@dataclass(frozen=True)
class RunbookSource:
    """A runbook and the text of its file; lines and columns count from 1."""

    runbook: Runbook
    path: Path
    text: str

    @classmethod
    def of(cls, runbook: Runbook, path: Path, text: str) -> "RunbookSource":
        """Normalizes line ends and removes a byte order mark, as the parser does."""
        return cls(runbook, path, _LINE_END.sub("\n", text.removeprefix("\ufeff")))

    @cached_property
    def prose(self) -> tuple[Prose, ...]:
        """The text of all headings, paragraphs and table rows."""
        return tuple(all_prose(self.runbook.blocks))

    @cached_property
    def codes(self) -> tuple[Code, ...]:
        """All code blocks."""
        return tuple(b for b in all_blocks(self.runbook.blocks) if isinstance(b, Code))

    @property
    def parsable_codes(self) -> tuple[Code, ...]:
        """All code blocks; none if a fence is not closed, since code and text may have changed
        places anywhere after it."""
        found = (problem.code for problem in self.runbook.problems)
        return () if "runbook-unclosed-fence" in found else self.codes

    @cached_property
    def lines(self) -> list[str]:
        """The lines without their ends."""
        return self.text.split("\n")

    @cached_property
    def _starts(self) -> list[int]:
        starts = [0]
        for line in self.lines:
            starts.append(starts[-1] + len(line) + 1)
        return starts

    @cached_property
    def title_line(self) -> int:
        """The line of the title, or of the first heading or block."""
        blocks = self.runbook.blocks
        headings = [block for block in blocks if isinstance(block, Heading)]
        top = [heading.line for heading in headings if heading.level == 1]
        anything: list[Block] = [*headings, *blocks]
        return max(1, next(iter([*top, *(block.line for block in anything)]), 1))

    def line_text(self, line: int) -> str:
        """The text of a line; "" if there is no such line."""
        return self.lines[line - 1] if 0 < line <= len(self.lines) else ""

    def problem(
        self, code: str, message: str, line: int, column: int = 0, *, hint: str = ""
    ) -> Problem:
        """A problem at a place; without a column, at the first word of the line."""
        text = self.line_text(line)
        if line and not 0 < column <= len(text) + 1:
            column = self.first_word(line)
        place = Place(str(self.path), line, column if text.strip() else 0)
        return Problem(code, message, place, LINT[code], hint, text.rstrip())

    def first_word(self, line: int) -> int:
        """The column of the first word of a line, after heading and quote markers."""
        text = self.line_text(line)
        match = _MARKUP.match(text)
        column = match.end() + 1 if match else 1
        return column if column <= len(text) else 1

    def position(self, offset: int) -> tuple[int, int]:
        """The line and column of an offset in the text."""
        line = bisect_right(self._starts, offset)
        return line, offset - self._starts[line - 1] + 1

    def find(self, needle: str, line: int, until: int = 0) -> tuple[int, int] | None:
        """The line and column of the first such text from a line on (to before line `until`)."""
        if not 0 < line <= len(self.lines):
            return None
        end = self._starts[until - 1] if 0 < until <= len(self.lines) else len(self.text)
        found = self.text.find(needle, self._starts[line - 1], end)
        return self.position(found) if found >= 0 else None

    @cached_property
    def _leaves(self) -> list[tuple[Prose, list[Text | CodeSpan], str]]:
        """The text and inline code of all prose, and joined in lower case."""
        found = ((prose, list(words(prose.spans))) for prose in self.prose)
        return [
            (prose, leaves, "\n".join(leaf.text for leaf in leaves).lower())
            for prose, leaves in found
            if 0 < prose.line <= len(self.lines)
        ]

    def spots(self, pattern: re.Pattern[str], signs: Sequence[str]) -> Iterator[Spot]:
        """The matches in the text and inline code of all prose. Each has one of `signs`, in lower
        case, which are found faster."""
        for prose, leaves, text in self._leaves:
            for sign in signs:
                if sign in text:
                    yield from self._spots(prose, leaves, pattern)
                    break

    def _spots(
        self, prose: Prose, leaves: list[Text | CodeSpan], pattern: re.Pattern[str]
    ) -> Iterator[Spot]:
        if not any(pattern.search(leaf.text) for leaf in leaves):
            return
        cursor = self._starts[prose.line - 1]
        blank = _BLANK_LINE.search(self.text, cursor)
        end = blank.start() if blank and not prose.one_line else len(self.text)
        if prose.one_line:
            end = self._starts[prose.line] - 1
        for leaf in leaves:
            start = self.text.find(leaf.text, cursor, end)
            for match in pattern.finditer(leaf.text):
                at = start + match.start() if start >= 0 else self.text.find(match[0], cursor, end)
                line, column = self.position(at) if at >= 0 else (prose.line, 0)
                yield Spot(line, column, match, leaf, at >= 0)
            if start >= 0:
                cursor = start + len(leaf.text)

    def in_code(self, code: Code, offset: int) -> tuple[int, int]:
        """The line and column of an offset in a code block's text."""
        number = code.text.count("\n", 0, offset)
        start = code.text.rfind("\n", 0, offset) + 1
        end = code.text.find("\n", offset)
        text = code.text[start : end if end >= 0 else len(code.text)]
        line = code.text_line + number
        return line, (self._column(text, line) or 1) + offset - start

    def _column(self, text: str, line: int) -> int:
        whole = self.line_text(line)
        found = whole.find(text) if text else len(whole)
        if found < 0:
            bare = text.lstrip()
            found = whole.find(bare) - (len(text) - len(bare))
            return max(found + 1, 1) if bare in whole else 0
        return found + 1
