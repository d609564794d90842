"""A notification as title and text for any service at all. Pure.

How long a text a service takes is only known when its secret URL is read, so a payload holds the
text at each level of detail; which of them is sent is `chosen`'s to say.
"""

import re
from typing import Any

from alert_router.markdown import visible
from alert_router.notification import Detail, Notification
from alert_router.notify import fenced, summary
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
    outline,
)
from alert_router.severity import Grade, Scale

MORE = "…"

# What many services take for a mention, a channel or a tag: a word joiner (U+2060) behind it, and
# it is only itself.
_OBEYED = re.compile(r"[@#<!](?=\S)")


def message(notification: Notification, detail: Detail) -> dict[str, Any]:
    """Title, how grave it is in Apprise's words, and the texts from the most detailed down, each
    as pieces that are kept or left out as a whole."""
    grade = summary.grade(notification)
    title = next(part for part in outline(notification, detail) if isinstance(part, Title))
    levels = range(detail, Detail.MINIMAL - 1, -1)
    return {
        "title": literal(f"{grade.emoji} {title}"),
        "type": _type(grade, notification.scale),
        "texts": [
            [text for part in outline(notification, Detail(level)) for text in _part(part) if text]
            for level in levels
        ],
    }


def chosen(texts: list[list[str]], limit: int) -> str:
    """The most detailed text of at most so many characters; of the least detailed one as many
    pieces as fit."""
    for pieces in texts:
        text = "\n".join(pieces).strip("\n")
        if len(text) <= limit:
            return text
    kept = ""
    for piece in texts[-1]:
        if len(kept) + len(piece) + len(MORE) + 2 > limit:
            break
        kept = f"{kept}\n{piece}" if kept else piece
    return f"{kept}\n{MORE}".strip("\n") if kept else f"{texts[-1][0][: limit - 1]}{MORE}"


def literal(text: str) -> str:
    """Words on which most services do nothing."""
    return _OBEYED.sub(lambda found: f"{found[0]}\u2060", visible(text))


def _type(grade: Grade, scale: Scale) -> str:
    """Apprise's word for a grade: failure, warning, info, or success for what is over."""
    if grade == scale.resolved:
        return "success"
    if grade == scale.grades[0]:
        return "failure"
    return "info" if grade == scale.grades[-1] else "warning"


def _part(part: Part) -> list[str]:
    match part:
        case Title():
            return []  # it goes apart
        case AlertLine(text):
            return [literal(text), f"  {literal(part.pairs())}" if part.labels else ""]
        case Note(text):
            return [literal(text)]
        case Message(blocks) | Body(blocks):
            return [fenced.fenced(blocks)]
        case RunbookTitle(text, url, provenance, about):
            return [
                "\n" + "\n".join(filter(None, (literal(text), url, provenance, literal(about))))
            ]
        case SectionTitle(text):
            return [f"\n{literal(text).upper()}"]
        case StepLine(number, words, blocks):
            return [fenced.step(number, words, blocks)]
        case Links(pairs):
            return ["\n" + "\n".join(f"{words}: {url}" for words, url in pairs)]
        case _:
            return [str(part)]
