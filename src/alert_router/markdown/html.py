"""A tree as HTML for pages: everything escaped, links only where they are harmless.

Whoever serves it sanitizes it once more.
"""

import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from html import escape

from markdown_it.common.normalize_url import normalizeLink

from alert_router.markdown.anchors import AnchorNames
from alert_router.markdown.renderer import Renderer, SpanRenderer
from alert_router.markdown.text import plain, visible
from alert_router.markdown.tree import (
    Block,
    Code,
    Emphasis,
    Heading,
    Inline,
    Item,
    ListBlock,
    Paragraph,
    Quote,
    Rule,
    Strike,
    Strong,
    Table,
)

_SCHEMES = frozenset({"http", "https", "mailto"})
# The text before the first colon is a scheme, unless a slash, ? or # comes earlier. Browsers ignore
# white space and control characters in it.
_SCHEME = re.compile(r"([^:/?#]*):")
_IGNORED = re.compile(r"[\x00-\x20\x7f-\xa0]")
_TAGS = {Strong: "strong", Emphasis: "em", Strike: "del"}
_NOT_IN_CLASS = re.compile(r"[^\w+#.-]")


# The class and the words of a line before a code block, or None.
Mark = Callable[[Code], tuple[str, str] | None]


def to_html(
    blocks: Sequence[Block],
    before_code: Mark = lambda _: None,
    picture: Callable[[str], str | None] = lambda _: None,
) -> str:
    """The tree as HTML. Headings have the ids of `AnchorNames`, code blocks
    `class="language-..."` and the line that `before_code` gives. A link for which `picture` gives
    an address shows that picture."""
    return "".join(_Html(before_code, picture).blocks(blocks))


def _safe_url(url: str) -> str | None:
    """The URL percent-encoded if it leads to a page or a mailbox, else None."""
    match = _SCHEME.match(_IGNORED.sub("", url))
    if match and match[1].lower() not in _SCHEMES:
        return None
    try:
        return normalizeLink(url)
    except (ValueError, IndexError):  # not a URL
        return None


class _Html(Renderer[str], SpanRenderer[str]):
    """One page: its anchors are unique."""

    def __init__(self, before_code: Mark, picture: Callable[[str], str | None]) -> None:
        self._anchors = AnchorNames()
        self._before_code = before_code
        self._picture = picture

    def heading(self, block: Heading) -> Iterator[str]:
        anchor = escape(self._anchors.of(block))
        tag = f"h{block.level}"
        yield f'<{tag} id="{anchor}">{self.spans(block.children)}</{tag}>\n'

    def paragraph(self, block: Paragraph) -> Iterator[str]:
        yield f"<p>{self.spans(block.children)}</p>\n"

    def code(self, block: Code) -> Iterator[str]:
        language = _NOT_IN_CLASS.sub("", block.language)
        kind = f' class="language-{escape(language)}"' if language else ""
        if mark := self._before_code(block):
            yield f'<p class="{escape(mark[0])}">{escape(visible(mark[1]))}</p>\n'
        yield f"<pre><code{kind}>{escape(visible(block.text))}\n</code></pre>\n"
        if block.values:
            values = (
                f"<dt>{self.code_span(name)}</dt><dd>{self.code_span(value)}</dd>"
                for name, value in block.values
            )
            yield f'<dl class="values">{"".join(values)}</dl>\n'

    def list_block(self, block: ListBlock) -> Iterator[str]:
        tag = "ol" if block.ordered else "ul"
        start = f' start="{block.start}"' if block.ordered and block.start != 1 else ""
        items = "".join(map(self._item, block.items))
        yield f"<{tag}{start}>\n{items}</{tag}>\n"

    def _item(self, item: Item) -> str:
        box = ""
        if item.checked is not None:
            box = f'<input type="checkbox" disabled{" checked" if item.checked else ""}> '
        match item.blocks:
            case (Paragraph(children), *rest):
                first, end = box + self.spans(children), "\n" if rest else ""
                # One paragraph needs no space around it; several must be kept apart.
                if any(isinstance(block, Paragraph) for block in rest):
                    first = f"<p>{first}</p>"
                return f"<li>{first}{end}{''.join(self.blocks(rest))}</li>\n"
            case blocks:
                return f"<li>{box}{''.join(self.blocks(blocks))}</li>\n"

    def quote(self, block: Quote) -> Iterator[str]:
        yield f"<blockquote>\n{''.join(self.blocks(block.blocks))}</blockquote>\n"

    def table(self, block: Table) -> Iterator[str]:
        head = "".join(f"<th>{self.spans(cell)}</th>" for cell in block.header)
        body = "".join(
            "<tr>" + "".join(f"<td>{self.spans(cell)}</td>" for cell in row) + "</tr>\n"
            for row in block.rows
        )
        yield (f"<table>\n<thead><tr>{head}</tr></thead>\n<tbody>\n{body}</tbody>\n</table>\n")

    def rule(self, block: Rule) -> Iterator[str]:
        yield "<hr>\n"

    def text(self, text: str) -> str:
        return escape(visible(text))

    def code_span(self, text: str) -> str:
        return f"<code>{escape(visible(text))}</code>"

    def line_break(self, hard: bool) -> str:
        return "<br>\n" if hard else "\n"

    def link(self, url: str, children: Sequence[Inline]) -> str:
        shown = self._picture(url)
        safe, words = _safe_url(shown or url), self.spans(children)
        if shown and safe:
            words = f'<img src="{escape(safe)}" alt="{escape(visible(plain(children)))}">'
        return words if safe is None else f'<a href="{escape(safe)}">{words}</a>'

    def marked(self, span: Strong | Emphasis | Strike) -> str:
        tag = _TAGS[type(span)]
        return f"<{tag}>{self.spans(span.children)}</{tag}>"

    def joined(self, spans: Iterable[str]) -> str:
        return "".join(spans)
