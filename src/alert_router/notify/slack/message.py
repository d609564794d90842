"""A notification as Slack's messages: Block Kit within its limits.

What alerts say goes into plain_text objects, which Slack does not parse, so that no value can
format, link or ping; what runbooks say is mrkdwn. How messages get there is `notifier`'s.
"""

from typing import Any

from pydantic_core import to_json

from alert_router.notification import Detail, Notification
from alert_router.notify import summary
from alert_router.notify.outline import (
    RESENT,
    AlertLine,
    Body,
    Links,
    Message,
    More,
    Note,
    Part,
    RunbookTitle,
    SectionTitle,
    StepLine,
    Title,
    fit,
    outline,
)
from alert_router.notify.slack import blockkit, mrkdwn
from alert_router.notify.slack.blockkit import Block, cut
from alert_router.notify.slack.mrkdwn import Piece, escape

_MAX_FALLBACK = 1000  # characters of the text that a phone's notification shows


def message(notification: Notification, detail: Detail, most: int | None = None) -> dict[str, Any]:
    """The message with as much detail as fits into its blocks, and, where `most` is given, into
    that many characters of all its blocks as JSON."""

    def fits(blocks: list[Block]) -> bool:
        return len(blocks) <= blockkit.MAX_BLOCKS and (most is None or _size(blocks) <= most)

    blocks = fit(detail, lambda level: _blocks(notification, level), fits)
    while not fits(blocks):  # the first ones, and the last, which has the links
        del blocks[-2 if len(blocks) > 2 else -1]
    return _message(notification, blocks)


def change(notification: Notification) -> dict[str, Any]:
    """What a message's thread is told when the message itself was changed: how things stand."""
    parts = [
        part
        for part in outline(notification, Detail.MINIMAL)
        if isinstance(part, Title | AlertLine | More) or part == Note(RESENT)
    ]
    return _message(
        notification, blockkit.sections([[piece for p in parts for piece in _pieces(p)]])
    )


def _size(blocks: list[Block]) -> int:
    return len(to_json(blocks).decode())


def _message(notification: Notification, blocks: list[Block]) -> dict[str, Any]:
    text = f"{summary.grade(notification).word}: {summary.title(notification)}"
    return {
        "text": cut(escape(text), _MAX_FALLBACK),
        "blocks": blocks,
        # Slack would otherwise fetch what links lead to.
        "unfurl_links": False,
        "unfurl_media": False,
    }


def _blocks(notification: Notification, detail: Detail) -> list[Block]:
    blocks: list[Block] = []
    held: list[list[Piece]] = []

    def flush() -> None:
        blocks.extend(blockkit.sections(held))
        held.clear()

    for part in outline(notification, detail):
        match part:
            case Title(grade):
                blocks.append(blockkit.header(escape(f"{grade.emoji} {part}")))
            case Links(pairs):
                flush()
                words = [mrkdwn.link(url, text) for text, url in pairs]
                blocks.append(blockkit.context("  ·  ".join(words)))
            case RunbookTitle():
                flush()
                blocks.append({"type": "divider"})
                held.append(_runbook(part))
            case Body(inner) if held:
                held[-1] += mrkdwn.pieces(inner)
            case _:
                held.append(_pieces(part))
    flush()
    return blocks


def _pieces(part: Part) -> list[Piece]:
    """What belongs together, so that it is not cut apart where it need not be."""
    match part:
        case Title(grade):
            return [Piece("plain", escape(f"{grade.emoji} {part}"))]
        case AlertLine(text):
            pairs = f"\n    {part.pairs()}" if part.labels else ""
            return [Piece("plain", escape(f"{text}{pairs}"))]
        case More(_, url):
            return [Piece("text", mrkdwn.link(url, str(part)))]
        case Note(text):
            return [Piece("plain", escape(text))]
        case Message(inner):
            return list(mrkdwn.pieces(inner))
        case SectionTitle(text):
            return [Piece("text", f"\n*{mrkdwn.literal(text)}*")]
        case StepLine(number, words, inner):
            return [Piece("text", f"{number}. {mrkdwn.inline(words)}"), *mrkdwn.pieces(inner)]
        case _:
            return [Piece("plain", escape(str(part)))]


def _runbook(part: RunbookTitle) -> list[Piece]:
    top = [Piece("text", f"*{mrkdwn.link(part.url, part.text)}*")]
    return [*top, *(Piece("plain", escape(text)) for text in (part.provenance, part.about) if text)]
