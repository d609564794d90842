"""Markdown as a small closed tree of blocks and spans, the renderer that visits it, and its forms
as HTML and as text."""

from alert_router.markdown.anchors import Anchors
from alert_router.markdown.html import to_html
from alert_router.markdown.inline import commands_apart
from alert_router.markdown.parse import parse, parse_document
from alert_router.markdown.renderer import Renderer, SpanRenderer
from alert_router.markdown.text import plain, rows_as_list, slug, to_text, visible
from alert_router.markdown.tree import (
    Block,
    Break,
    Code,
    CodeSpan,
    Document,
    Emphasis,
    Heading,
    Inline,
    Item,
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

__all__ = [
    "Anchors",
    "Block",
    "Break",
    "Code",
    "CodeSpan",
    "Document",
    "Emphasis",
    "Heading",
    "Inline",
    "Item",
    "Link",
    "ListBlock",
    "Paragraph",
    "Quote",
    "Renderer",
    "Rule",
    "SpanRenderer",
    "Strike",
    "Strong",
    "Table",
    "Text",
    "commands_apart",
    "parse",
    "parse_document",
    "plain",
    "rows_as_list",
    "slug",
    "to_html",
    "to_text",
    "visible",
]
