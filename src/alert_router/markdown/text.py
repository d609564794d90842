"""A tree as plain text, for logs and for terminals without colours.

Nothing here is markup for any destination; each notifier has its own.
"""

import re
import textwrap
from collections.abc import Iterable, Iterator, Sequence

from alert_router.markdown.tree import (
    Block,
    Break,
    Code,
    CodeSpan,
    Heading,
    Inline,
    Item,
    Link,
    ListBlock,
    Paragraph,
    Quote,
    Rule,
    Table,
    Text,
)

# Control characters, and those that reorder or hide the text around them.
_CONTROL = re.compile(
    "[\x00-\x08\x0b-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069\ufeff\ud800-\udfff]"
)
_NOT_IN_SLUG = re.compile(r"[^\w\- ]")
_UNDERLINE = {1: "=", 2: "-"}


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
    """Text in which control characters are seen (`\\x1b`) instead of obeyed; newlines and tabs
    stay. Values of labels may hold anything."""
    return _CONTROL.sub(lambda match: ascii(match[0])[1:-1], text)


def to_text(blocks: Sequence[Block], width: int | None = None) -> str:
    """A tree as readable text. With `width`, prose is wrapped at that many columns."""
    return "\n".join(_blocks(blocks, width))


def _blocks(blocks: Sequence[Block], width: int | None, tight: bool = False) -> Iterator[str]:
    for index, block in enumerate(blocks):
        if index and not (tight and isinstance(block, ListBlock)):
            yield ""
        yield from _block(block, width)


def _block(block: Block, width: int | None) -> Iterator[str]:
    match block:
        case Heading(level, children):
            title = visible(_words(children).replace("\n", " "))
            yield title
            yield _UNDERLINE.get(level, "~") * len(title)
        case Paragraph(children):
            yield from _wrap(visible(_words(children)), width)
        case Code():
            yield from _code(block)
        case ListBlock():
            yield from _list(block, width)
        case Quote(inner):
            narrower = width - 2 if width else None
            yield from (f"> {line}".rstrip() for line in _blocks(inner, narrower))
        case Table(header, rows):
            yield from _table([header, *rows])
        case Rule():
            yield "-" * min(width or 40, 40)


def _words(inlines: Iterable[Inline]) -> str:
    """Spans as text that still tells code from words and where links lead."""
    parts: list[str] = []
    for span in inlines:
        match span:
            case Text(text):
                parts.append(text)
            case CodeSpan(text):
                parts.append(f"`{text}`")
            case Break(hard):
                parts.append("\n" if hard else " ")
            case Link(url, children):
                label = _words(children)
                # Within its own page an anchor leads somewhere, here it does not.
                bare = url.startswith("#") or label in (url, url.removeprefix("mailto:"))
                parts.append(label if bare else f"{label} ({url})")
            case _:
                parts.append(_words(span.children))
    return "".join(parts)


def _wrap(text: str, width: int | None) -> Iterator[str]:
    for line in text.split("\n"):
        if width is None:
            yield line.strip()
        else:
            yield from textwrap.wrap(
                line, max(width, 20), break_long_words=False, break_on_hyphens=False
            )


def _code(code: Code) -> Iterator[str]:
    for line in visible(code.text).split("\n"):
        yield f"    {line}".rstrip()
    for name, value in code.values:
        # A value may not pretend to be a line of its own.
        shown = visible(value).replace("\n", "\\n").replace("\t", "\\t")
        yield f"    {name} = {shown}"


def _list(block: ListBlock, width: int | None) -> Iterator[str]:
    for number, item in enumerate(block.items, block.start):
        mark = f"{number}. " if block.ordered else "- "
        yield from _item(item, mark, width)


_BOXES = {None: "", True: "[x] ", False: "[ ] "}


def _item(item: Item, mark: str, width: int | None) -> Iterator[str]:
    indent = " " * len(mark)
    box = _BOXES[item.checked]
    lines = list(_blocks(item.blocks, width - len(mark + box) if width else None, tight=True))
    yield (mark + box + (lines[0] if lines else "")).rstrip()
    yield from ((indent + line).rstrip() for line in lines[1:])


def _table(rows: Sequence[tuple[tuple[Inline, ...], ...]]) -> Iterator[str]:
    cells = [[visible(_words(cell)).replace("\n", " ") for cell in row] for row in rows]
    columns = max((len(row) for row in cells), default=0)
    # One long cell may not push the next column out of sight in every row.
    widths = [
        min(max((len(row[i]) for row in cells if i < len(row)), default=0), 40)
        for i in range(columns)
    ]
    for number, row in enumerate(cells):
        yield " | ".join(cell.ljust(widths[i]) for i, cell in enumerate(row)).rstrip()
        if number == 0:
            yield "-+-".join("-" * w for w in widths)
