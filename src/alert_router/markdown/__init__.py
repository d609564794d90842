"""Markdown as a small closed tree of blocks and spans, and what is made of it.

What a section or a step is belongs to `runbook`; how a tree looks at a destination to its
notifier.
"""

from alert_router.markdown.html import to_html
from alert_router.markdown.parse import parse, parse_document
from alert_router.markdown.text import plain, slug, to_text, visible
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
    "Rule",
    "Strike",
    "Strong",
    "Table",
    "Text",
    "parse",
    "parse_document",
    "plain",
    "slug",
    "to_html",
    "to_text",
    "visible",
]
