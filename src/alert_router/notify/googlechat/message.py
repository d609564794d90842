"""A notification as Google Chat's message: text in Chat's markup, in its group's thread. Pure.

Text and not a card: only text has code blocks. How a message gets there is `notifier`'s.
"""

import hashlib
from dataclasses import replace
from typing import Any

from pydantic_core import to_json

from alert_router.notification import Detail, Notification
from alert_router.notify import chatmessage
from alert_router.notify.googlechat.words import FLAVOUR
from alert_router.notify.outline import fit, outline

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
        return list(chatmessage.pieces(list(outline(told, level)), FLAVOUR))

    pieces = fit(detail, make, lambda made: len(to_json(whole(made))) <= MAX_BYTES)
    return whole(chatmessage.cut(pieces, _size, MAX_BYTES - len(to_json(whole([]))), _CUT))


def _size(piece: str) -> int:
    return len(to_json(piece + "\n")) - len('""')


def _thread(notification: Notification) -> str:
    """The key of the group's thread: the same for all that follows of it at this notifier."""
    place = (notification.receiver, notification.notifier, notification.group.group_key)
    return hashlib.sha256(to_json([ascii(part) for part in place])).hexdigest()[:32]
