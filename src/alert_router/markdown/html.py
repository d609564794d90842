"""A tree as HTML for pages: everything escaped, links only where they can do no harm.

Sanitising once more, and the page around it, is for who serves it.
"""

import re
from collections import Counter
from collections.abc import Iterable, Sequence
from html import escape

from markdown_it.common.normalize_url import normalizeLink

from alert_router.markdown.text import plain, slug, visible
from alert_router.markdown.tree import (
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
    Rule,
    Strike,
    Strong,
    Table,
    Text,
)

_SCHEMES = frozenset({"http", "https", "mailto"})
# What stands before the first colon is a scheme, unless a slash, ? or # comes earlier. Browsers
# overlook white space and control characters in it.
_SCHEME = re.compile(r"([^:/?#]*):")
_IGNORED = re.compile(r"[\x00-\x20\x7f-\xa0]")
_NOT_IN_CLASS = re.compile(r"[^\w+#.-]")


def to_html(blocks: Sequence[Block]) -> str:
    """The tree as HTML. Headings have GitHub's anchors, code blocks `class="language-..."`."""
    return _Page().blocks(blocks)


def _safe_url(url: str) -> str | None:
    """The URL percent-encoded if it leads to a page or a mailbox, else None."""
    match = _SCHEME.match(_IGNORED.sub("", url))
    if match and match[1].lower() not in _SCHEMES:
        return None
    try:
        return normalizeLink(url)
    except (ValueError, IndexError):  # no URL at all
        return None


class _Page:
    """One page: what must be unique in it is counted here."""

    def __init__(self) -> None:
        self._anchors: Counter[str] = Counter()

    def blocks(self, blocks: Sequence[Block]) -> str:
        """The blocks, one after the other."""
        return "".join(self._block(block) for block in blocks)

    def _block(self, block: Block) -> str:
        match block:
            case Heading(level, children):
                anchor = escape(self._anchor(plain(children)))
                return f'<h{level} id="{anchor}">{_spans(children)}</h{level}>\n'
            case Paragraph(children):
                return f"<p>{_spans(children)}</p>\n"
            case Code():
                return _code(block)
            case ListBlock():
                return self._list(block)
            case Quote(inner):
                return f"<blockquote>\n{self.blocks(inner)}</blockquote>\n"
            case Table(header, rows):
                return _table(header, rows)
            case Rule():
                return "<hr>\n"

    def _anchor(self, text: str) -> str:
        name = slug(text) or "section"
        seen = self._anchors[name]
        self._anchors[name] += 1
        return f"{name}-{seen}" if seen else name

    def _list(self, block: ListBlock) -> str:
        tag = "ol" if block.ordered else "ul"
        start = f' start="{block.start}"' if block.ordered and block.start != 1 else ""
        items = "".join(self._item(item) for item in block.items)
        return f"<{tag}{start}>\n{items}</{tag}>\n"

    def _item(self, item: Item) -> str:
        box = ""
        if item.checked is not None:
            box = f'<input type="checkbox" disabled{" checked" if item.checked else ""}> '
        match item.blocks:
            case (Paragraph(children), *rest):
                inner = _spans(children)
                if rest:
                    # One paragraph needs no room around it; several must be told apart.
                    loose = any(isinstance(block, Paragraph) for block in rest)
                    first = f"<p>{box}{inner}</p>" if loose else box + inner
                    return f"<li>{first}\n{self.blocks(rest)}</li>\n"
                return f"<li>{box}{inner}</li>\n"
            case blocks:
                return f"<li>{box}{self.blocks(blocks)}</li>\n"


def _spans(inlines: Iterable[Inline]) -> str:
    return "".join(_span(span) for span in inlines)


def _span(span: Inline) -> str:
    match span:
        case Text(text):
            return escape(visible(text))
        case CodeSpan(text):
            return f"<code>{escape(visible(text))}</code>"
        case Strong(children):
            return f"<strong>{_spans(children)}</strong>"
        case Emphasis(children):
            return f"<em>{_spans(children)}</em>"
        case Strike(children):
            return f"<del>{_spans(children)}</del>"
        case Link(url, children):
            safe = _safe_url(url)
            if safe is None:
                return _spans(children)
            return f'<a href="{escape(safe)}">{_spans(children)}</a>'
        case Break(hard):
            return "<br>\n" if hard else "\n"


def _code(code: Code) -> str:
    language = _NOT_IN_CLASS.sub("", code.language)
    kind = f' class="language-{escape(language)}"' if language else ""
    block = f"<pre><code{kind}>{escape(visible(code.text))}\n</code></pre>\n"
    if not code.values:
        return block
    values = "".join(
        f"<dt><code>{escape(visible(name))}</code></dt><dd><code>{escape(visible(value))}</code></dd>"
        for name, value in code.values
    )
    return f'{block}<dl class="values">{values}</dl>\n'


def _table(
    header: Sequence[tuple[Inline, ...]], rows: Sequence[Sequence[tuple[Inline, ...]]]
) -> str:
    head = "".join(f"<th>{_spans(cell)}</th>" for cell in header)
    body = "".join(
        "<tr>" + "".join(f"<td>{_spans(cell)}</td>" for cell in row) + "</tr>\n" for row in rows
    )
    return f"<table>\n<thead><tr>{head}</tr></thead>\n<tbody>\n{body}</tbody>\n</table>\n"
