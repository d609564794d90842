"""What an event's `custom_details` say, as text under short headings.

PagerDuty shows these values as they are: there is no markup that an alert could use. The rest of
an event is `event`'s.
"""

from collections.abc import Mapping, Sequence
from dataclasses import replace

from alert_router.markdown import visible
from alert_router.notification import Detail, Notification, RunbookPart
from alert_router.notify import fenced
from alert_router.notify.outline import (
    AlertLine,
    Body,
    Message,
    More,
    Note,
    RunbookTitle,
    SectionTitle,
    StepLine,
    outline,
)

Entries = list[tuple[str, str]]  # headings and texts, in order


def sections(notification: Notification, part: RunbookPart, detail: Detail) -> Entries:
    """A runbook's sections with as much of their steps as `detail` tells. The same for every
    event of a notification, and dear: to be made once."""
    # Nothing of the alerts is told here, so that there need not be hundreds for each runbook.
    group = notification.group.with_alerts(notification.group.alerts[:1])
    alone = replace(notification, group=group, runbooks=(part,), without_runbook=(), notes=())
    found: list[tuple[str, list[str]]] = []
    for piece in outline(alone, detail):
        match piece:
            case SectionTitle(text):
                found.append((visible(text), []))
            case Body(blocks):
                found[-1][1].append(fenced.fenced(blocks))
            case StepLine(number, words, blocks):
                found[-1][1].append(fenced.step(number, words, blocks))
            case _:
                continue
    between = "\n\n" if detail > Detail.TITLES else "\n"
    return [(heading, between.join(texts)) for heading, texts in found]


def details(
    notification: Notification, detail: Detail, told: Mapping[str, Entries]
) -> dict[str, str]:
    """The alerts, the notes, and each runbook with its sections, `told` by its id."""
    bare = tuple(replace(part, sections=()) for part in notification.runbooks)
    alerts, notes = [], []
    entries: Entries = []
    titles = iter(bare)
    for piece in outline(replace(notification, runbooks=bare, resent=False), detail):
        match piece:
            case AlertLine(text):
                alerts.append(f"{text}\n    {piece.pairs()}" if piece.labels else text)
            case More():
                alerts.append(str(piece))
            case Message(blocks):
                alerts.append(fenced.fenced(blocks))
            case Note(text):
                notes.append(text)
            case RunbookTitle(text, url, provenance, about):
                lines = [text, url, provenance, about]
                entries.append(("Runbook", visible("\n".join(line for line in lines if line))))
                entries += told.get(next(titles).id, ())
            case _:
                continue
    top = [("Alerts", visible("\n".join(alerts))), ("Note", visible("\n".join(notes)))]
    return _named([*top, *entries])


def _named(entries: Sequence[tuple[str, str]]) -> dict[str, str]:
    """The texts by heading; one that comes again is numbered."""
    named: dict[str, str] = {}
    for heading, text in entries:
        if not text:
            continue
        key, number = heading, 1
        while key in named:
            number += 1
            key = f"{heading} ({number})"
        named[key] = text
    return named
