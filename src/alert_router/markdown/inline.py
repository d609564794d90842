"""Spans from markdown-it's inline tokens.

What looks like HTML is judged here: formatting is dropped and its content kept, anything else,
such as the placeholder `<pod-name>`, is text as it was written.
"""

import html
import re
from collections.abc import Sequence

from markdown_it.token import Token

from alert_router.markdown.commandline import is_command
from alert_router.markdown.text import plain
from alert_router.markdown.tree import (
    Break,
    CodeSpan,
    Emphasis,
    Inline,
    Link,
    Strike,
    Strong,
    Text,
)

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
_LINE_END = re.compile(r"[\r\n]+")
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
        self.add(Text(_LINE_END.sub(" ", text)))

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
            return (_link(url, children or (Text(_LINE_END.sub(" ", url)),)),)
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
        match["name"].lower(): _LINE_END.sub(
            " ", html.unescape(match["double"] or match["single"] or match["bare"] or "")
        ).strip()
        for match in _ATTRIBUTE.finditer(text)
    }
