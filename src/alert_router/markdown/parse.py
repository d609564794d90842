"""From Markdown text to the tree: the whole document at once, so that reference links resolve.

Any text yields a tree. What looks like HTML is judged here: formatting is dropped and its content
kept, `<pre>` is code, comments are dropped, and anything else, such as the placeholder
`<pod-name>`, is text as it was written. There is no HTML parser: what is inside block HTML may be a
placeholder on a line of its own.
"""

import html
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace

from markdown_it.token import Token

from alert_router.markdown import grammar
from alert_router.markdown.commandline import is_command
from alert_router.markdown.grammar import html_tokens
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
    plain,
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


# Names that are as likely to be somebody's placeholder (<label>, <time>, <table>, <address>)
# are left out on purpose: better a visible tag than a command that lacks a word.
_FORMATTING = frozenset(
    re.findall(
        r"\w+",
        "a abbr b big blockquote br center code dd del details dfn div dl dt em font h1 h2 h3 h4 "
        "h5 h6 hr i img ins kbd li mark nobr ol p picture pre q s samp small span strike strong "
        "sub summary sup tbody td tfoot th thead tr tt u ul var wbr",
    )
)
_TAG = re.compile(r"</?(?P<name>[A-Za-z][A-Za-z0-9-]*)(?P<attributes>(?s:.*))>")
_ATTRIBUTE = re.compile(
    r"""(?P<name>href|src|alt)\s*=\s*(?:"(?P<double>[^"]*)"|'(?P<single>[^']*)'|(?P<bare>[^\s>]+))""",
    re.IGNORECASE,
)
_LINE_ENDS = re.compile(r"[\r\n]+")
_CONTROL = re.compile(r"[\x00-\x1f\x7f]")
# `<host:port>` has the form of an autolink; only these schemes make it one.
_AUTOLINK = re.compile(r"(?:https?|ftp|mailto|slack|tel):", re.IGNORECASE)


class _Spans:
    """The spans read so far, with those that are still open around them."""

    def __init__(self) -> None:
        self._open: list[tuple[str, str, list[Inline]]] = [("", "", [])]

    def add(self, span: Inline) -> None:
        """Put a span where the text now stands; neighbouring words are joined."""
        siblings = self._open[-1][2]
        if isinstance(span, Text) and siblings and isinstance(siblings[-1], Text):
            siblings[-1] = Text(siblings[-1].text + span.text)
        elif not isinstance(span, Text) or span.text:
            siblings.append(span)

    def text(self, text: str) -> None:
        """Words; a line break that came in by an entity or inside a tag is a space."""
        self.add(Text(_LINE_ENDS.sub(" ", text)))

    def open(self, kind: str, url: str = "") -> None:
        """Begin a span with children."""
        self._open.append((kind, "" if self.in_link else url, []))

    def close(self, kind: str) -> None:
        """End it. HTML that does not nest gives its content back without the span."""
        if kind == "html" and self._open[-1][0] != "html":
            return
        while len(self._open) > 1:
            opened, url, children = self._open.pop()
            made = _span(opened, url, tuple(children)) if opened == kind else children
            for span in made:
                self.add(span)
            if opened == kind:
                return

    @property
    def in_link(self) -> bool:
        """Whether a link is open: links do not nest."""
        return any(url for _, url, _ in self._open)

    def done(self) -> tuple[Inline, ...]:
        """All spans, with whatever is open closed."""
        self.close("end")
        return tuple(self._open[0][2])


def _span(kind: str, url: str, children: tuple[Inline, ...]) -> Sequence[Inline]:
    match kind:
        case "strong":
            return (Strong(children),)
        case "em":
            return (Emphasis(children),)
        case "s":
            return (Strike(children),)
        case _ if url:
            return (_link(url, children or (Text(_LINE_ENDS.sub(" ", url)),)),)
        case _:
            return children


def _link(url: str, children: tuple[Inline, ...]) -> Link:
    # An entity can bring a line break into a destination; no URL has one.
    return Link(_CONTROL.sub(lambda match: f"%{ord(match[0]):02X}", url), children)


def spans(tokens: Sequence[Token]) -> tuple[Inline, ...]:
    """The spans of an inline token's children."""
    out = _Spans()
    skip = False
    for token in tokens:
        if token.markup == "autolink":
            # The three tokens of an autolink: only its text tells what was written.
            skip = token.type == "link_open"
            if skip:
                _autolink(out, str(token.attrs["href"]))
        elif not skip:
            _token(out, token)
    return commands_apart(out.done())


def commands_apart(spans: tuple[Inline, ...]) -> tuple[Inline, ...]:
    """Spans in which the lines of the source that are commands, or code alone, stay lines."""
    lines: list[list[Inline]] = [[]]
    for span in spans:
        if isinstance(span, Break):
            lines.append([])
        else:
            lines[-1].append(span)
    if len(lines) == 1:
        return spans
    alone = [is_command(plain(line)) or _is_code(line) for line in lines]
    number = 0
    out: list[Inline] = []
    for span in spans:
        if isinstance(span, Break):
            out.append(Break(span.hard or alone[number] or alone[number + 1]))
            number += 1
        else:
            out.append(span)
    return tuple(out)


def _is_code(line: Sequence[Inline]) -> bool:
    kept = [span for span in line if not (isinstance(span, Text) and not span.text.strip())]
    return len(kept) == 1 and isinstance(kept[0], CodeSpan) and " " in kept[0].text.strip()


def raw_spans(text: str) -> tuple[Inline, ...]:
    """Text as lines of words, without looking for any markup in it."""
    out = _Spans()
    for number, line in enumerate(text.split("\n")):
        if number:
            out.add(Break(hard=False))
        out.text(line)
    return out.done()


def _token(out: _Spans, token: Token) -> None:
    match token.type:
        case "text":
            out.text(token.content)
        case "code_inline":
            out.add(CodeSpan(token.content))
        case "softbreak" | "hardbreak":
            out.add(Break(hard=token.type == "hardbreak"))
        case "html_inline":
            _tag(out, token.content)
        case "image":
            children = spans(token.children or ()) or (Text("image"),)
            _image(out, str(token.attrs["src"]), children)
        case "link_open":
            out.open("link", str(token.attrs["href"]))
        case kind if kind.endswith("_open"):
            out.open(kind.removesuffix("_open"))
        case kind if kind.endswith("_close"):
            out.close(kind.removesuffix("_close"))
        case _:
            out.text(token.content)


def _autolink(out: _Spans, url: str) -> None:
    if not _AUTOLINK.match(url):
        out.text(f"<{url}>")
    elif out.in_link:
        out.text(url)
    else:
        out.add(_link(url, (Text(url.removeprefix("mailto:")),)))


def _image(out: _Spans, url: str, children: tuple[Inline, ...]) -> None:
    if url and not out.in_link:
        out.add(_link(url, children))
    else:
        for child in children:
            out.add(child)


def _tag(out: _Spans, tag: str) -> None:
    if tag.startswith("<!--"):
        return
    match = _TAG.fullmatch(tag)
    name = match["name"].lower() if match else ""
    if match is None or name not in _FORMATTING:
        out.text(tag)
    elif name == "br":
        out.add(Break(hard=True))
    elif name == "img":
        given = _attributes(match["attributes"])
        _image(out, given.get("src", ""), (Text(given.get("alt") or "image"),))
    elif name == "a" and tag.startswith("</"):
        out.close("html")
    elif name == "a" and (url := _attributes(match["attributes"]).get("href", "")):
        out.open("html", url)


def _attributes(text: str) -> dict[str, str]:
    return {
        match["name"].lower(): _LINE_ENDS.sub(
            " ", html.unescape(match["double"] or match["single"] or match["bare"] or "")
        ).strip()
        for match in _ATTRIBUTE.finditer(text)
    }


# An unclosed comment hides the rest of its block, as it does in every browser.
_COMMENT = re.compile(r"<!--(?:-?>|.*?(?:-->|\Z))", re.DOTALL)
_PRE = re.compile(r"<pre\b[^>]*>(?P<code>.*?)(?:</pre\s*>|\Z)", re.DOTALL | re.IGNORECASE)
_CODE_TAG = re.compile(r"</?(?:code|span|b|strong|i|em)\b[^>]*>", re.IGNORECASE)
_BETWEEN = re.compile(
    r"</?(?:p|div|section|center|details|summary|h[1-6]|ul|ol|li|dl|dt|dd|table|thead|tbody|tfoot"
    r"|tr|colgroup|col|caption|blockquote|figure|figcaption|html|head|body)\b[^<>]*>",
    re.IGNORECASE,
)
_CELL = re.compile(r"(?<=\S)(?:\s*</t[hd]\s*>)?\s*<t[hd]\b[^<>]*>", re.IGNORECASE)
_RULE = re.compile(r"\s*<hr\b[^<>]*>\s*", re.IGNORECASE)


def html_blocks(text: str, line: int) -> tuple[Block, ...]:
    """The blocks of an HTML block that begins on this line of the file."""
    if _RULE.fullmatch(text):
        return (Rule(line),)
    # Line ends stay where a comment was, so that lines still count.
    text = _COMMENT.sub(lambda match: "\n" * match[0].count("\n"), text)
    out: list[Block] = []
    end = 0
    for match in _PRE.finditer(text):
        out.extend(_paragraphs(text[end : match.start()], line + text.count("\n", 0, end)))
        code = html.unescape(_CODE_TAG.sub("", match["code"]))
        begin = match.start("code") + len(code) - len(code.lstrip("\r\n"))
        if code.strip():
            at = line + text.count("\n", 0, match.start())
            text_line = line + text.count("\n", 0, begin)
            out.append(Code(code.strip("\r\n"), line=at, text_line=text_line))
        end = match.end()
    out.extend(_paragraphs(text[end:], line + text.count("\n", 0, end)))
    return tuple(out)


def _paragraphs(text: str, line: int) -> Iterator[Paragraph]:
    for piece in _BETWEEN.split(text):
        before = piece[: len(piece) - len(piece.lstrip())]
        children = _trim(spans(html_tokens(_CELL.sub(" | ", piece.strip()))))
        if children:
            yield Paragraph(children, line + before.count("\n"))
        line += piece.count("\n")


def _trim(children: tuple[Inline, ...]) -> tuple[Inline, ...]:
    """Without blank words and breaks at either end."""
    kept = list(children)
    while kept and _blank(kept[0]):
        kept.pop(0)
    while kept and _blank(kept[-1]):
        kept.pop()
    return tuple(kept)


def _blank(span: Inline) -> bool:
    return isinstance(span, Break) or (isinstance(span, Text) and not span.text.strip())
