"""The tree that Markdown becomes: a small closed set of blocks and spans."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import chain


@dataclass(frozen=True, slots=True)
class Text:
    """Words. Never contains a line break."""

    text: str


@dataclass(frozen=True, slots=True)
class CodeSpan:
    """Inline code."""

    text: str


@dataclass(frozen=True, slots=True)
class Strong:
    """Bold."""

    children: "tuple[Inline, ...]"


@dataclass(frozen=True, slots=True)
class Emphasis:
    """Italic."""

    children: "tuple[Inline, ...]"


@dataclass(frozen=True, slots=True)
class Strike:
    """Struck through."""

    children: "tuple[Inline, ...]"


@dataclass(frozen=True, slots=True)
class Link:
    """A link, or an image shown as one; reference links are already resolved.

    `url` is as the author wrote it, not yet percent-encoded, so that placeholders can be found
    in it. Links are never nested.
    """

    url: str
    children: "tuple[Inline, ...]"


@dataclass(frozen=True, slots=True)
class Break:
    """A line break: soft where the source merely wraps."""

    hard: bool


Inline = Text | CodeSpan | Strong | Emphasis | Strike | Link | Break


@dataclass(frozen=True, slots=True)
class Heading:
    """A heading of level 1 to 6. `line` counts from 1. `anchors` are the ids that the source gives
    it, as in `{#id}` or `<a name="id">`."""

    level: int
    children: tuple[Inline, ...]
    line: int = 0
    anchors: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Paragraph:
    """A paragraph."""

    children: tuple[Inline, ...]
    line: int = 0


@dataclass(frozen=True, slots=True)
class Code:
    """A fenced or indented code block. `text` ends without a newline.

    `language` is the first word of the info string, lower case, `""` for none. `values` are
    (name, value) pairs of placeholders that were not put into the text and are shown beside it.
    `text_line` is the line in the file of the first line of `text`.
    """

    text: str
    language: str = ""
    info: str = ""
    values: tuple[tuple[str, str], ...] = ()
    line: int = 0
    text_line: int = field(default=0, compare=False)


@dataclass(frozen=True, slots=True)
class Item:
    """A list item; `checked` is None unless it is a task."""

    blocks: "tuple[Block, ...]"
    checked: bool | None = None
    line: int = 0


@dataclass(frozen=True, slots=True)
class ListBlock:
    """A list; `start` is the first number of an ordered one."""

    ordered: bool
    items: tuple[Item, ...]
    start: int = 1
    line: int = 0


@dataclass(frozen=True, slots=True)
class Quote:
    """A block quote."""

    blocks: "tuple[Block, ...]"
    line: int = 0


@dataclass(frozen=True, slots=True)
class Table:
    """A table: the header's cells, then rows of cells."""

    header: tuple[tuple[Inline, ...], ...]
    rows: tuple[tuple[tuple[Inline, ...], ...], ...]
    line: int = 0


@dataclass(frozen=True, slots=True)
class Rule:
    """A thematic break."""

    line: int = 0


Block = Heading | Paragraph | Code | ListBlock | Quote | Table | Rule


@dataclass(frozen=True, slots=True)
class Document:
    """A whole file: its blocks, and what only the file as a whole has.

    `front_matter` is the text between the two `---` lines, or `+++` lines if it is TOML, None
    where there is none; it begins on line 2. `unclosed` are the lines of fences that are never
    closed. `unread` are markup that cannot be read, such as an include, and its line.
    """

    blocks: tuple[Block, ...]
    front_matter: str | None = None
    unclosed: tuple[int, ...] = ()
    is_toml: bool = False
    unread: tuple[tuple[int, str], ...] = ()


def all_blocks(blocks: Iterable[Block]) -> Iterator[Block]:
    """Every block, depth first; lists and quotes come before their contents."""
    for block in blocks:
        yield block
        if isinstance(block, ListBlock):
            for item in block.items:
                yield from all_blocks(item.blocks)
        elif isinstance(block, Quote):
            yield from all_blocks(block.blocks)


def texts(block: Block) -> Iterator[Sequence[Inline]]:
    """The texts of a block itself: that of a heading or paragraph, or the cells of a table."""
    match block:
        case Heading() | Paragraph():
            yield block.children
        case Table(header, rows):
            yield from chain(header, *rows)


def all_spans(spans: Iterable[Inline]) -> Iterator[Inline]:
    """Every span, depth first; formats and links come before their contents."""
    for span in spans:
        yield span
        if not isinstance(span, Text | CodeSpan | Break):
            yield from all_spans(span.children)
