"""What Discord answers: the message it made, or a code and words that say why not
(discord.com/developers/docs, "Opcodes and Status Codes").
"""

from typing import Any

from pydantic_core import from_json

from alert_router.notify.answers import Dialect

# Deleted by somebody, or made by another webhook than the one there is now.
_GONE = frozenset((10008, 50005))
# 400s that are true of every message: a forum that wants a thread, a thread that is none of it.
_WRONG_PLACE = frozenset((220001, 220002, 220003, 220004))


def message_id(answer: bytes) -> str | None:
    """The id of the message that was made or changed."""
    found = (_parse(answer) or {}).get("id")
    return found if isinstance(found, str) and found.isdecimal() else None


def is_gone(answer: bytes) -> bool:
    """Whether there is no such message to change any more."""
    return _code(answer) in _GONE


def _agrees(answer: bytes) -> str | None:
    if message_id(answer) is not None:
        return None
    return answer.decode("utf-8", "replace") or "empty answer"


def _wait(answer: bytes) -> float | None:
    found = (_parse(answer) or {}).get("retry_after")
    return float(found) if isinstance(found, int | float) else None


def _wrong_place(answer: bytes) -> bool:
    return _code(answer) in _WRONG_PLACE


def _code(answer: bytes) -> object:
    return (_parse(answer) or {}).get("code")


def _parse(answer: bytes) -> dict[str, Any] | None:
    try:
        data = from_json(answer)
    except ValueError:
        return None
    return data if isinstance(data, dict) else None


DIALECT = Dialect(agrees=_agrees, wait=_wait, wrong_destination=_wrong_place)
