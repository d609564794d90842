"""A Markdown tree as texts with entities, a line or a whole code block at a time.

What an entity is stands in `marked`; how much fits is the message's.
"""

from collections.abc import Iterator, Sequence

from alert_router.markdown import (
    Block,
    Break,
    Code,
    CodeSpan,
    Emphasis,
    Heading,
    Inline,
    Item,
    Link,
    ListBlock,
    Paragraph,
    Quote,
    Strike,
    Strong,
    Table,
    Text,
    plain,
    to_text,
)
from alert_router.notify import summary
from alert_router.notify.telegram.marked import Marked, code, emphasised, joined, link, literal

_DEEPEST = 40  # characters of indentation
_INDENT = "    "
_QUOTE = "▏ "
_KINDS = {Strong: "bold", Emphasis: "italic", Strike: "strikethrough"}


def words(spans: Sequence[Inline]) -> Marked:
    """Spans as text; hard breaks are line feeds."""
    return joined(map(_span, spans))


def _span(span: Inline) -> Marked:
    match span:
        case Text(text):
            return literal(text)
        case CodeSpan(text):
            return code(text)
        case Link(url, children):
            return link(url, plain(children))
        case Break(hard):
            return Marked("\n" if hard else " ")
        case _:
            return emphasised(_KINDS[type(span)], words(span.children))


def pieces(blocks: Sequence[Block], indent: str = "") -> Iterator[Marked]:
    """Blocks as lines and whole code blocks, in order."""
    for block in blocks:
        match block:
            case Code():
                yield from _code(block)
            case Paragraph(children):
                yield joined((Marked(indent), words(children)))
            case Heading(_, children):
                title = emphasised("bold", literal(plain(children)))
                yield joined((Marked(indent), title))
            case ListBlock():
                for number, item in enumerate(block.items, block.start):
                    bullet = f"{number}." if block.ordered else "•"
                    yield from _item(item, bullet, indent)
            case Quote(inner):
                yield from pieces(inner, _deeper(indent, _QUOTE))
            case Table():
                yield from _code(Code(to_text((block,))))
            case _:
                continue


def _code(block: Code) -> Iterator[Marked]:
    text = block.text.strip("\n")
    if text.strip():
        yield code(text, "pre", block.language)
    for name, value in block.values:
        yield code(summary.shown_value(name, value))


def _item(item: Item, bullet: str, indent: str) -> Iterator[Marked]:
    if item.checked is not None:
        bullet = "☑" if item.checked else "☐"
    first, rest = item.blocks[:1], item.blocks[1:]
    if first and isinstance(first[0], Paragraph):
        yield joined((Marked(f"{indent}{bullet} "), words(first[0].children)))
    else:
        yield Marked(f"{indent}{bullet}")
        rest = item.blocks
    yield from pieces(rest, _deeper(indent))


def _deeper(indent: str, by: str = _INDENT) -> str:
    return (indent + by)[:_DEEPEST]
