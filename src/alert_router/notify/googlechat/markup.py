"""A Markdown tree as Google Chat's markup, a line or a whole code block at a time.

What a word or a code may hold is `words`'; how much fits is the message's.
"""

import re
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
from alert_router.notify.googlechat.words import (
    bold,
    code_block,
    code_span,
    link,
    literal,
    unlisted,
)

_DEEPEST = 40  # characters of indentation
_INDENT = "    "
_QUOTE = "▏ "
_MARKS: dict[type, str] = {Strong: "*", Emphasis: "_", Strike: "~"}
_MARKUP = re.compile(r"[*~`<\n]|(?<!\w)_|_(?!\w)")
_BORDER = re.compile(r"[ .,;:!?()\"'—–-]?")


def lines(spans: Sequence[Inline]) -> list[str]:
    """Spans as markup, a text for each line; none begins a list or a quote."""
    found = _inline(spans, frozenset(), "", "").split("\n")
    return [unlisted(line) for line in found if line.strip()]


def _inline(spans: Sequence[Inline], within: frozenset[str], before: str, after: str) -> str:
    """Spans as markup; `before` and `after` are the characters beside them, if there are any."""
    found = ""
    for number, span in enumerate(spans):
        left = _edge(spans[:number], last=True) or before
        right = _edge(spans[number + 1 :], last=False) or after
        told = _span(span, within, left, right)
        # Two codes side by side would be one with backticks in it, or none.
        found += f"\u200b{told}" if found[-1:] == told[:1] == "`" else told
    return found


def _span(span: Inline, within: frozenset[str], before: str, after: str) -> str:
    match span:
        case Text(text):
            return literal(text)
        case CodeSpan(text):
            return code_span(text)
        case Link(url, children):
            return link(url, plain(children))
        case Break(hard):
            return "\n" if hard else " "
        case Strong(children) | Emphasis(children) | Strike(children):
            mark = _MARKS[type(span)]
            inner = _inline(children, within | {mark}, before, after)
            words = inner.strip()
            # Chat formats whole words within a line. Elsewhere, and with marks in marks, it may
            # show the marks themselves.
            whole = _BORDER.fullmatch(before) and _BORDER.fullmatch(after)
            plain_words = words and not _MARKUP.search(words)
            marked = whole and not within and plain_words
            return f"{mark}{words}{mark}" if marked else inner


def _edge(spans: Sequence[Inline], *, last: bool) -> str:
    """The first or last character of spans as far as it matters to marks beside it."""
    for span in reversed(spans) if last else spans:
        match span:
            case Text(text):
                edge = text[-1:] if last else text[:1]
            case Break():
                edge = " "
            case CodeSpan() | Link():
                edge = "x"
            case _:
                edge = _edge(span.children, last=last)
        if edge:
            return edge
    return ""


def pieces(blocks: Sequence[Block], indent: str = "") -> Iterator[str]:
    """Blocks as lines and whole code blocks, in order."""
    for block in blocks:
        match block:
            case Code():
                yield from _code(block)
            case Paragraph(children):
                yield from (indent + line for line in lines(children))
            case Heading(_, children):
                yield indent + bold(plain(children))
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


def _code(block: Code) -> Iterator[str]:
    text = block.text.strip("\n")
    if text.strip():
        yield code_block(text)
    for name, value in block.values:
        yield code_span(summary.shown_value(name, value))


def _item(item: Item, bullet: str, indent: str) -> Iterator[str]:
    if item.checked is not None:
        bullet = "☑" if item.checked else "☐"
    first, rest = item.blocks[:1], item.blocks[1:]
    if first and isinstance(first[0], Paragraph):
        told, *more = lines(first[0].children) or [""]
        yield f"{indent}{bullet} {told}"
        yield from (_deeper(indent) + line for line in more)
    else:
        yield f"{indent}{bullet}"
        rest = item.blocks
    yield from pieces(rest, _deeper(indent))


def _deeper(indent: str, by: str = _INDENT) -> str:
    return (indent + by)[:_DEEPEST]
