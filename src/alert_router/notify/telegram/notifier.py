"""The notifier `telegram`: a bot that keeps one message a group up to date in a chat.

What a message looks like is `message`'s, what the Bot API's answers mean is `api`'s.
"""

import re
from typing import Annotated, Any, Literal

from pydantic_core import from_json, to_json

from alert_router.fields import Secret, SecretUnavailable, written
from alert_router.model import Status
from alert_router.notification import Detail, Notification
from alert_router.notify import story
from alert_router.notify.base import Delivered, Failed, Outcome, Reason, Remedy, Sending
from alert_router.notify.overhttp import HttpNotifier
from alert_router.notify.rate import Rate, RateField
from alert_router.notify.secrets import SecretField
from alert_router.notify.telegram import api
from alert_router.notify.telegram.message import change, message

API = "https://api.telegram.org"

_TOKEN = re.compile(r"[0-9]+:[A-Za-z0-9_-]+")
ChatId = Annotated[
    int | str,
    written(
        r"@[A-Za-z][A-Za-z0-9_]+|-?[0-9]+",
        "a chat's number such as -1001234567890, or @name of a public channel or group",
    ),
]
_ApiUrl = Annotated[
    str,
    written(
        r"https?://[^\s?#]+[^\s?#/]",
        f"a URL such as {API}, without query and without a slash at its end",
    ),
]


class TelegramNotifier(HttpNotifier):
    """Posts to one chat. The message is changed when its group changes, which tells nobody, so
    a short reply to it does."""

    type: Literal["telegram"] = "telegram"
    rate_limit: RateField | None = Rate(20, 60.0)  # what a group takes from a bot
    bot_token: SecretField
    chat_id: ChatId
    message_thread_id: int | None = None
    disable_notifications: bool = False
    reply: bool = True
    api_url: _ApiUrl = API

    def secrets(self) -> list[Secret]:
        """As of any notifier, and what follows the colon of the token: who spells an address anew
        may write the colon as %3A."""
        found = super().secrets()
        try:
            half = self.bot_token.read().partition(":")[2]
        except SecretUnavailable:
            return found
        return [*found, Secret(plain=half)] if half else found

    def render(self, notification: Notification, detail: Detail = Detail.FULL) -> bytes:
        """The message, the reply for when it was changed, and whether the group is over."""
        return to_json(
            {
                "message": message(notification, detail),
                "reply": change(notification),
                "over": notification.status is Status.RESOLVED,
            }
        )

    async def notify(self, payload: bytes, sending: Sending) -> Outcome:
        said = from_json(payload)
        place = story.continued(sending.reference, {"chat_id", "message_id"}, over=said["over"])
        if place is None or place["chat_id"] != self.chat_id:
            return await self._begin(said, sending)
        outcome, answer = await self._call("editMessageText", place | said["message"], sending)
        if api.is_gone(answer):
            return await self._begin(said, sending)
        if isinstance(outcome, Failed):
            return outcome
        if self.reply:
            to = {"message_id": place["message_id"], "allow_sending_without_reply": True}
            told, _ = await self._send(said["reply"] | {"reply_parameters": to}, sending)
            if isinstance(told, Failed):
                return told
        return Delivered(story.reference(place, over=said["over"]))

    async def _begin(self, said: dict[str, Any], sending: Sending) -> Outcome:
        """A message of its own, to be changed later."""
        outcome, answer = await self._send(said["message"], sending)
        if isinstance(outcome, Failed):
            return outcome
        found = api.message_id(answer)
        if found is None:
            return Delivered()
        place = {"chat_id": self.chat_id, "message_id": found}
        return Delivered(story.reference(place, over=said["over"]))

    async def _send(self, what: dict[str, Any], sending: Sending) -> tuple[Outcome, bytes]:
        more: dict[str, Any] = {}
        if self.disable_notifications:
            more["disable_notification"] = True
        if self.message_thread_id is not None:
            more["message_thread_id"] = self.message_thread_id
        return await self._call("sendMessage", {"chat_id": self.chat_id} | what | more, sending)

    async def _call(
        self, method: str, arguments: dict[str, Any], sending: Sending
    ) -> tuple[Outcome, bytes]:
        """A call of the Bot API: what became of it, and what was answered."""
        try:
            token = self.bot_token.read()
        except SecretUnavailable as error:
            return Failed(Reason.MISCONFIGURED, str(error), Remedy.HOLD), b""
        if not _TOKEN.fullmatch(token):
            message = "bot_token is no token of a bot: it looks like 123456:ABC-DEF"
            return Failed(Reason.MISCONFIGURED, message, Remedy.HOLD), b""
        url = Secret(plain=f"{self.api_url}/bot{token}/{method}")
        found = await self.ask(sending, url, to_json(arguments), dialect=api.DIALECT)
        if api.refuses_link(found[1]):  # a link is not worth the message
            kept = [one for one in arguments["entities"] if one["type"] != "text_link"]
            bare = to_json(arguments | {"entities": kept})
            found = await self.ask(sending, url, bare, dialect=api.DIALECT)
        return found
