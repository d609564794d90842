"""The notifier `slack`: an incoming webhook, Block Kit.

What alerts say goes into plain_text objects, which Slack does not parse, so that no value can
format, link or ping; what runbooks say is mrkdwn.
"""

from typing import Any, Literal

from pydantic_core import to_json

from alert_router.notification import Detail, Notification
from alert_router.notify import blockkit, mrkdwn, summary
from alert_router.notify.base import Outcome, Sending
from alert_router.notify.blockkit import Block, cut
from alert_router.notify.http import Dialect
from alert_router.notify.mrkdwn import Piece, escape
from alert_router.notify.outline import (
    AlertLine,
    Body,
    Links,
    Message,
    Note,
    Part,
    RunbookTitle,
    SectionTitle,
    StepLine,
    Title,
    fit,
    outline,
)
from alert_router.notify.overhttp import HttpNotifier
from alert_router.notify.secrets import SecretField

_MAX_FALLBACK = 1000  # characters of the text that a phone's notification shows


class SlackNotifier(HttpNotifier):
    """Posts to one channel: the webhook's own."""

    type: Literal["slack"] = "slack"
    url: SecretField

    def render(self, notification: Notification, detail: Detail = Detail.FULL) -> bytes:
        """The message as JSON, with as much detail as fits into its blocks."""
        blocks = fit(
            detail,
            lambda level: _blocks(notification, level),
            lambda blocks: len(blocks) <= blockkit.MAX_BLOCKS,
        )
        return _message(notification, _fewest(blocks))

    async def notify(self, payload: bytes, sending: Sending) -> Outcome:
        return await self.post(sending, self.url, payload, dialect=Dialect(agrees=_agrees))


def _agrees(answer: bytes) -> str | None:
    """An incoming webhook says `ok`, in plain text."""
    return None if answer.strip() == b"ok" else answer.decode("utf-8", "replace") or "empty answer"


def _fewest(blocks: list[Block]) -> list[Block]:
    """The first blocks, and the last, which has the links."""
    most = blockkit.MAX_BLOCKS
    return blocks if len(blocks) <= most else [*blocks[: most - 1], blocks[-1]]


def _message(notification: Notification, blocks: list[Block]) -> bytes:
    text = f"{summary.grade(notification).word}: {summary.title(notification)}"
    message: dict[str, Any] = {
        "text": cut(escape(text), _MAX_FALLBACK),
        "blocks": blocks,
        # Slack would otherwise fetch what links lead to.
        "unfurl_links": False,
        "unfurl_media": False,
    }
    return to_json(message)


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
        case AlertLine(text):
            pairs = f"\n    {part.pairs()}" if part.labels else ""
            return [Piece("plain", escape(f"{text}{pairs}"))]
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
