"""A notification as ntfy's message: plain text, a page behind it and up to three buttons. Pure.

Markdown is never switched on, so that nothing an alert says can format or link. How a message
gets there is `notifier`'s.
"""

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

from pydantic_core import to_json

from alert_router.markdown import visible
from alert_router.model.severity import Grade
from alert_router.notification import Detail, Notification
from alert_router.notify import fenced, summary
from alert_router.notify.links import encoded, is_web, links
from alert_router.notify.outline import (
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

# Bytes. docs.ntfy.sh, "Limitations": a message of 4,096; a longer one becomes an attachment. A
# server reads twice that of a whole JSON body, so escapes and links have to share it.
MAX_MESSAGE = 4_000
MAX_BODY = 8_000
MAX_TITLE = 500
MAX_TAGS = 512
MAX_ACTIONS = 3
_MAX_ADDRESSES = 4_000  # of the page and the buttons together
_ROOM = 150  # for the topic and the sequence id
_MAX_FIRST = 900  # what fits however it is escaped, whatever else there is

MORE = "…"

PRIORITIES: Mapping[str, int] = {"critical": 5, "warning": 4, "info": 2, "resolved": 3}
_OTHERWISE = 4

_NOT_IN_TAG = re.compile(r"[^\w.:=-]+")


def message(
    notification: Notification,
    detail: Detail,
    priorities: Mapping[str, int],
    tags: Sequence[str],
) -> dict[str, Any]:
    """The message without its topic."""
    grade = summary.grade(notification)
    title = visible(f"{grade.emoji} {next(outline(notification, detail))}")
    frame = {
        # A server decodes such words (RFC 2047), and what came out was never looked at here.
        "title": cut(title.replace("=?", "= ?"), MAX_TITLE),
        "priority": _priority(grade, priorities),
        "tags": _tags(grade, notification, tags),
        **_addresses(notification),
    }

    def whole(pieces: Sequence[str]) -> dict[str, Any]:
        return frame | {"message": "\n".join(pieces)}

    def make(level: Detail) -> list[str]:
        return [text for part in outline(notification, level) for text in _pieces(part)]

    pieces = fit(detail, make, lambda pieces: _fits(whole(pieces)))
    return whole(_cut_off(pieces, lambda pieces: _fits(whole(pieces))))


def _cut_off(pieces: list[str], fits: Callable[[list[str]], bool]) -> list[str]:
    """As many pieces as fit, and a sign where there were more. Only the first is cut within."""
    kept = pieces[:]
    while not fits(kept):
        del kept[-2 if kept[-1] == MORE else -1 :]
        kept.append(MORE)
    if kept == [MORE] and "```" not in pieces[0]:
        return [cut(pieces[0], _MAX_FIRST), MORE]
    return kept


def cut(text: str, limit: int) -> str:
    """Text of at most that many bytes."""
    raw = text.encode()
    if len(raw) <= limit:
        return text
    return raw[: limit - 3].decode(errors="ignore") + "…"


def _fits(whole: Mapping[str, Any]) -> bool:
    return len(whole["message"].encode()) <= MAX_MESSAGE and len(to_json(whole)) <= MAX_BODY - _ROOM


def _pieces(part: Part) -> Iterable[str]:
    """A part as text that is kept or left out as a whole, so that no command is ever cut."""
    match part:
        case AlertLine(text):
            yield visible(f"{text}\n  {part.pairs()}" if part.labels else text)
        case More() | Note():
            yield visible(part.text if isinstance(part, Note) else str(part))
        case Message(blocks):
            yield from (fenced.fenced((block,)) for block in blocks)
        case RunbookTitle(text, _, provenance, about):
            yield visible("\n" + "\n".join(line for line in (text, provenance, about) if line))
        case SectionTitle(text):
            yield visible(f"\n{text.upper()}")
        case Body(blocks):
            yield fenced.fenced(blocks)
        case StepLine(number, words, blocks):
            yield fenced.step(number, words, blocks)
        case Title() | Links():
            return  # the title and the buttons


def _addresses(notification: Notification) -> dict[str, Any]:
    """The page that a tap opens, and the buttons, as many as there is room for."""
    runbooks = [("Runbook", part.url) for part in notification.runbooks if is_web(part.url)]
    others = links(notification)
    found: dict[str, Any] = {"actions": []}
    left = _MAX_ADDRESSES
    pages = [encoded(url) for _, url in (*runbooks, *others[-1:])]
    for page in pages[:1]:
        if len(page) <= left:
            found["click"] = page
            left -= len(page)
    for words, url in (*runbooks[:1], *others):
        button = {"action": "view", "label": words, "url": encoded(url)}
        if len(found["actions"]) < MAX_ACTIONS and len(button["url"]) <= left:
            found["actions"].append(button)
            left -= len(button["url"])
    return found


def _priority(grade: Grade, priorities: Mapping[str, int]) -> int:
    """1 to 5, by the severity's word, else by a value that means it."""
    known = {**PRIORITIES, **priorities}
    names = (grade.word.lower(), *sorted(grade.values))
    return next((known[name] for name in names if name in known), _OTHERWISE)


def _tags(grade: Grade, notification: Notification, tags: Sequence[str]) -> list[str]:
    """The configuration's, and two to filter by; a severity's word alone might be an emoji."""
    word = _NOT_IN_TAG.sub("-", grade.word.lower())
    found = [notification.status.value, f"severity={word}"]
    kept = [*tags, *found]
    while len(",".join(kept).encode()) > MAX_TAGS:
        kept.pop()
    return kept
