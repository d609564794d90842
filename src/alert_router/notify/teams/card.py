"""A notification as a message with one Adaptive Card, within what Teams takes. Pure.

What a card is made of is `elements`'; how it gets there is `notifier`'s.
"""

import json
from collections.abc import Iterator
from typing import Any

from pydantic_core import to_json

from alert_router.notification import Detail, Notification
from alert_router.notify.links import is_web
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
from alert_router.notify.teams.elements import (
    BOLD,
    MONOSPACE,
    SUBTLE,
    TIGHT,
    Element,
    Run,
    buttons,
    foldable,
    line,
    link,
)
from alert_router.notify.teams.runs import elements, lines

# Teams takes about 28 KB (learn.microsoft.com, "Create incoming webhooks": "28 KB"), counted
# after it has put the card into JSON of its own. So two limits: bytes as they are sent, and
# bytes once they are a string in JSON, in ASCII.
MAX_SENT = 20_000
MAX_ENCODED = 27_000

_CUT = "There is more than fits into a message of Teams."
_OLD = "This version of Teams cannot show the message: open it in Teams on a computer."
# A terminal's colour of a severity is one of few, as are the styles of a container.
_STYLES = {"red": "attention", "yellow": "warning", "green": "good", "blue": "accent"}


def message(notification: Notification, detail: Detail) -> dict[str, Any]:
    """The message with as much detail as fits."""
    twice = _twice(notification)
    whole = fit(detail, lambda level: _message(notification, level, twice), _fits)
    _cut(whole)
    return whole


def _twice(notification: Notification) -> bool:
    """Whether commands can be said twice, the second time for clients without CodeBlock, at the
    most detail that fits if they are said once. It does not hang on the detail asked for, so
    that less detail is never a longer message."""

    def make(level: Detail) -> tuple[Detail, dict[str, Any]]:
        return level, _message(notification, level, twice=False)

    level, _ = fit(Detail.FULL, make, lambda made: _fits(made[1]))
    return _fits(_message(notification, level, twice=True))


def _fits(whole: dict[str, Any]) -> bool:
    sent, encoded = _sizes(whole)
    return sent <= MAX_SENT and encoded <= MAX_ENCODED


def _sizes(data: Any) -> tuple[int, int]:
    """Bytes as sent, and as a string in JSON."""
    sent = to_json(data)
    return len(sent), len(json.dumps(sent.decode()))


def _cut(whole: dict[str, Any]) -> None:
    """Cut the card's body where it does not fit: its last elements go, the buttons stay."""
    if _fits(whole):
        return
    card = whole["attachments"][0]["content"]
    body, card["body"] = card["body"], [line([(_CUT, SUBTLE)])]
    sent, encoded = _sizes(whole)
    kept = []
    for element in body:
        sizes = _sizes(element)
        sent, encoded = sent + sizes[0] + 1, encoded + sizes[1] + 1
        if sent > MAX_SENT or encoded > MAX_ENCODED:
            break
        kept.append(element)
    card["body"][:0] = kept


def _message(notification: Notification, detail: Detail, twice: bool) -> dict[str, Any]:
    parts = list(outline(notification, detail))
    card = {
        "$schema": "http://adaptivecards.io/schemas/adaptive-card.json",
        "type": "AdaptiveCard",
        "version": "1.5",
        "fallbackText": _OLD,
        "msteams": {"width": "Full"},
        "body": list(_body(parts, twice)),
        "actions": _buttons(parts),
    }
    kind = "application/vnd.microsoft.card.adaptive"
    return {"type": "message", "attachments": [{"contentType": kind, "content": card}]}


def _buttons(parts: list[Part]) -> list[Element]:
    """The first runbook, and the links."""
    found = [("Runbook", part.url) for part in parts if isinstance(part, RunbookTitle)][:1]
    for part in parts:
        if isinstance(part, Links):
            found += part.pairs
    return buttons((words, url) for words, url in found if is_web(url))


def _body(parts: list[Part], twice: bool) -> Iterator[Element]:
    runbooks = sections = 0
    title = ""
    items: list[Element] = []
    for part in [*parts, Links(())]:  # the end of the last section
        if title and isinstance(part, SectionTitle | RunbookTitle | Links):
            # One runbook is what is wanted; of several, the first is the likeliest.
            yield from foldable(f"s{sections}", title, items, opened=runbooks == 1)
            title, items = "", []
        if isinstance(part, RunbookTitle):
            runbooks += 1
        if isinstance(part, SectionTitle):
            title, sections = part.text, sections + 1
        elif title:
            items += _elements(part, twice)
        else:
            yield from _elements(part, twice)


def _elements(part: Part, twice: bool) -> Iterator[Element]:
    match part:
        case Title(grade):
            text = line([(f"{grade.emoji} {part}", BOLD | {"size": "Large"})])
            style = _STYLES.get(grade.terminal, "emphasis")
            yield {"type": "Container", "style": style, "bleed": True, "items": [text]}
        case AlertLine(text):
            yield line([(text, {})])
            if part.labels:
                yield line([(part.pairs(" · "), SUBTLE | MONOSPACE)], **TIGHT)
        case More(_, url):
            yield line([(str(part), link(url))])
        case Note(text):
            yield line([(text, {"italic": True})])
        case Message(blocks) | Body(blocks):
            yield from elements(blocks, twice=twice)
        case RunbookTitle():
            yield from _runbook(part)
        case StepLine(number, words, blocks):
            first, *more = lines(words)
            yield line([(f"{number}. ", BOLD), *first], spacing="Medium")
            yield from (line(runs) for runs in more)
            yield from elements(blocks, twice=twice)
        case Links():
            return
        case _:
            yield line([(str(part), {})])


def _runbook(part: RunbookTitle) -> Iterator[Element]:
    look = BOLD | (link(part.url) if is_web(part.url) else {})
    title: list[Run] = [(part.text, look)]
    yield line(title, separator=True, spacing="Medium")
    for text in (part.provenance, part.about):
        if text:
            yield line([(text, SUBTLE)], **TIGHT)
