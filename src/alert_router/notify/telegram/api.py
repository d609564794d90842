"""What Telegram's Bot API answers: `ok`, and where that is false, words that say why.

The words are the Bot API server's own (`description`); there is no list of them.
"""

from typing import Any

from pydantic_core import from_json

from alert_router.notify.answers import Dialect
from alert_router.notify.base import Delivered, Failed, Outcome, Reason, Remedy

# True of every message to this chat, as the server words it.
_WRONG_CHAT = (
    *("chat not found", "chat_id", "upgraded to a supergroup", "thread not found"),
    *("not enough rights", "have no rights", "need administrator rights", "write_forbidden"),
    *("peer_id_invalid", "topic_closed", "topic_deleted", "chat_restricted", "user is deactivated"),
    "chat_send_plain_forbidden",
)
# The message to change is gone, or may no longer be changed.
_GONE = ("message to edit not found", "message can't be edited", "message_id_invalid")
_UNCHANGED = "message is not modified"


def parse(answer: bytes) -> dict[str, Any] | None:
    """The answer as an object; None for what is none."""
    try:
        data = from_json(answer)
    except ValueError:
        return None
    return data if isinstance(data, dict) else None


def is_gone(answer: bytes) -> bool:
    """Whether there is nothing to change any more."""
    return _says(answer, *_GONE)


def refuses_link(answer: bytes) -> bool:
    """Whether it is an address in the message that is not taken, and no more than that."""
    return _says(answer, "entity url", "wrong http url", "entity_texturl_invalid")


def message_id(answer: bytes) -> int | None:
    """The id of the message that was sent; None where the answer names none."""
    result = (parse(answer) or {}).get("result")
    found = result.get("message_id") if isinstance(result, dict) else None
    return found if isinstance(found, int) else None


def _agrees(answer: bytes) -> Failed | str | None:
    data = parse(answer)
    if data is not None and data.get("ok") is True:
        return None
    if data is None or data.get("ok") is not False:
        return answer.decode("utf-8", "replace") or "empty answer"
    # The server says no with a status of its own; a proxy may have lost it.
    return Failed(Reason.REJECTED, f"Telegram says: {data.get('description')}", Remedy.SMALLER)


def _refused(status: int, answer: bytes) -> Outcome | None:
    if status != 400:
        return None
    if _says(answer, _UNCHANGED):
        return Delivered()
    data = parse(answer) or {}
    moved = _parameter(data, "migrate_to_chat_id")
    if moved is not None:
        message = f"the group has become a supergroup: its chat_id is {moved:.0f} now"
        return Failed(Reason.MISCONFIGURED, message, Remedy.HOLD)
    if _says(answer, *_WRONG_CHAT):
        message = f"Telegram says: {data.get('description')}"
        return Failed(Reason.MISCONFIGURED, message, Remedy.HOLD)
    return None


def _wait(answer: bytes) -> float | None:
    return _parameter(parse(answer) or {}, "retry_after")


def _parameter(data: dict[str, Any], name: str) -> float | None:
    parameters = data.get("parameters")
    found = parameters.get(name) if isinstance(parameters, dict) else None
    return float(found) if isinstance(found, int | float) else None


def _says(answer: bytes, *words: str) -> bool:
    description = str((parse(answer) or {}).get("description", "")).lower()
    return any(each in description for each in words)


DIALECT = Dialect(agrees=_agrees, wait=_wait, refused=_refused)
