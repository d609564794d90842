"""The notifier's keys, how messages are sent and changed, and what the Bot API's answers mean.

Refusals are recognized by words of the Bot API server (`description`); there is no list of them.
"""

import re
from dataclasses import dataclass
from typing import Annotated, Any, Literal

from pydantic import Field

from alert_router.fields import (
    ApiUrl,
    Rate,
    RateField,
    Secret,
    SecretField,
    SecretUnavailable,
    written,
)
from alert_router.model import Status
from alert_router.notification import Detail, Notification
from alert_router.notify import references
from alert_router.notify.base import (
    Delivered,
    Failed,
    Outcome,
    Reason,
    Remedy,
    Sending,
    misconfigured,
)
from alert_router.notify.by_severity import Mentions, mention_names, mentioning, named
from alert_router.notify.http_notifier import HttpNotifier
from alert_router.notify.responses import Answer, AnswerRules
from alert_router.notify.telegram.message import render, render_change

_TOKEN = re.compile(r"[0-9]+:[A-Za-z0-9_-]+")
ChatId = Annotated[
    int | str,
    written(
        r"@[A-Za-z][A-Za-z0-9_]+|-?[0-9]+",
        "a chat's number such as -1001234567890, or @name of a public channel or group",
    ),
]

# True of every message to this chat.
_WRONG_CHAT = (
    *("chat not found", "chat_id", "upgraded to a supergroup", "thread not found"),
    *("not enough rights", "have no rights", "need administrator rights", "write_forbidden"),
    *("peer_id_invalid", "topic_closed", "topic_deleted", "chat_restricted", "user is deactivated"),
    "chat_send_plain_forbidden",
)
# The message to change is gone, or may no longer be changed.
_GONE = ("message to edit not found", "message can't be edited", "message_id_invalid")
_WRONG_LINK = ("entity url", "wrong http url", "entity_texturl_invalid")


def _says(answer: Answer, *words: str) -> bool:
    description = str(answer.data.get("description", "")).lower()
    return any(each in description for each in words)


def _parameter(answer: Answer, name: str) -> float | None:
    parameters = answer.data.get("parameters")
    found = parameters.get(name) if isinstance(parameters, dict) else None
    return float(found) if isinstance(found, int | float) else None


def _confirms(answer: Answer) -> Outcome | bool:
    ok = answer.data.get("ok")
    if not isinstance(ok, bool) or ok:
        return bool(ok)
    # The server refuses with a status of its own; a proxy may have lost it.
    message = f"Telegram says: {answer.data.get('description')}"
    return Failed(Reason.REJECTED, message, Remedy.SMALLER)


def _refused(answer: Answer) -> Outcome | None:
    if answer.status != 400:
        return None
    if _says(answer, "message is not modified"):
        return Delivered()
    moved = _parameter(answer, "migrate_to_chat_id")
    if moved is not None:
        return misconfigured(f"the group is a supergroup now: set its chat_id to {moved:.0f}")
    if _says(answer, *_WRONG_CHAT):
        return misconfigured(f"Telegram says: {answer.data.get('description')}")
    return None


_USERNAME = re.compile(r"@[A-Za-z][A-Za-z0-9_]{3,31}")


def _mention(name: str) -> str | None:
    found = named(name)
    return name if _USERNAME.fullmatch(name) or (found and found[1].isdecimal()) else None


_MENTIONS = mention_names(_mention, "@username, or a name and the user's number: Ann <123456>")


@dataclass(frozen=True, slots=True)
class TelegramPayload:
    """The message, the reply to it when it is changed, and whether the group is over."""

    message: dict[str, Any]
    reply: dict[str, Any]
    over: bool


class TelegramNotifier(HttpNotifier):
    """Posts to one chat. The message is changed when its group changes, which notifies nobody, so
    a short reply to it is sent too."""

    rules = AnswerRules(
        confirms=_confirms,
        refused=_refused,
        wait=lambda answer: _parameter(answer, "retry_after"),
    )

    type: Literal["telegram"] = "telegram"
    rate_limit: RateField | None = Rate(20, 60.0)  # what a group accepts from a bot
    bot_token: SecretField
    """The bot's token."""
    chat_id: ChatId
    """The chat: a number, or `@name` of a public channel or group."""
    message_thread_id: int | None = None
    """The topic of a group that has topics."""
    disable_notifications: bool = False
    """Whether messages arrive without a sound."""
    reply: bool = True
    """Whether a short reply says that a message was changed."""
    mention: Annotated[Mentions, _MENTIONS] = Field(default_factory=dict)
    """Whom to mention while alerts fire: `@username`, or `Ann <123456>`."""
    api_url: ApiUrl = "https://api.telegram.org"
    """The Bot API's address, for a server of your own."""

    def secrets(self) -> list[Secret]:
        """As of any notifier, and the part of the token after its colon: whoever encodes the URL
        again may write the colon as %3A."""
        found = super().secrets()
        try:
            half = self.bot_token.read().partition(":")[2]
        except SecretUnavailable:
            return found
        return [*found, Secret(plain=half)] if half else found

    @property
    def changes_messages(self) -> bool:
        """As of any notifier."""
        return True

    def render(self, notification: Notification, detail: Detail = Detail.FULL) -> TelegramPayload:
        """The message, and what a change of it needs."""
        notification = mentioning(notification, self.mention)
        return TelegramPayload(
            message=render(notification, detail),
            reply=render_change(notification),
            over=notification.status is Status.RESOLVED,
        )

    async def notify(self, payload: TelegramPayload, sending: Sending) -> Outcome:
        names = {"chat_id", "message_id"}
        place = references.continued(sending.reference, names, over=payload.over)
        if place is None or place["chat_id"] != self.chat_id:
            return await self._begin(payload, sending)
        outcome, answer = await self._call("editMessageText", place | payload.message, sending)
        if _says(answer, *_GONE):
            return await self._begin(payload, sending)
        if isinstance(outcome, Failed) or sending.only_change:
            return outcome
        if self.reply:
            to = {"message_id": place["message_id"], "allow_sending_without_reply": True}
            replied, _ = await self._send(payload.reply | {"reply_parameters": to}, sending)
            if isinstance(replied, Failed):
                return replied
        return Delivered(references.reference(place, over=payload.over))

    async def _begin(self, payload: TelegramPayload, sending: Sending) -> Outcome:
        """A new message, to be changed later."""
        if sending.only_change:
            return Delivered()
        outcome, answer = await self._send(payload.message, sending)
        if isinstance(outcome, Failed):
            return outcome
        result = answer.data.get("result")
        found = result.get("message_id") if isinstance(result, dict) else None
        if not isinstance(found, int):
            return Delivered()
        place = {"chat_id": self.chat_id, "message_id": found}
        return Delivered(references.reference(place, over=payload.over))

    async def _send(self, body: dict[str, Any], sending: Sending) -> tuple[Outcome, Answer]:
        more: dict[str, Any] = {}
        if self.disable_notifications:
            more["disable_notification"] = True
        if self.message_thread_id is not None:
            more["message_thread_id"] = self.message_thread_id
        return await self._call("sendMessage", {"chat_id": self.chat_id} | body | more, sending)

    async def _call(
        self, method: str, arguments: dict[str, Any], sending: Sending
    ) -> tuple[Outcome, Answer]:
        """A call of the Bot API."""
        token = self.bot_token.read()
        if not _TOKEN.fullmatch(token):
            raise SecretUnavailable("`bot_token` is invalid: expected the form 123456:ABC-DEF")
        url = f"{self.api_url}/bot{token}/{method}"
        outcome, answer = await self.request(sending, url, arguments)
        if _says(answer, *_WRONG_LINK):  # a link is not worth the message
            kept = [one for one in arguments["entities"] if one["type"] != "text_link"]
            return await self.request(sending, url, arguments | {"entities": kept})
        return outcome, answer
