"""A Markdown tree as Slack's markup ("mrkdwn"): text pieces and code pieces, nothing re-parsed.

Only what a runbook's author wrote comes through here; what alerts say is sent as plain text,
which Slack does not parse at all. Packing pieces into a message's limits is the notifier's.
"""

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Literal
from urllib.parse import quote

from alert_router.markdown import (
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
    Strike,
    Strong,
    Table,
    Text,
    plain,
    visible,
)
from alert_router.notify import summary

_ESCAPES = str.maketrans({"&": "&amp;", "<": "&lt;", ">": "&gt;"})
# A formatting character at the border of a word would format; a zero-width space behind it, and
# it is only itself.
_FORMATTING = re.compile(r"(?<!\w)[*_~`]|[*_~`](?!\w)")
_SCHEMES = ("http://", "https://", "mailto:")
_LONGEST_URL = 1400  # characters, encoded: two of them fit into one line of text
_MARKS = {Strong: "*", Emphasis: "_", Strike: "~"}


@dataclass(frozen=True, slots=True)
class Piece:
    """Some of a message: `text` is mrkdwn; `code` goes between fences, escaped; `plain` is not
    parsed by Slack, escaped; so is `verbatim`, which is code."""

    kind: Literal["text", "code", "plain", "verbatim"]
    text: str


def escape(text: str) -> str:
    """The three characters that Slack gives a meaning to; without them no mention can arise."""
    return visible(text).translate(_ESCAPES)


def literal(text: str) -> str:
    """Words in which no character formats."""
    return _FORMATTING.sub(lambda found: found[0] + "\u200b", escape(text))


def inline(spans: Iterable[Inline]) -> str:
    """Spans as mrkdwn, on one line but for hard breaks."""
    return "".join(_span(span) for span in spans)


def _span(span: Inline) -> str:
    match span:
        case Text(text):
            return literal(text)
        case CodeSpan(text):
            # There is no way to write a backtick within code on a line.
            code = escape(text).replace("`", "\N{MODIFIER LETTER GRAVE ACCENT}")
            return f"`{code}`" if code.strip() else code
        case Link(url, children):
            return link(url, plain(children))
        case Break(hard):
            return "\n" if hard else " "
        case Strong(children) | Emphasis(children) | Strike(children):
            inner = inline(children).strip()
            mark = _MARKS[type(span)]
            # Slack formats one line at a time, and not around code that ends the word.
            return f"{mark}{inner}{mark}" if inner and "\n" not in inner else inner


def is_address(url: str) -> bool:
    """Whether it can be linked: http, https or mailto, and not absurdly long."""
    return url.lower().startswith(_SCHEMES) and len(_encoded(url)) <= _LONGEST_URL


def link(url: str, label: str) -> str:
    """`<url|label>`; only the label where the address is not one for a browser."""
    words = literal(label.replace("|", "\N{BROKEN BAR}").replace("\n", " "))
    if not is_address(url):
        return words
    address = _encoded(url)
    return f"<{address}|{words}>" if words.strip() else f"<{address}>"


def _encoded(url: str) -> str:
    """The address with everything encoded that means something to Slack or is no URL."""
    scheme, colon, rest = url.partition(":")
    safe = quote(scheme.lower() + colon + rest, safe="%/:=&?~#+!$,;'@()*[]-._", errors="replace")
    return safe.replace("&", "&amp;")


def pieces(blocks: Sequence[Block], indent: str = "") -> Iterator[Piece]:
    """Blocks as pieces, in order; what cannot be shown as code or text is plain."""
    for block in blocks:
        match block:
            case Code():
                yield from _code(block)
            case Paragraph(children):
                yield Piece("text", indent + inline(children))
            case Heading(_, children):
                yield Piece("text", f"{indent}*{literal(plain(children))}*")
            case ListBlock():
                yield from _list(block, indent)
            case Quote(inner):
                yield from (_quoted(piece) for piece in pieces(inner))
            case Table(header, rows):
                lines = [" | ".join(plain(cell) for cell in row) for row in (header, *rows)]
                yield from _code(Code("\n".join(lines)))
            case _:
                continue


def _quoted(piece: Piece) -> Piece:
    # Slack's quotes do not nest; a `>` of the text itself is escaped by now.
    if piece.kind != "text" or piece.text.startswith("> "):
        return piece
    return Piece("text", "> " + piece.text.replace("\n", "\n> "))


def _code(block: Code) -> Iterator[Piece]:
    text = block.text.strip("\n")
    if text.strip():
        # Three backticks within would end the fence, and what follows would be markup.
        yield Piece("verbatim" if "```" in text else "code", escape(text))
    for name, value in block.values:
        yield Piece("plain", escape(summary.shown_value(name, value)))


def _list(block: ListBlock, indent: str) -> Iterator[Piece]:
    for number, item in enumerate(block.items, block.start):
        yield from _item(item, f"{number}." if block.ordered else "•", indent)


def _item(item: Item, bullet: str, indent: str) -> Iterator[Piece]:
    if item.checked is not None:
        bullet = "☑" if item.checked else "☐"
    first, rest = item.blocks[:1], item.blocks[1:]
    if first and isinstance(first[0], Paragraph):
        yield Piece("text", f"{indent}{bullet} {inline(first[0].children)}")
    else:
        yield Piece("text", f"{indent}{bullet}")
        rest = item.blocks
    yield from pieces(rest, indent + "    ")
