"""A notification as title and text for any service at all. Pure.

How long a text a service takes is only known when its secret URL is read, so a payload holds the
text at each level of detail; which of them is sent is `chosen`'s to say.
"""

import re
from collections.abc import Callable
from typing import Any

from alert_router.markdown import visible
from alert_router.markdown.rewrite import Rewrite
from alert_router.model.severity import Grade, Scale
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


def chosen(texts: list[list[str]], fits: Callable[[str], bool]) -> str:
    """The most detailed text that fits; of the least detailed one as many pieces as fit, and of
    the first of them what fits."""
    for pieces in texts:
        text = "\n".join(pieces).strip("\n")
        if fits(text):
            return text
    first, *others = texts[-1]
    while first and not fits(f"{first}\n{MORE}"):
        first = first.split("\n")[0] if "\n" in first else first[: len(first) * 3 // 4]
    if first != texts[-1][0]:
        return f"{first}{MORE}"
    kept = first
    for piece in others:
        if not fits(f"{kept}\n{piece}\n{MORE}"):
            break
        kept = f"{kept}\n{piece}"
    return f"{kept}\n{MORE}"


def literal(text: str) -> str:
    """Words on which most services do nothing."""
    return _OBEYED.sub(lambda found: f"{found[0]}\u2060", visible(text))


_LITERAL = Rewrite(text=literal, code=str, url=str)


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
        case Message(blocks):  # a template's: values of alerts among its words
            return [fenced.fenced(_LITERAL.blocks(blocks))]
        case Body(blocks):
            return [fenced.fenced(blocks)]
        case RunbookTitle(text, url, provenance, about):
            told = (literal(text), url, literal(provenance), literal(about))
            return ["\n" + "\n".join(filter(None, told))]
        case SectionTitle(text):
            return [f"\n{literal(text).upper()}"]
        case StepLine(number, words, blocks):
            return [fenced.step(number, words, blocks)]
        case Links(pairs):
            return ["\n" + "\n".join(f"{words}: {url}" for words, url in pairs)]
        case _:
            return [str(part)]
