"""A notification as Google Chat's message: text in Chat's markup, in its group's thread. Pure.

Text and not a card: only text has code blocks. How a message gets there is `notifier`'s.
"""

import hashlib
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

from pydantic_core import to_json

from alert_router.notification import Detail, Notification
from alert_router.notify.googlechat import markup
from alert_router.notify.googlechat.words import bold, code_span, link, literal, unlisted
from alert_router.notify.links import is_web
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

# Bytes of a message with everything in it (developers.google.com, Chat,
# spaces.messages.create); counted here as they are sent, which is never fewer.
MAX_BYTES = 32_000

_CUT = "There is more than fits into a message of Chat."


def message(notification: Notification, detail: Detail) -> dict[str, Any]:
    """The message with as much detail as fits."""
    # An id tells Chat what it has already, so that a resend is no repeat to speak of.
    told = replace(notification, resent=False)
    frame = {
        # A webhook's default may be either syntax.
        "markupSyntax": "MARKUP_SYNTAX_CHAT",
        "thread": {"threadKey": _thread(notification)},
    }

    def whole(pieces: list[str]) -> dict[str, Any]:
        return {"text": "\n".join(pieces)} | frame

    def make(level: Detail) -> list[str]:
        return list(_pieces(list(outline(told, level))))

    pieces = fit(detail, make, lambda made: len(to_json(whole(made))) <= MAX_BYTES)
    return whole(_cut(pieces, MAX_BYTES - len(to_json(whole([])))))


def _cut(pieces: list[str], room: int) -> list[str]:
    """As many pieces as fit into that many bytes of JSON, and always the last, the links."""
    sizes = [len(to_json(piece + "\n")) - len('""') for piece in pieces]
    if sum(sizes) <= room:
        return pieces
    *body, foot = pieces
    left = room - sizes[-1] - len(_CUT) - len("\\n")
    kept = 0
    while sizes[kept] <= left:
        left -= sizes[kept]
        kept += 1
    return [*body[:kept], _CUT, foot]


def _thread(notification: Notification) -> str:
    """The key of the group's thread: the same for all that follows of it at this notifier."""
    place = (notification.receiver, notification.notifier, notification.group.group_key)
    return hashlib.sha256(to_json([ascii(part) for part in place])).hexdigest()[:32]


def _pieces(parts: list[Part]) -> Iterator[str]:
    """Lines and whole code blocks, the links last."""
    found: list[tuple[str, str]] = []
    for part in parts:
        match part:
            case Links(pairs):
                found += pairs
            case _:
                yield from _part(part)
    runbooks = [("Runbook", part.url) for part in parts if isinstance(part, RunbookTitle)]
    shown = [link(url, words) for words, url in (*runbooks[:1], *found) if is_web(url)]
    # One whose address is too long for Chat is only words by now.
    yield "\n" + " · ".join(each for each in shown if each.startswith("<"))


def _part(part: Part) -> Iterator[str]:
    match part:
        case Title(grade, text):
            yield f"{grade.emoji} {bold(f'{grade.word}:')} {literal(text)}"
        case AlertLine(text):
            yield f"• {literal(text)}"
            if part.labels:
                yield f"    {code_span(part.pairs())}"
        case Note(text):
            yield f"⚠ {literal(text)}"
        case Message(blocks) | Body(blocks):
            yield from markup.pieces(blocks)
        case RunbookTitle():
            about = "; ".join(filter(None, (part.provenance, part.about)))
            title = link(part.url, part.text) if is_web(part.url) else literal(part.text).strip()
            yield f"\n*{title}*" if title else ""
            yield unlisted(literal(about))
        case SectionTitle(text):
            yield f"\n{bold(text)}"
        case StepLine(number, words, blocks):
            told = markup.lines(words) or [""]
            yield "\n".join((f"{number}. {told[0]}", *told[1:]))
            yield from markup.pieces(blocks)
        case _:
            yield str(part)
