"""The notifier `slack`: an incoming webhook, Block Kit.

What alerts say goes into plain_text objects, which Slack does not parse, so that no value can
format, link or ping; what runbooks say is mrkdwn.
"""

from collections.abc import Iterator
from typing import Any, Literal

from pydantic_core import to_json

from alert_router.alert import Alert
from alert_router.notification import Detail, Notification, RunbookPart
from alert_router.notify import blockkit, mrkdwn, summary
from alert_router.notify.base import Outcome, Sending
from alert_router.notify.blockkit import Block, cut
from alert_router.notify.http import Dialect
from alert_router.notify.mrkdwn import Piece, escape
from alert_router.notify.overhttp import HttpNotifier
from alert_router.notify.secrets import SecretField
from alert_router.notify.summary import one_line
from alert_router.runbook.model import Section, Step

_MAX_FALLBACK = 1000  # characters of the text that a phone's notification shows
_MAX_LABELS = 8
_MAX_VALUE = 120  # characters of a label's value
_MAX_LINE = 300  # characters of a headline, a title, a note


class SlackNotifier(HttpNotifier):
    """Posts to one channel: the webhook's own."""

    type: Literal["slack"] = "slack"
    url: SecretField

    def render(self, notification: Notification, detail: Detail = Detail.FULL) -> bytes:
        """The message as JSON, with as much detail as fits into its blocks."""
        for level in range(detail, Detail.MINIMAL, -1):
            blocks = _blocks(notification, Detail(level))
            if len(blocks) <= blockkit.MAX_BLOCKS:
                return _message(notification, blocks)
        return _message(notification, _fewest(_blocks(notification, Detail.MINIMAL)))

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
    grade = summary.grade(notification)
    title = f"{grade.emoji} {grade.word}: {summary.title(notification)}"
    blocks = [blockkit.header(escape(title))]
    blocks += blockkit.sections([_alerts(notification, detail), _notes(notification)])
    for part in notification.runbooks:
        blocks.append({"type": "divider"})
        blocks += blockkit.sections(_runbook(part, notification, detail))
    if links := _links(notification):
        blocks.append(blockkit.context(links))
    return blocks


def _alerts(notification: Notification, detail: Detail) -> list[Piece]:
    shown, more = summary.alerts(notification, detail)
    pieces = [Piece("plain", escape(_alert(alert))) for alert in shown]
    return [*pieces, Piece("plain", f"and {more} more")] if more else pieces


def _alert(alert: Alert) -> str:
    told = summary.labels(alert)[:_MAX_LABELS]
    pairs = [f"{one_line(name, _MAX_VALUE)}={one_line(value, _MAX_VALUE)}" for name, value in told]
    head = summary.line(alert, _MAX_LINE)
    return f"{head}\n    {'  '.join(pairs)}" if pairs else head


def _notes(notification: Notification) -> list[Piece]:
    notes = [*notification.notes[:5]]
    if not notification.runbooks:
        notes.append(summary.NO_RUNBOOK)
    elif notification.without_runbook:
        notes.append(summary.without_runbook(notification))
    return [Piece("plain", escape(one_line(note, _MAX_LINE))) for note in notes]


def _runbook(
    part: RunbookPart, notification: Notification, detail: Detail
) -> Iterator[list[Piece]]:
    title = mrkdwn.link(part.url, one_line(part.title, _MAX_LINE))
    top = [
        Piece("text", f"*{title}*"),
        Piece("plain", escape(one_line(summary.provenance(part), _MAX_LINE))),
    ]
    if about := summary.about(part, notification):
        top.append(Piece("plain", escape(one_line(about, 2 * _MAX_LINE))))
    yield top
    if detail > Detail.MINIMAL:
        for section in part.sections:
            yield from _section(section, detail)


def _section(section: Section, detail: Detail) -> Iterator[list[Piece]]:
    top = [Piece("text", f"\n*{mrkdwn.literal(summary.heading(section))}*")]
    if detail > Detail.TITLES:
        top += mrkdwn.pieces(section.intro)
    yield top
    for number, step in enumerate(section.steps, 1):
        yield _step(step, number, whole=summary.is_whole(number, detail))


def _step(step: Step, number: int, *, whole: bool) -> list[Piece]:
    first, rest = summary.opening(step) if whole else (None, ())
    words = mrkdwn.inline(first.children) if first else mrkdwn.literal(step.title)
    return [Piece("text", f"{number}. {words}"), *mrkdwn.pieces(rest)]


def _links(notification: Notification) -> str:
    """Where to go from here: the query behind the first alert, and Alertmanager."""
    found = [
        (notification.group.alerts[0].generator_url, "Query"),
        (notification.group.external_url, "Alertmanager"),
    ]
    links = [mrkdwn.link(url, label) for url, label in found if mrkdwn.is_address(url)]
    return "  ·  ".join(links)
