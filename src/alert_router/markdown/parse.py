"""From Markdown text to the tree: the whole document at once, so that reference links resolve.

Any text yields a tree.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass, field, replace

from markdown_it.token import Token

from alert_router.markdown import grammar
from alert_router.markdown.htmlblock import html_blocks
from alert_router.markdown.inline import raw_spans, spans
from alert_router.markdown.tree import (
    Block,
    Code,
    Document,
    Heading,
    Inline,
    Item,
    ListBlock,
    Paragraph,
    Quote,
    Rule,
    Table,
    Text,
)

_LINE_END = re.compile(r"\r\n?")
_FRONT_MATTER = re.compile(
    r"---[ \t]*\n(?P<text>(?:(?!---[ \t]*\n|\.\.\.[ \t]*\n).*\n)*?)(?:---|\.\.\.)[ \t]*(?:\n|\Z)"
    r"|\+\+\+[ \t]*\n(?P<toml>(?:(?!\+\+\+[ \t]*\n).*\n)*?)\+\+\+[ \t]*(?:\n|\Z)"
)
_HTML_ANCHOR = re.compile(
    r"""<(?:a|span|div|p)\b[^<>]*?\b(?:id|name)\s*=\s*["']?([^"'\s<>]+)""", re.IGNORECASE
)
_ATTRIBUTES = re.compile(r"\{:?\s*(?P<items>[#.][^{}]*)\}\s*")  # `{#id .class}`, `{: #id }`
_MAX_ANCHOR = 200
_MAX_UNDERLINED = 120  # characters of a heading that is underlined
_SENTENCE_ENDS = (".", ":", ";", "!", "。", "：", "！")
_BEFORE_A_HEADING = frozenset({"heading_open", "paragraph_open", "html_block"})
_LANGUAGE = re.compile(r"\{?\.?(?P<name>[^\s{},]*)")
_CONTENTS = re.compile(r"\[\[_TOC_\]\]|\[TOC\]|\{:toc\}", re.IGNORECASE)


def parse(text: str) -> tuple[Block, ...]:
    """The blocks of a Markdown text; front matter is not a block."""
    return parse_document(text).blocks


def parse_document(text: str, *, mdx: bool = False) -> Document:
    """The whole of a Markdown file, or of an MDX file. Lines of blocks count from 1 in the file."""
    text = _LINE_END.sub("\n", text.removeprefix("\ufeff"))
    front = _FRONT_MATTER.match(text)
    offset = 0
    if front:
        offset = front[0].count("\n")
        text = text[front.end() :]
    tokens, unread = grammar.tokens(text, mdx=mdx)
    reader = _Reader(tokens, offset)
    blocks = reader.blocks()
    matter = (front["text"], front["toml"]) if front else (None, None)
    return Document(
        blocks=blocks,
        front_matter=matter[0] if matter[1] is None else matter[1],
        is_toml=matter[1] is not None,
        unclosed=tuple(reader.unclosed),
        unread=tuple((line + 1 + offset, markup) for line, markup in unread),
    )


@dataclass(slots=True)
class _Reader:
    """Reads tokens from the left. Recursion is bounded by the grammar's nesting."""

    tokens: list[Token]
    offset: int
    at: int = 0
    unclosed: list[int] = field(default_factory=list)
    anchors: list[str] = field(default_factory=list)  # of anchors before the next heading

    def blocks(self, end: str = "") -> tuple[Block, ...]:
        """All blocks up to the token that closes what holds them, or to the end."""
        out: list[Block] = []
        while self.at < len(self.tokens):
            token = self._next()
            if token.type == end:
                break
            out.extend(self._block(token))
        return _joined(out)

    def _next(self) -> Token:
        token = self.tokens[self.at]
        self.at += 1
        return token

    def _line(self, token: Token) -> int:
        return token.map[0] + 1 + self.offset if token.map else 0

    def _last_line(self, token: Token) -> int:
        return token.map[1] + self.offset if token.map else 0

    def _block(self, token: Token) -> tuple[Block, ...]:
        line = self._line(token)
        if token.type not in _BEFORE_A_HEADING:
            self.anchors = []
        match token.type:
            case "paragraph_open":
                return self._paragraph(line)
            case "heading_open":
                if token.markup == "-" and _is_prose(self.tokens[self.at].content):
                    children = self._inlines("heading_close")
                    return (Paragraph(children, line), Rule(self._last_line(token)))
                return (self._heading(int(token.tag[1:]), line),)
            case "fence" | "code_block":
                return (self._code(token, line),)
            case "bullet_list_open" | "ordered_list_open":
                return (self._list(token, line),)
            case "blockquote_open":
                return (Quote(self.blocks("blockquote_close"), line),)
            case "table_open":
                return (self._table(line),)
            case "hr":
                return (Rule(line),)
            case "html_block":
                self.anchors = _html_anchors(token.content)
                return html_blocks(token.content, line)
            case _:
                return ()

    def _inlines(self, end: str) -> tuple[Inline, ...]:
        children: tuple[Inline, ...] = ()
        while (token := self._next()).type != end:
            children = spans(token.children) if token.children else raw_spans(token.content)
        return children

    def _heading(self, level: int, line: int) -> Heading:
        explicit = _html_anchors(self.tokens[self.at].content)
        children, own = _without_attributes(self._inlines("heading_close"))
        anchors = tuple(dict.fromkeys((*own, *explicit, *self.anchors)))
        self.anchors = []
        return Heading(level, children, line, anchors)

    def _paragraph(self, line: int) -> tuple[Block, ...]:
        raw = self.tokens[self.at].content
        children = self._inlines("paragraph_close")
        self.anchors = [] if children else _html_anchors(raw)
        if not children or _CONTENTS.fullmatch(raw.strip()):
            return ()
        return (Paragraph(children, line),)

    def _code(self, token: Token, line: int) -> Code:
        info = token.info.strip()
        if token.type == "fence" and token.map:
            # A closed fence has two lines that are not its content, an unclosed one has one.
            start, end = token.map
            if token.content.count("\n") == end - start - 1:
                self.unclosed.append(line)
        language = _LANGUAGE.match(info.lower())
        name = language["name"] if language else ""
        text_line = line + (token.type == "fence")
        return Code(token.content.removesuffix("\n"), name, info, line=line, text_line=text_line)

    def _list(self, opening: Token, line: int) -> ListBlock:
        ordered = opening.type == "ordered_list_open"
        items: list[Item] = []
        while (token := self._next()).type == "list_item_open":
            at = self._line(token)
            items.append(Item(self.blocks("list_item_close"), token.meta.get("checked"), at))
        return ListBlock(ordered, tuple(items), int(opening.attrs.get("start", 1)), line)

    def _table(self, line: int) -> Table:
        rows: list[tuple[tuple[Inline, ...], ...]] = []
        row: list[tuple[Inline, ...]] = []
        while (token := self._next()).type != "table_close":
            match token.type:
                case "tr_open":
                    row = []
                case "th_open" | "td_open":
                    row.append(self._inlines(token.type.replace("open", "close")))
                case "tr_close":
                    rows.append(tuple(row))
        return Table(rows[0] if rows else (), tuple(rows[1:]), line)


def _is_prose(text: str) -> bool:
    """Whether a text with a line of dashes directly below is a paragraph, not a heading."""
    return "\n" in text or len(text) > _MAX_UNDERLINED or text.rstrip().endswith(_SENTENCE_ENDS)


def _html_anchors(source: str) -> list[str]:
    """The ids of HTML tags."""
    return [anchor for anchor in _HTML_ANCHOR.findall(source) if len(anchor) <= _MAX_ANCHOR]


def _without_attributes(children: tuple[Inline, ...]) -> tuple[tuple[Inline, ...], list[str]]:
    """A heading without the attributes at its end, and the ids among them."""
    last = children[-1] if children else None
    start = last.text.rfind("{") if isinstance(last, Text) else -1
    if start < 0 or not isinstance(last, Text):
        return children, []
    match = _ATTRIBUTES.fullmatch(last.text, start)
    if match is None:
        return children, []
    ids = [item[1:] for item in match["items"].split() if item.startswith("#") and item[1:]]
    rest = last.text[:start].rstrip()
    kept = (*children[:-1], Text(rest)) if rest else children[:-1]
    return kept, [anchor for anchor in ids if len(anchor) <= _MAX_ANCHOR]


def _joined(blocks: Sequence[Block]) -> tuple[Block, ...]:
    """The blocks, in which a list whose numbers go on after code or text is one list."""
    out: list[Block] = []
    first: ListBlock | None = None
    items: list[Item] = []
    between: list[Block] = []
    was_single = False

    def close() -> None:
        if first is not None:
            out.append(replace(first, items=tuple(items)))
        out.extend(between)
        between.clear()

    for block in blocks:
        if isinstance(block, ListBlock) and block.ordered:
            # Some write `1.` before every item.
            is_one = block.start == 1 and was_single and all(isinstance(b, Code) for b in between)
            was_single = len(block.items) == 1
            if first and items and between and (block.start == first.start + len(items) or is_one):
                items[-1] = replace(items[-1], blocks=(*items[-1].blocks, *between))
                items.extend(block.items)
                between.clear()
            else:
                close()
                first, items = block, list(block.items)
        elif first is None:
            out.append(block)
        elif isinstance(block, Heading | Rule):
            close()
            out.append(block)
            first = None
        else:
            between.append(block)
    close()
    return tuple(out)
