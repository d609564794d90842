"""The notifier `googlechat`: an incoming webhook of a space, a thread for each group.

What a message looks like is `message`'s.
"""

from typing import Literal
from urllib.parse import urlencode

from pydantic_core import from_json, to_json

from alert_router.fields import Secret, SecretUnavailable
from alert_router.notification import Detail, Notification
from alert_router.notify.answers import Dialect
from alert_router.notify.base import Failed, Outcome, Reason, Remedy, Sending
from alert_router.notify.googlechat.message import message
from alert_router.notify.overhttp import HttpNotifier
from alert_router.notify.rate import Rate, RateField
from alert_router.notify.secrets import SecretField

# Parameters of the request that are ours, whatever the URL has of them.
_OURS = frozenset(("requestId", "messageReplyOption", "threadKey"))


class GoogleChatNotifier(HttpNotifier):
    """Posts to one space. A request sent twice is the same message to Chat, so that a resend
    does no harm."""

    type: Literal["googlechat"] = "googlechat"
    rate_limit: RateField | None = Rate(1, 1.0)  # a space takes 60 a minute, from all apps
    url: SecretField

    def render(self, notification: Notification, detail: Detail = Detail.FULL) -> bytes:
        """The message with the key of its thread, as JSON."""
        return to_json(message(notification, detail))

    async def notify(self, payload: bytes, sending: Sending) -> Outcome:
        try:
            target = Secret(plain=_address(self.url.read(), sending.id))
        except SecretUnavailable as error:
            return Failed(Reason.MISCONFIGURED, str(error), Remedy.HOLD)
        headers = {"Content-Type": "application/json; charset=UTF-8"}
        return await self.post(sending, target, payload, headers=headers, dialect=_DIALECT)


def _address(url: str, id: str) -> str:
    """The webhook's URL for one message: the same id is the same message."""
    place, _, query = url.partition("#")[0].partition("?")
    kept = [pair for pair in query.split("&") if pair and pair.partition("=")[0] not in _OURS]
    # In a space without threads the message stands for itself.
    reply = {"messageReplyOption": "REPLY_MESSAGE_FALLBACK_TO_NEW_THREAD", "requestId": id}
    return f"{place}?{'&'.join([*kept, urlencode(reply)])}"


def _agrees(answer: bytes) -> str | None:
    """Chat answers with the message it made."""
    try:
        data = from_json(answer)
    except ValueError:
        data = None
    if isinstance(data, dict) and "/messages/" in str(data.get("name")):
        return None
    return answer.decode("utf-8", "replace") or "empty answer"


def _wrong_key(answer: bytes) -> bool:
    """Whether a 400 is about the URL's `key`, which every message has."""
    return b"API_KEY_INVALID" in answer or b"API key not valid" in answer


_DIALECT = Dialect(agrees=_agrees, wrong_destination=_wrong_key)
