"""Walking a runbook's tree: its prose, its code, its links, wherever they are nested."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from alert_router.markdown import (
    Block,
    Break,
    Code,
    CodeSpan,
    Heading,
    Inline,
    Link,
    ListBlock,
    Paragraph,
    Quote,
    Table,
    Text,
)


@dataclass(frozen=True, slots=True)
class Prose:
    """Spans that stand together, from that line on; `one_line`: they cannot go beyond it."""

    line: int
    spans: Sequence[Inline]
    one_line: bool = False


def proses(blocks: Iterable[Block]) -> Iterator[Prose]:
    """Everything that is read as words: headings, paragraphs, cells."""
    for block in flat(blocks):
        match block:
            case Heading() | Paragraph():
                yield Prose(block.line, block.children)
            case Table(header, rows):
                for number, row in enumerate((header, *rows)):
                    # Between the header and the rows is the line that makes it a table.
                    line = block.line + number + (number > 0)
                    yield Prose(line, [span for cell in row for span in cell], one_line=True)
            case _:
                pass


def codes(blocks: Iterable[Block]) -> Iterator[Code]:
    """Every code block."""
    return (block for block in flat(blocks) if isinstance(block, Code))


def flat(blocks: Iterable[Block]) -> Iterator[Block]:
    """Every block, those within lists and quotes after what holds them."""
    for block in blocks:
        yield block
        match block:
            case ListBlock():
                for item in block.items:
                    yield from flat(item.blocks)
            case Quote(inner):
                yield from flat(inner)
            case _:
                pass


def leaves(spans: Iterable[Inline]) -> Iterator[Text | CodeSpan]:
    """The words and the inline code of spans, in order."""
    for span in spans:
        match span:
            case Text() | CodeSpan():
                yield span
            case Break():
                pass
            case _:
                yield from leaves(span.children)


def links(spans: Iterable[Inline]) -> Iterator[Link]:
    """The links of spans, in order."""
    for span in spans:
        match span:
            case Link():
                yield span
            case Text() | CodeSpan() | Break():
                pass
            case _:
                yield from links(span.children)
