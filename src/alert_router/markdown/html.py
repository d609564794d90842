"""A tree as HTML for pages, everything escaped, links only where they are harmless; and the anchors
of its headings, with which heading a URL's fragment names.

Whoever serves it sanitizes it once more. Git hosts and site generators derive anchors from headings
in slightly different ways. A fragment that any of them would find is found.
"""

import re
import unicodedata
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from html import escape

from markdown_it.common.normalize_url import normalizeLink

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
    Renderer,
    Rule,
    SpanRenderer,
    Strike,
    Strong,
    Table,
    all_blocks,
    plain,
    slug,
    visible,
)

_DASHES = re.compile(r"[-_\s]+")


class AnchorNames:
    """Names the headings of one page, which come in its order: the explicit id, else GitHub's
    anchor, numbered where it repeats."""

    def __init__(self) -> None:
        self._used: set[str] = set()
        self._seen: Counter[str] = Counter()

    def of(self, heading: Heading) -> str:
        """The anchor of the next heading, different from all before."""
        name = next(iter(heading.anchors), "") or slug(plain(heading.children)) or "section"
        anchor = name
        while anchor in self._used:
            self._seen[name] += 1
            anchor = f"{name}-{self._seen[name]}"
        self._used.add(anchor)
        return anchor


class Anchors:
    """The anchors of a page."""

    def __init__(self, blocks: Iterable[Block]) -> None:
        self._headings: dict[str, Heading] = {}  # by the anchor on the router's page
        self._others: dict[str, str | None] = {}  # other spellings; None where several headings fit
        names = AnchorNames()
        for heading in all_blocks(blocks):
            if not isinstance(heading, Heading):
                continue
            anchor = names.of(heading)
            self._headings[anchor] = heading
            title = plain(heading.children)
            dotless = title.replace(".", "-")  # AsciiDoc
            spellings = (*heading.anchors, anchor, title, _ascii(title), dotless)
            for other in dict.fromkeys(spellings):
                if key := _loose(other):
                    same = self._others.setdefault(key, anchor) == anchor
                    self._others[key] = anchor if same else None

    @property
    def names(self) -> list[str]:
        """The anchors in the order of the page."""
        return list(self._headings)

    def items(self) -> Iterable[tuple[str, Heading]]:
        """The headings in the order of the page, with their anchors."""
        return self._headings.items()

    def __contains__(self, fragment: str) -> bool:
        """Whether a fragment names some heading."""
        name = fragment.removeprefix("user-content-")
        return name in self._headings or _loose(name) in self._others

    def find(self, fragment: str) -> str | None:
        """The anchor of the heading that a fragment names, case ignored; None if there is none or
        more than one."""
        fragment = fragment.removeprefix("user-content-")
        if fragment in self._headings:
            return fragment
        lower = fragment.lower()
        return lower if lower in self._headings else self._others.get(_loose(fragment))


def _loose(name: str) -> str:
    """Without the differences between hosts: case, runs of dashes, dashes at either end."""
    return _DASHES.sub("-", slug(name)).strip("-")


def _ascii(title: str) -> str:
    """The title as MkDocs takes it: without accents."""
    return unicodedata.normalize("NFKD", title).encode("ascii", "ignore").decode()


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
