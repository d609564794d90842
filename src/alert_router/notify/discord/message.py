"""A notification as Discord's message: its title, and embeds in Discord's Markdown. Pure.

How a message gets there, and when it is changed, is `notifier`'s.
"""

from collections.abc import Iterable, Iterator
from dataclasses import replace
from typing import Any

from alert_router.notification import Detail, Notification
from alert_router.notify import chatmessage
from alert_router.notify.discord.words import FLAVOUR, SYNTAX
from alert_router.notify.outline import AlertLine, Message, More, Title, fit, outline
from alert_router.notify.summary import one_line
from alert_router.notify.utf16 import units

# docs.discord.com, resources/message, "Embed Limits": of a description, and of all embeds
# together. Discord counts code points; UTF-16 code units are never fewer.
MAX_DESCRIPTION = 4096
MAX_EMBEDS = 6000
# A text has 2,000 characters; one of these may be seven there, seen (`\\ud800`) and escaped.
_MAX_TITLE = 250

_CUT = "There is more than fits into a message of Discord."
_TOO_LONG = "(Too long for Discord: see the runbook's page.)"


def message(notification: Notification, detail: Detail) -> dict[str, Any]:
    """The message with as much detail as fits."""
    first, *_ = outline(notification, Detail.MINIMAL)

    def make(level: Detail) -> list[str]:
        return _pieces(notification, level)

    found = fit(detail, make, lambda made: sum(map(_size, made)) <= MAX_EMBEDS)
    return _message(first, _boxes(chatmessage.cut(found, _size, MAX_EMBEDS, _CUT)))


def change(notification: Notification) -> dict[str, Any]:
    """What the channel is told when a message was changed: how things stand now."""
    first, *parts = outline(notification, Detail.MINIMAL)
    told = [part for part in parts if isinstance(part, AlertLine | Message | More)]
    found = [SYNTAX.kept(piece) for piece in chatmessage.pieces(told, FLAVOUR)]
    return _message(first, _boxes(chatmessage.cut(found, _size, MAX_DESCRIPTION, _CUT)))


def _message(first: Any, descriptions: Iterable[str]) -> dict[str, Any]:
    assert isinstance(first, Title)
    title = replace(first, text=one_line(first.text, _MAX_TITLE))
    colour = int(first.grade.colour.removeprefix("#"), 16)
    return {
        # Not an embed's title: a phone's notification shows only this.
        "content": SYNTAX.kept(chatmessage.title(title, FLAVOUR)),
        "embeds": [{"description": text, "color": colour} for text in descriptions],
        # Nobody is pinged, whatever the text holds; also when it is edited.
        "allowed_mentions": {"parse": []},
    }


def _pieces(notification: Notification, detail: Detail) -> list[str]:
    _, *parts = outline(notification, detail)
    told = map(SYNTAX.kept, chatmessage.pieces(parts, FLAVOUR))
    return [text if units(text) <= MAX_DESCRIPTION else _TOO_LONG for text in told]


def _boxes(found: list[str]) -> Iterator[str]:
    """Pieces in as few descriptions as hold them, in order."""
    held = ""
    for piece in found:
        if held and units(held) + 1 + units(piece) > MAX_DESCRIPTION:
            yield held.strip("\n")
            held = ""
        held = f"{held}\n{piece}" if held else piece
    if held.strip():
        yield held.strip("\n")


def _size(piece: str) -> int:
    return units(piece) + 1
