"""A notification as Slack messages.

What alerts say goes into plain_text objects, which Slack does not parse, so that no value can
format, link or ping; what runbooks say is mrkdwn.
"""

import re
from collections.abc import Iterable, Iterator, Sequence
from typing import Any
from urllib.parse import quote

from pydantic_core import to_json

from alert_router.markdown import (
    Code,
    Emphasis,
    Inline,
    Quote,
    Strike,
    Strong,
    Table,
    plain,
    rows_as_list,
)
from alert_router.notification import Detail, Notification
from alert_router.notify import message, wording
from alert_router.notify.message import fit, outline
from alert_router.notify.render import LineRenderer
from alert_router.notify.slack import blocks as kit
from alert_router.notify.slack.blocks import Block, Piece, cut, escape

_MAX_FALLBACK = 1000  # characters of the text that a phone's notification shows
# A formatting character at the border of a word would format; with a zero-width space behind it,
# it is plain text.
_FORMATTING = re.compile(r"(?<!\w)[*_~`]|[*_~`](?!\w)")
_SCHEMES = ("http://", "https://", "mailto:")
_MAX_STEPS = 20  # to choose from: they take room in the message
_LONGEST_ID = 500
_LONGEST_URL = 1400  # characters, encoded: two of them fit into one line of text
_MARKS = {Strong: "*", Emphasis: "_", Strike: "~"}


def render(
    notification: Notification,
    detail: Detail,
    most: int | None = None,
    pressed: Block | None = None,
) -> dict[str, Any]:
    """The message with as much detail as fits into its blocks, and, where `most` is given, into
    that many characters of all its blocks as JSON; above its links the buttons `pressed`."""
    more = [pressed] if pressed else []

    def fits(blocks: list[Block]) -> bool:
        if len(blocks) + len(more) > kit.MAX_BLOCKS:
            return False
        return most is None or len(to_json(blocks + more).decode()) <= most

    blocks = fit(detail, lambda level: _blocks(outline(notification, level)), fits)
    while not fits(blocks):  # the first ones, and the last, which has the links
        del blocks[-2 if len(blocks) > 2 else -1]
    has_links = bool(blocks) and blocks[-1]["type"] == "context"
    at = len(blocks) - has_links
    return _message(notification, [*blocks[:at], *more, *blocks[at:]])


def buttons(notification: Notification) -> Block | None:
    """What people can press: that they have it and which step is done, or at the end whether the
    runbook helped. A value is the group and what the button of its page says."""
    group = notification.groups[-1]
    if notification.group.firing:
        elements = [kit.button("I have it", f"{group} take")]
        if notification.steps_left:
            steps = [
                (title, f"{group} tick {key}")
                for key, title in notification.steps_left[:_MAX_STEPS]
            ]
            elements.append(kit.select("Step done", steps))
    else:
        elements = [
            kit.button(words, f"{group} {do} {part.id}")
            for part in notification.runbooks[:1]
            for words, do in (("The runbook helped", "helped"), ("It did not", "not_helped"))
            if len(part.id) <= _LONGEST_ID
        ]
    return kit.actions(elements) if elements else None


def render_change(notification: Notification) -> dict[str, Any]:
    """The reply in a message's thread when the message itself was changed: the current state."""
    parts = [
        part
        for part in outline(notification, Detail.MINIMAL)
        if isinstance(part, message.REPLIED) or part == message.Note(message.RESENT)
    ]
    return _message(notification, kit.sections([SlackRenderer().parts(parts)]))


def _message(notification: Notification, blocks: list[Block]) -> dict[str, Any]:
    text = cut(escape(wording.push(notification, _MAX_FALLBACK)), _MAX_FALLBACK)
    return {
        "text": " ".join((*notification.mentions, text)),
        "blocks": blocks,
        # Slack would otherwise fetch what links lead to.
        "unfurl_links": False,
        "unfurl_media": False,
    }


def _blocks(parts: Iterable[message.OutlinePart]) -> list[Block]:
    renderer = SlackRenderer()
    blocks: list[Block] = []
    groups: list[list[Piece]] = []  # what is kept together

    def flush() -> None:
        blocks.extend(kit.sections(groups))
        groups.clear()

    for part in parts:
        pieces = list(renderer.part(part))
        match part:
            case message.Title():
                blocks.append(kit.header(pieces[0].text))
            case message.Links():
                flush()
                blocks.append(kit.context(pieces[0].text))
            case message.RunbookTitle():
                flush()
                blocks.append({"type": "divider"})
                groups.append(pieces)
            case message.Body() if groups:
                groups[-1] += pieces
            case _:
                groups.append(pieces)
    flush()
    return blocks


class SlackRenderer(LineRenderer[Piece, str]):
    """Text and code as pieces, for `blocks.sections` to pack."""

    def title(self, part: message.Title) -> Iterator[Piece]:
        yield Piece("plain", escape(f"{part.grade.emoji} {part}"))

    def mention(self, names: Sequence[str]) -> Iterator[Piece]:
        yield Piece("text", " ".join(names))

    def shared(self, part: message.CommonFacts) -> Iterator[Piece]:
        yield Piece("plain", escape("\n".join(part.lines())))

    def alert(self, part: message.AlertLine) -> Iterator[Piece]:
        yield Piece("plain", escape("• " + "\n    ".join(part.lines())))

    def more(self, part: message.More) -> Iterator[Piece]:
        yield Piece("text", linked(part.url, str(part)))

    def note(self, text: str) -> Iterator[Piece]:
        yield Piece("plain", escape(text))

    def runbook(self, part: message.RunbookTitle) -> Iterator[Piece]:
        yield Piece("text", f"*{linked(part.url, part.text)}*")
        for text in filter(None, (part.provenance, part.about)):
            yield Piece("plain", escape(text))

    def step(self, part: message.StepLine) -> Iterator[Piece]:
        yield self.line(self.spans(part.words), f"{part.number}. ")
        yield from self.below_step(part.blocks)

    def links(self, pairs: Sequence[tuple[str, str]]) -> Iterator[Piece]:
        yield Piece("text", "  ·  ".join(linked(url, words) for words, url in pairs))

    def line(self, text: str, lead: str = "", *, is_continued: bool = False) -> Piece:
        return Piece("text", f"{self.margin}{lead}{text}")

    def deeper(self, by: str) -> "SlackRenderer":
        return self.nested(self.margin + by)

    def bold(self, text: str) -> str:
        return f"*{literal(text)}*"

    def code_block(self, text: str, language: str) -> Piece:
        # Three backticks within would end the fence, and what follows would be markup.
        return Piece("verbatim" if "```" in text else "code", escape(text))

    def value(self, text: str) -> Piece:
        return Piece("plain", escape(text))

    def quote(self, block: Quote) -> Iterator[Piece]:
        for piece in SlackRenderer().blocks(block.blocks):
            # Slack's quotes do not nest; a `>` of the text itself is escaped by now.
            if piece.kind != "text" or piece.text.startswith("> "):
                yield piece
            else:
                yield Piece("text", "> " + piece.text.replace("\n", "\n> "))

    def table(self, block: Table) -> Iterable[Piece]:
        if as_list := rows_as_list(block):
            return self.list_block(as_list)
        rows = (" | ".join(map(plain, row)) for row in (block.header, *block.rows))
        return self.code(Code("\n".join(rows)))

    def text(self, text: str) -> str:
        return literal(text)

    def code_span(self, text: str) -> str:
        # There is no way to write a backtick within code on a line.
        code = escape(text).replace("`", "\N{MODIFIER LETTER GRAVE ACCENT}")
        return f"`{code}`" if code.strip() else code

    def line_break(self, hard: bool) -> str:
        return "\n" if hard else " "

    def link(self, url: str, children: Sequence[Inline]) -> str:
        return linked(url, plain(children))

    def marked(self, span: Strong | Emphasis | Strike) -> str:
        inner = self.spans(span.children).strip()
        mark = _MARKS[type(span)]
        # Slack formats one line at a time, and not around code that ends the word.
        return f"{mark}{inner}{mark}" if inner and "\n" not in inner else inner

    def joined(self, spans: Iterable[str]) -> str:
        return "".join(spans)


def literal(text: str) -> str:
    """Words in which no character formats."""
    return _FORMATTING.sub(lambda found: found[0] + "\u200b", escape(text))


def linked(url: str, label: str) -> str:
    """`<url|label>`; only the label where the URL is not one for a browser."""
    words = literal(label.replace("|", "\N{BROKEN BAR}").replace("\n", " "))
    scheme, colon, rest = url.partition(":")
    # Characters that Slack would parse, or that no URL has, are encoded.
    address = quote(scheme.lower() + colon + rest, safe="%/:=&?~#+!$,;'@()*[]-._", errors="replace")
    address = address.replace("&", "&amp;")
    if not url.lower().startswith(_SCHEMES) or len(address) > _LONGEST_URL:
        return words
    return f"<{address}|{words}>" if words.strip() else f"<{address}>"
