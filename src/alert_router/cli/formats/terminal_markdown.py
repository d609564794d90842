"""Markdown on a terminal, with colors and indentation."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass

from rich.cells import cell_len
from rich.console import Group, RenderableType
from rich.rule import Rule as RichRule
from rich.style import Style
from rich.table import Table as RichTable
from rich.text import Text as RichText

from alert_router.cli.output import clean, clean_lines, table
from alert_router.markdown import (
    Block,
    Break,
    Code,
    CodeSpan,
    Emphasis,
    Heading,
    Inline,
    Link,
    ListBlock,
    Paragraph,
    Quote,
    Rule,
    Strike,
    Strong,
    Table,
    Text,
)

_SPAN_STYLES = {Strong: "bold", Emphasis: "italic", Strike: "strike"}
_HEADINGS = {1: "bold magenta", 2: "bold cyan"}
_BOXES = {None: "", True: "☑ ", False: "☐ "}
_MAX_MARGIN = 40  # columns; text nested deeper is not indented further


@dataclass(frozen=True, slots=True)
class _Margin:
    """The prefix of a block's first line, and of its other lines."""

    first: str = ""
    rest: str = ""

    def inside(self, first: str, rest: str) -> "_Margin":
        return _Margin(self.first + first, self.rest + rest)

    def after_first(self) -> "_Margin":
        return _Margin(self.rest, self.rest)


def rendered(blocks: Sequence[Block]) -> list[RenderableType]:
    """The blocks as renderables, to be printed one below the other.

    A line of code is never padded or wrapped, so that it can be copied. Prose wraps beside its
    margin. Grids are not nested: rich measures nested grids again on every level, and twenty
    levels take hours.
    """
    return list(_blocks(blocks, _Margin()))


def inline_text(
    inlines: Iterable[Inline],
    style: str = "",
    *,
    escape: Callable[[str], str] = clean,
    make_link: Callable[[RichText, str], RichText] | None = None,
) -> RichText:
    """Spans as styled text. `escape` cleans their text; `make_link` adds a URL to its label, by
    default as a hyperlink for terminals that support it."""
    line = RichText(style=style)
    for span in inlines:
        match span:
            case Text(text):
                line.append(escape(text))
            case CodeSpan(text):
                line.append(escape(text), "cyan")
            case Break(hard):
                line.append("\n" if hard else " ")
            case _:
                inner_style = _SPAN_STYLES.get(type(span), "")
                inner = inline_text(span.children, inner_style, escape=escape, make_link=make_link)
                if isinstance(span, Link):
                    inner = (make_link or _hyperlink)(inner, span.url)
                line.append_text(inner)
    return line


def _blocks(
    blocks: Sequence[Block], margin: _Margin, *, tight: bool = False
) -> Iterator[RenderableType]:
    if not blocks:
        yield _beside(margin, RichText())
    for index, block in enumerate(blocks):
        if index:
            margin = margin.after_first()
            if not (tight and isinstance(block, ListBlock)):
                yield _beside(margin, RichText())
        yield from _block(block, margin)


def _block(block: Block, margin: _Margin) -> Iterator[RenderableType]:
    match block:
        case Heading(level, children):
            yield _beside(margin, inline_text(children, _HEADINGS.get(level, "bold")))
        case Paragraph(children):
            yield _beside(margin, inline_text(children))
        case Code():
            yield from _code(block, margin)
        case ListBlock():
            for number, item in enumerate(block.items, block.start):
                mark = f"{number}. " if block.ordered else "• "
                mark += _BOXES[item.checked]
                yield from _blocks(item.blocks, margin.inside(mark, " " * len(mark)), tight=True)
                margin = margin.after_first()
        case Quote(inner):
            yield from _blocks(inner, margin.inside("│ ", "│ "))
        case Table(header, rows):
            cells = [[inline_text(cell) for cell in row] for row in rows]
            yield _beside(margin, table(*map(inline_text, header), rows=cells))
        case Rule():
            yield _beside(margin, RichRule(style="dim"))


def _beside(margin: _Margin, leaf: RenderableType) -> RenderableType:
    """A leaf right of its margin; lines that wrap are aligned with the first."""
    first = margin.first[-_MAX_MARGIN:]
    if not first:
        return Group(leaf)
    grid = RichTable.grid()
    grid.add_column(no_wrap=True, width=cell_len(first))
    grid.add_column(overflow="fold")
    grid.add_row(RichText(first, "bold"), leaf)
    return grid


def _code(code: Code, margin: _Margin) -> Iterator[RichText]:
    for line in clean_lines(code.text).split("\n"):
        yield RichText(f"{margin.first}    ").append(line, "green")
        margin = margin.after_first()
    for name, value in code.values:
        yield RichText(f"{margin.rest}    ").append(f"{clean(name)} = {clean(value)}", "yellow")


def _hyperlink(label: RichText, url: str) -> RichText:
    if url.startswith(("http://", "https://")) and url.isprintable():
        label.stylize(Style(color="blue", underline=True, link=url.replace(" ", "%20")))
    elif label.plain != url and not url.startswith("#"):
        label.append(f" ({clean(url)})", "dim")
    return label
