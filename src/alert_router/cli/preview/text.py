"""Writes a drawing as lines of text. Code is indented by four spaces and has nothing beside it, so
that it can be copied."""

from collections.abc import Iterable, Iterator
from typing import assert_never

from rich.text import Text as RichText

from alert_router.cli.formats.terminal_markdown import inline_text
from alert_router.cli.output import clean_lines
from alert_router.markdown import Inline
from alert_router.preview.drawing import (
    Buttons,
    CodeBlock,
    Collapsible,
    Divider,
    Element,
    Fields,
    HtmlDocument,
    Panel,
    TextLine,
    safe_link,
)

_LINE_STYLES = {"head": "bold", "title": "bold", "small": "dim", "quote": "italic"}
_DIVIDER_WIDTH = 60


def text_lines(elements: Iterable[Element]) -> Iterator[RichText]:
    """The lines of a message."""
    for element in elements:
        yield from _element(element)


def _element(element: Element) -> Iterator[RichText]:
    match element:
        case TextLine(spans, style):
            rows = _line(spans, _LINE_STYLES.get(style, "")).split("\n", allow_blank=True)
            yield from (RichText.assemble("> ", row) for row in rows) if style == "quote" else rows
        case CodeBlock(text):
            yield from (_text(f"    {row}", "cyan") for row in text.split("\n"))
        case Divider():
            yield RichText("─" * _DIVIDER_WIDTH, "dim")
        case Buttons(pairs):
            for label, url in pairs:
                yield _text(f"[{label}]", "bold").append(f" {safe_link(url)}")
        case Fields(rows):
            yield from _fields(rows)
        case Panel(inner, color):
            bar = RichText("▌ ", "dim" if color == "grey" else color)
            for it in inner:
                beside = RichText() if isinstance(it, CodeBlock) else bar
                yield from (RichText.assemble(beside, line) for line in _element(it))
        case Collapsible(title, inner):
            yield _text(f"▾ {title}", "bold")
            yield from text_lines(inner)
        case HtmlDocument(_, text):
            yield from (_text(row) for row in text.split("\n"))
        case _:
            assert_never(element)


def _text(text: str, style: str = "") -> RichText:
    """The text with control characters escaped, in this style."""
    return RichText.assemble((clean_lines(text), style))


def _line(spans: Iterable[Inline], style: str) -> RichText:
    return inline_text(spans, style, escape=clean_lines, make_link=_with_url)


def _with_url(label: RichText, url: str) -> RichText:
    if safe_link(url):
        label.stylize("underline")
        if label.plain != url:
            label.append_text(_text(f" ({url})", "dim"))
    return label


def _fields(rows: Iterable[tuple[str, tuple[Element, ...]]]) -> Iterator[RichText]:
    for name, elements in rows:
        first, *rest = list(text_lines(elements)) or [RichText()]
        if rest or first.plain.startswith(" "):
            yield _text(f"{name}:", "bold")
            yield from (first, *rest)
        else:
            yield _text(f"{name}: ", "bold").append_text(first)
