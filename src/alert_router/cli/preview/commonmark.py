"""Markdown as chats that read it show it: line by line, with code blocks between."""

import re
from collections.abc import Iterable, Iterator
from dataclasses import replace

from alert_router.cli.preview.nodes import Line, Node, Span, address, pre, span
from alert_router.markdown import (
    Break,
    CodeSpan,
    Emphasis,
    Inline,
    Link,
    Paragraph,
    Strike,
    Strong,
    Text,
    parse,
)

_FENCE = re.compile(r"^(`{3,})[^\n`]*\n(.*?)\n\1$\n?", re.DOTALL | re.MULTILINE)


def nodes(text: str) -> Iterator[Node]:
    """The lines and code blocks of a text."""
    start = 0
    for fence in _FENCE.finditer(text):
        yield from _lines(text[start : fence.start()].removesuffix("\n"))
        yield pre(fence[2])
        start = fence.end()
    yield from _lines(text[start:].removesuffix("\n"))


def _lines(text: str) -> Iterator[Node]:
    for row in text.split("\n") if text else ():
        match parse(row):
            case (Paragraph(children),):
                yield Line(tuple(_spans(children, Span(""))))
            case ():
                yield Line(())
            case _:
                yield Line((span(row),))


def _spans(inlines: Iterable[Inline], look: Span) -> Iterator[Span]:
    """Spans that look like `look`, and more so within marks."""
    for inline in inlines:
        match inline:
            case Text(text):
                yield replace(look, text=span(text.replace("\u2060", "")).text)
            case CodeSpan(text):
                yield replace(look, text=span(text).text, code=True)
            case Break():
                yield replace(look, text=" ")
            case Strong(children):
                yield from _spans(children, replace(look, bold=True))
            case Emphasis(children):
                yield from _spans(children, replace(look, italic=True))
            case Strike(children):
                yield from _spans(children, replace(look, strike=True))
            case Link(url, children):
                yield from _spans(children, replace(look, url=address(url)))
