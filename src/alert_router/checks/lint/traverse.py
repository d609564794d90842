"""Iterates over a runbook's Markdown tree: its text, code and links, at any depth."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from alert_router.markdown import (
    Block,
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
