"""The tree that Markdown becomes, a small closed set of blocks and spans, and its visitors: as
plain text, and with other words in it.
"""

import re
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Iterator, Sequence
from copy import copy
from dataclasses import dataclass, field, replace
from itertools import chain, zip_longest
from typing import Generic, Self, TypeVar

T = TypeVar("T")


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


class Renderer(ABC, Generic[T]):
    """Each block becomes any number of pieces."""

    margin = ""  # of nested blocks, for renderers that indent

    def blocks(self, blocks: Sequence[Block]) -> list[T]:
        """The blocks, in order."""
        return [piece for block in blocks for piece in self.block(block)]

    def block(self, block: Block) -> Iterable[T]:
        """One block."""
        match block:
            case Paragraph():
                return self.paragraph(block)
            case Code():
                return self.code(block)
            case ListBlock():
                return self.list_block(block)
            case Heading():
                return self.heading(block)
            case Quote():
                return self.quote(block)
            case Table():
                return self.table(block)
            case Rule():
                return self.rule(block)

    def nested(self, margin: str) -> Self:
        """The same renderer with another margin, for what is nested in a block."""
        inner = copy(self)
        inner.margin = margin
        return inner

    @abstractmethod
    def paragraph(self, block: Paragraph, /) -> Iterable[T]: ...
    @abstractmethod
    def code(self, block: Code, /) -> Iterable[T]: ...
    @abstractmethod
    def list_block(self, block: ListBlock, /) -> Iterable[T]: ...
    @abstractmethod
    def heading(self, block: Heading, /) -> Iterable[T]: ...
    @abstractmethod
    def quote(self, block: Quote, /) -> Iterable[T]: ...
    @abstractmethod
    def table(self, block: Table, /) -> Iterable[T]: ...
    @abstractmethod
    def rule(self, block: Rule, /) -> Iterable[T]: ...


class SpanRenderer(ABC, Generic[T]):
    """Spans become one T."""

    def spans(self, spans: Sequence[Inline]) -> T:
        """The spans, joined."""
        return self.joined(map(self.span, spans))

    def span(self, span: Inline) -> T:
        """One span."""
        match span:
            case Text(text):
                return self.text(text)
            case CodeSpan(text):
                return self.code_span(text)
            case Break(hard):
                return self.line_break(hard)
            case Link(url, children):
                return self.link(url, children)
            case Strong() | Emphasis() | Strike():
                return self.marked(span)

    @abstractmethod
    def text(self, text: str) -> T: ...
    @abstractmethod
    def code_span(self, text: str) -> T: ...
    @abstractmethod
    def line_break(self, hard: bool) -> T: ...
    @abstractmethod
    def link(self, url: str, children: Sequence[Inline]) -> T: ...
    @abstractmethod
    def marked(self, span: Strong | Emphasis | Strike) -> T: ...
    @abstractmethod
    def joined(self, spans: Iterable[T]) -> T: ...


Change = Callable[[str], str]
Cells = tuple[tuple[Inline, ...], ...]


@dataclass
class Rewrite(Renderer[Block], SpanRenderer[tuple[Inline, ...]]):
    """How the words of a text, code (inline or block), and addresses change."""

    words: Change
    code_text: Change
    url: Change

    def paragraph(self, block: Paragraph) -> Iterator[Block]:
        yield replace(block, children=self.spans(block.children))

    def heading(self, block: Heading) -> Iterator[Block]:
        yield replace(block, children=self.spans(block.children))

    def code(self, block: Code) -> Iterator[Block]:
        yield replace(block, text=self.code_text(block.text), info=self.code_text(block.info))

    def list_block(self, block: ListBlock) -> Iterator[Block]:
        items = (replace(item, blocks=tuple(self.blocks(item.blocks))) for item in block.items)
        yield replace(block, items=tuple(items))

    def quote(self, block: Quote) -> Iterator[Block]:
        yield replace(block, blocks=tuple(self.blocks(block.blocks)))

    def table(self, block: Table) -> Iterator[Block]:
        yield replace(block, header=self._row(block.header), rows=tuple(map(self._row, block.rows)))

    def _row(self, row: Cells) -> Cells:
        return tuple(map(self.spans, row))

    def rule(self, block: Rule) -> Iterator[Block]:
        yield block

    def text(self, text: str) -> tuple[Inline, ...]:
        return (Text(self.words(text)),)

    def code_span(self, text: str) -> tuple[Inline, ...]:
        return (CodeSpan(self.code_text(text)),)

    def line_break(self, hard: bool) -> tuple[Inline, ...]:
        return (Break(hard),)

    def link(self, url: str, children: Sequence[Inline]) -> tuple[Inline, ...]:
        return (Link(self.url(url), self.spans(children)),)

    def marked(self, span: Strong | Emphasis | Strike) -> tuple[Inline, ...]:
        return (replace(span, children=self.spans(span.children)),)

    def joined(self, spans: Iterable[tuple[Inline, ...]]) -> tuple[Inline, ...]:
        return tuple(chain.from_iterable(spans))


# Control characters, and those that reorder or hide the text around them.
_CONTROL = re.compile(
    "[\x00-\x08\x0b-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069\ufeff\ud800-\udfff]"
)
_NOT_IN_SLUG = re.compile(r"[^\w\- ]")
_UNDERLINE = {1: "=", 2: "-"}
_BOXES = {None: "", True: "[x] ", False: "[ ] "}
_LONGEST_ROW = 120  # characters
_WIDEST_CELL = 40  # one long cell may not push the next column out of sight in every row


def plain(inlines: Iterable[Inline]) -> str:
    """The words of spans on one line, without any markup."""
    parts: list[str] = []
    for span in inlines:
        match span:
            case Text(text) | CodeSpan(text):
                parts.append(text)
            case Break():
                parts.append(" ")
            case _:
                parts.append(plain(span.children))
    return "".join(parts)


def slug(text: str) -> str:
    """The anchor that GitHub gives a heading of this text (before numbering repeats)."""
    return _NOT_IN_SLUG.sub("", text.strip().lower()).replace(" ", "-")


def visible(text: str) -> str:
    """Text in which control characters are shown (`\\x1b`) and have no effect; newlines and tabs
    stay. Label values may hold anything."""
    return _CONTROL.sub(lambda match: ascii(match[0])[1:-1], text)


def rows_as_list(block: Table) -> ListBlock | None:
    """The rows as a list, if a cell has several lines or a row is too long for one; else None."""
    rows = (block.header, *block.rows)
    has_lines = any(isinstance(span, Break) for row in rows for cell in row for span in cell)
    if not has_lines and all(sum(map(len, map(plain, row))) <= _LONGEST_ROW for row in rows):
        return None
    items = []
    for number, row in enumerate(block.rows or (block.header,), 2):
        first, *rest = row or ((),)
        named = zip_longest(block.header[1:] if block.rows else (), rest, fillvalue=())
        blocks = [Paragraph(first)] if first else []
        for name, cell in named:
            if cell:
                blocks.append(Paragraph((*name, Text(": "), *cell) if name else cell))
        items.append(Item(tuple(blocks), line=block.line + number))
    return ListBlock(ordered=False, items=tuple(items), line=block.line)


def to_text(blocks: Sequence[Block]) -> str:
    """A tree as readable text."""
    return "\n".join(_Lines().blocks(blocks))


class _Lines(Renderer[str], SpanRenderer[str]):
    """Spans as text that still tells code from words and shows where links lead; blocks as
    lines."""

    def __init__(self, *, tight: bool = False) -> None:
        self._tight = tight

    def blocks(self, blocks: Sequence[Block]) -> list[str]:
        """The blocks with a blank line between them."""
        lines: list[str] = []
        for index, block in enumerate(blocks):
            if index and not (self._tight and isinstance(block, ListBlock)):
                lines.append("")
            lines += self.block(block)
        return lines

    def heading(self, block: Heading) -> Iterator[str]:
        title = visible(self.spans(block.children).replace("\n", " "))
        yield title
        yield _UNDERLINE.get(block.level, "~") * len(title)

    def paragraph(self, block: Paragraph) -> Iterator[str]:
        for line in visible(self.spans(block.children)).split("\n"):
            yield line.strip()

    def code(self, block: Code) -> Iterator[str]:
        for line in visible(block.text).split("\n"):
            yield f"    {line}".rstrip()
        for name, value in block.values:
            # A value may not pretend to be a line of its own.
            shown = visible(value).replace("\n", "\\n").replace("\t", "\\t")
            yield f"    {name} = {shown}"

    def list_block(self, block: ListBlock) -> Iterator[str]:
        for number, item in enumerate(block.items, block.start):
            mark = f"{number}. " if block.ordered else "- "
            head = mark + _BOXES[item.checked]
            lines = _Lines(tight=True).blocks(item.blocks)
            yield (head + (lines[0] if lines else "")).rstrip()
            yield from ((" " * len(mark) + line).rstrip() for line in lines[1:])

    def quote(self, block: Quote) -> Iterator[str]:
        yield from (f"> {line}".rstrip() for line in _Lines().blocks(block.blocks))

    def table(self, block: Table) -> Iterator[str]:
        if as_list := rows_as_list(block):
            yield from self.list_block(as_list)
            return
        rows = [
            [visible(self.spans(cell)).replace("\n", " ") for cell in row]
            for row in (block.header, *block.rows)
        ]
        widths = [
            min(max(len(row[i]) for row in rows if i < len(row)), _WIDEST_CELL)
            for i in range(max(map(len, rows)))
        ]
        for number, row in enumerate(rows):
            yield " | ".join(cell.ljust(widths[i]) for i, cell in enumerate(row)).rstrip()
            if number == 0:
                yield "-+-".join("-" * width for width in widths)

    def rule(self, block: Rule) -> Iterator[str]:
        yield "-" * 40

    def text(self, text: str) -> str:
        return text

    def code_span(self, text: str) -> str:
        return f"`{text}`"

    def line_break(self, hard: bool) -> str:
        return "\n" if hard else " "

    def link(self, url: str, children: Sequence[Inline]) -> str:
        label = self.spans(children)
        # Within its own page an anchor leads somewhere, here it does not.
        bare = url.startswith("#") or label in (url, url.removeprefix("mailto:"))
        return label if bare else f"{label} ({url})"

    def marked(self, span: Strong | Emphasis | Strike) -> str:
        return self.spans(span.children)

    def joined(self, spans: Iterable[str]) -> str:
        return "".join(spans)
