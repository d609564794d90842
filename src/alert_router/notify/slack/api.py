"""What Slack's Web API answers: 200 with `"ok": false` and a word that says why.

The words are those of chat.postMessage and chat.update (docs.slack.dev, reference/methods).
"""

from typing import Any

from pydantic_core import from_json

from alert_router.notify.base import Failed, Reason, Remedy

_IN_DOUBT = frozenset(("internal_error", "fatal_error", "request_timeout"))
_LATER = frozenset(("service_unavailable", "team_added_to_org", "accesslimited"))
_RATE = frozenset(("ratelimited", "rate_limited", "message_limit_exceeded"))
_MESSAGE = frozenset(
    (
        *("msg_too_long", "msg_blocks_too_long", "invalid_blocks", "invalid_blocks_format"),
        *("no_text", "markdown_text_conflict", "too_many_attachments", "invalid_arguments"),
        *("invalid_post_type", "block_mismatch", "invalid_metadata_format", "invalid_json"),
    )
)
# The message to change is gone, or may no longer be changed: there is nothing but a new one.
GONE = frozenset(
    (
        *("message_not_found", "cant_update_message", "edit_window_closed", "is_inactive"),
        *("cant_broadcast_message", "thread_not_found", "update_failed"),
    )
)


def parse(answer: bytes) -> dict[str, Any] | None:
    """The answer as an object; None for what is none."""
    try:
        data = from_json(answer)
    except ValueError:
        return None
    return data if isinstance(data, dict) else None


def objection(answer: bytes) -> Failed | str | None:
    """What an answer with status 200 says against success; None if nothing."""
    data = parse(answer)
    if data is None or not isinstance(data.get("ok"), bool):
        return answer.decode("utf-8", "replace") or "empty answer"
    if data["ok"]:
        return None
    return refusal(str(data.get("error", "")))


def refusal(word: str) -> Failed:
    """What an `error` means. One that nobody knows is true of this token or channel as far as
    can be told: Slack's own failures have names."""
    message = f"Slack says: {word or 'not ok'}"
    if word in _IN_DOUBT:
        return Failed(Reason.SERVER_ERROR, message, in_doubt=True)
    if word in _RATE:
        return Failed(Reason.RATE_LIMITED, message)
    if word in _LATER:
        return Failed(Reason.SERVER_ERROR, message)
    if word in _MESSAGE:
        return Failed(Reason.REJECTED, message, Remedy.SMALLER)
    return Failed(Reason.MISCONFIGURED, message, Remedy.HOLD)
