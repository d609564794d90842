"""Writes a drawing as lines of text. Code is indented by four spaces and has nothing beside it, so
that it can be copied."""

from collections.abc import Iterable, Iterator
from typing import assert_never

from rich.text import Text

from alert_router.cli.preview.drawing import (
    Buttons,
    CodeBlock,
    Collapsible,
    Divider,
    Element,
    Fields,
    HtmlDocument,
    Panel,
    Span,
    TextLine,
)

_LINE_STYLES = {"head": "bold", "title": "bold", "small": "dim", "quote": "italic"}
_DIVIDER_WIDTH = 60


def text_lines(elements: Iterable[Element]) -> Iterator[Text]:
    """The lines of a message."""
    for element in elements:
        yield from _element(element)


def _element(element: Element) -> Iterator[Text]:
    match element:
        case TextLine(spans, style):
            rows = _line(spans, _LINE_STYLES.get(style, "")).split("\n", allow_blank=True)
            yield from (Text.assemble("> ", row) for row in rows) if style == "quote" else rows
        case CodeBlock(text):
            yield from (Text(f"    {row}", "cyan") for row in text.split("\n"))
        case Divider():
            yield Text("─" * _DIVIDER_WIDTH, "dim")
        case Buttons(pairs):
            for label, url in pairs:
                yield Text.assemble((f"[{label}]", "bold"), f" {url}")
        case Fields(rows):
            yield from _fields(rows)
        case Panel(inner, color):
            bar = Text("▌ ", "dim" if color == "grey" else color)
            for it in inner:
                beside = Text() if isinstance(it, CodeBlock) else bar
                yield from (Text.assemble(beside, line) for line in _element(it))
        case Collapsible(title, inner):
            yield Text(f"▾ {title}", "bold")
            yield from text_lines(inner)
        case HtmlDocument(_, text):
            yield from (Text(row) for row in text.split("\n"))
        case _:
            assert_never(element)


def _line(spans: Iterable[Span], style: str) -> Text:
    line = Text(style=style)
    for span in spans:
        formats = {
            "bold": span.bold,
            "italic": span.italic,
            "strike": span.strike,
            "cyan": span.code,
            "underline": bool(span.url),
        }
        line.append(span.text, " ".join(name for name, is_on in formats.items() if is_on))
        if span.url and span.url != span.text:
            line.append(f" ({span.url})", "dim")
    return line


def _fields(rows: Iterable[tuple[str, tuple[Element, ...]]]) -> Iterator[Text]:
    for name, elements in rows:
        first, *rest = list(text_lines(elements)) or [Text()]
        if rest or first.plain.startswith(" "):
            yield Text(f"{name}:", "bold")
            yield from (first, *rest)
        else:
            yield Text.assemble((f"{name}: ", "bold"), first)
