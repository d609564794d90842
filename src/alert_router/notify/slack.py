"""The notifier `slack`: an incoming webhook, Block Kit.

What alerts say goes into plain_text objects, which Slack does not parse, so that no value can
format, link or ping; what runbooks say is mrkdwn.
"""

from collections.abc import Iterable, Iterator
from typing import Any, Literal

from pydantic_core import to_json

from alert_router.alert import Alert
from alert_router.markdown import Paragraph
from alert_router.notification import Detail, Notification, RunbookPart
from alert_router.notify import mrkdwn, summary
from alert_router.notify.base import Notifier, Outcome, Sending
from alert_router.notify.http import post
from alert_router.notify.mrkdwn import Piece, escape
from alert_router.notify.secrets import SecretField
from alert_router.runbook.model import Section, Step

# Block Kit's limits, in characters and blocks (docs.slack.dev, reference/block-kit).
MAX_BLOCKS = 50
MAX_SECTION = 3000
MAX_HEADER = 150
MAX_FALLBACK = 1000  # ours: the text of the phone's notification

_MOST_ALERTS = {Detail.FULL: 15, Detail.FIRST_STEPS: 10, Detail.TITLES: 10, Detail.MINIMAL: 5}
_MOST_LABELS = 8
_MOST_VALUE = 120  # characters of a label's value
_MOST_HEADLINE = 300
_FENCE = 8  # what the fences around code take
_TOO_LONG = "(a command too long for this message: see the runbook's page)"


class SlackNotifier(Notifier):
    """Posts to one channel: the webhook's own."""

    type: Literal["slack"] = "slack"
    url: SecretField

    def render(self, notification: Notification, detail: Detail = Detail.FULL) -> bytes:
        """The message as JSON, with as much detail as fits."""
        for level in range(detail, Detail.MINIMAL, -1):
            blocks = _blocks(notification, Detail(level))
            if len(blocks) <= MAX_BLOCKS:
                return _message(notification, blocks)
        return _message(notification, _blocks(notification, Detail.MINIMAL)[:MAX_BLOCKS])

    async def notify(self, payload: bytes, sending: Sending) -> Outcome:
        return await post(
            sending.session,
            self.url,
            payload,
            headers={"Content-Type": "application/json"},
            limit=self.timeout,
            check=_agrees,
        )


def _agrees(answer: bytes) -> str | None:
    """An incoming webhook says `ok`, in plain text."""
    return None if answer.strip() == b"ok" else answer.decode("utf-8", "replace") or "empty answer"


def _message(notification: Notification, blocks: list[dict[str, Any]]) -> bytes:
    text = f"{summary.look(notification).word}: {summary.title(notification)}"
    return to_json(
        {
            "text": _cut(escape(text), MAX_FALLBACK),
            "blocks": blocks,
            # Slack would otherwise fetch what links lead to.
            "unfurl_links": False,
            "unfurl_media": False,
        }
    )


def _blocks(notification: Notification, detail: Detail) -> list[dict[str, Any]]:
    look = summary.look(notification)
    title = f"{look.emoji} {look.word}: {summary.title(notification)}"
    blocks: list[dict[str, Any]] = [
        {"type": "header", "text": _plain_text(_cut(escape(title), MAX_HEADER))}
    ]
    blocks += _pack(_alerts(notification, detail))
    blocks += _pack(Piece("plain", escape(note)) for note in notification.notes[:5])
    for part in notification.runbooks:
        blocks.append({"type": "divider"})
        blocks += _pack(_runbook(part, notification, detail))
    if links := _links(notification):
        blocks.append({"type": "context", "elements": [{"type": "mrkdwn", "text": links}]})
    return blocks


def _alerts(notification: Notification, detail: Detail) -> Iterator[Piece]:
    group, most = notification.group, _MOST_ALERTS[detail]
    for alert in (*group.firing, *group.resolved)[:most]:
        yield Piece("plain", escape(_alert(alert)))
    if len(group.alerts) > most:
        yield Piece("plain", f"and {len(group.alerts) - most} more")


def _alert(alert: Alert) -> str:
    lasted = summary.lasted(alert)
    state = "" if alert.firing else "resolved: "
    after = f" (after {lasted})" if lasted else ""
    pairs = [
        f"{name}={_cut(value, _MOST_VALUE)}" for name, value in summary.labels(alert)[:_MOST_LABELS]
    ]
    head = f"{state}{_cut(summary.headline(alert), _MOST_HEADLINE)}{after}"
    return f"{head}\n    {'  '.join(pairs)}" if pairs else head


def _runbook(part: RunbookPart, notification: Notification, detail: Detail) -> Iterator[Piece]:
    yield Piece("text", f"*{mrkdwn.link(part.url, _cut(part.title, _MOST_HEADLINE))}*")
    yield Piece("plain", escape(_cut(summary.provenance(part), _MOST_HEADLINE)))
    if about := summary.about(part, notification):
        yield Piece("plain", escape(_cut(about, 2 * _MOST_HEADLINE)))
    if detail is Detail.MINIMAL:
        return
    for section in part.sections:
        yield from _section(section, detail)


def _section(section: Section, detail: Detail) -> Iterator[Piece]:
    yield Piece("text", f"\n*{escape(section.name or 'Section')}*")
    if detail > Detail.TITLES:
        yield from mrkdwn.pieces(section.intro)
    for number, step in enumerate(section.steps, 1):
        whole = detail is Detail.FULL or (detail is Detail.FIRST_STEPS and number == 1)
        yield from _step(step, number, whole=whole)


def _step(step: Step, number: int, *, whole: bool) -> Iterator[Piece]:
    first, rest = summary.opening(step) if whole else (None, ())
    words = mrkdwn.inline(first.children) if isinstance(first, Paragraph) else escape(step.title)
    yield Piece("text", f"{number}. {words}")
    yield from mrkdwn.pieces(rest)


def _links(notification: Notification) -> str:
    """Where to go from here: the query behind the first alert, and Alertmanager."""
    found = [
        (notification.group.alerts[0].generator_url, "Query"),
        (notification.group.external_url, "Alertmanager"),
    ]
    links = [mrkdwn.link(url, label) for url, label in found if url.startswith("http")]
    return "  ·  ".join(links)[:MAX_SECTION]


def _pack(pieces: Iterable[Piece]) -> list[dict[str, Any]]:
    """Pieces in as few sections as hold them: text and code share one, plain text another."""
    blocks: list[dict[str, Any]] = []
    held, is_plain = "", False
    for piece in pieces:
        for text in _fitting(piece):
            alike = is_plain == (piece.kind == "plain")
            if held and (not alike or len(held) + 1 + len(text) > MAX_SECTION):
                blocks.append(_section_block(held, is_plain))
                held = ""
            held = f"{held}\n{text}" if held else text
            is_plain = piece.kind == "plain"
    if held.strip():
        blocks.append(_section_block(held, is_plain))
    return blocks


def _fitting(piece: Piece) -> Iterator[str]:
    """The piece in parts that fit into a section, cut between lines; code in whole lines, each
    part with its fences."""
    is_code = piece.kind == "code"
    room = MAX_SECTION - _FENCE if is_code else MAX_SECTION
    part = ""
    for line in piece.text.split("\n"):
        if len(line) > room:
            line = _TOO_LONG if is_code else _cut(line, room)  # noqa: PLW2901
        if part and len(part) + 1 + len(line) > room:
            yield f"```\n{part}\n```" if is_code else part
            part = line
        else:
            part = f"{part}\n{line}" if part else line
    if part.strip():
        yield f"```\n{part}\n```" if is_code else part


def _section_block(text: str, is_plain: bool) -> dict[str, Any]:
    body = _plain_text(text) if is_plain else {"type": "mrkdwn", "text": text, "verbatim": True}
    return {"type": "section", "text": body}


def _plain_text(text: str) -> dict[str, Any]:
    return {"type": "plain_text", "text": text, "emoji": False}


def _cut(text: str, limit: int) -> str:
    """At most `limit` characters, never through the middle of an escape."""
    if len(text) <= limit:
        return text
    short = text[: limit - 1]
    start = short.rfind("&")
    if start > limit - 7 and ";" not in short[start:]:
        short = short[:start]
    return short + "…"
