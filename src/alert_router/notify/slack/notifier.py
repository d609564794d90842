"""The notifier's keys, how messages are posted and changed, and what the Web API's answers mean."""

import re
from dataclasses import dataclass, replace
from typing import Annotated, Any, Literal, Self
from urllib.parse import urlencode

from pydantic import Field, model_validator

from alert_router.fields import ApiUrl, Rate, RateField, Secret, SecretField
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
from alert_router.notify.by_severity import Mentions, mention_names, mentioning
from alert_router.notify.http_notifier import HttpNotifier
from alert_router.notify.responses import Answer, AnswerRules
from alert_router.notify.slack.blocks import escape
from alert_router.notify.slack.message import buttons, render, render_change

# chat.postMessage refuses all blocks together (msg_blocks_too_long) from some 13,200 characters
# on; the limit is not documented, so there is a margin.
MAX_TOTAL = 12_000
_FORM = "application/x-www-form-urlencoded"

# Error codes of chat.postMessage and chat.update (docs.slack.dev, reference/methods).
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
# The message to change is gone, or may no longer be changed: only a new one is left.
_GONE = frozenset(
    (
        *("message_not_found", "cant_update_message", "edit_window_closed", "is_inactive"),
        *("cant_broadcast_message", "thread_not_found", "update_failed"),
    )
)


def _web_api(answer: Answer) -> Outcome | bool:
    """The Web API answers 200 with `"ok": false` and an error code. An unknown code is taken for a
    fault of the token or the channel: Slack's own failures have names."""
    if not isinstance(answer.data.get("ok"), bool):
        return False
    if answer.data["ok"]:
        return True
    code = str(answer.data.get("error", ""))
    message = f"Slack says: {code or 'not ok'}"
    if code in _IN_DOUBT:
        return Failed(Reason.SERVER_ERROR, message, in_doubt=True)
    if code in _RATE:
        return Failed(Reason.RATE_LIMITED, message)
    if code in _LATER:
        return Failed(Reason.SERVER_ERROR, message)
    if code in _MESSAGE:
        return Failed(Reason.REJECTED, message, Remedy.SMALLER)
    return misconfigured(message)


_WEB_API = AnswerRules(confirms=_web_api)


_ID = re.compile(r"(?:<@|<!subteam\^)?(?P<id>[SUW][A-Z0-9]{4,20})>?")
_ALL = re.compile(r"(?:<!|@)?(?P<name>here|channel|everyone)>?")


def _mention(name: str) -> str | None:
    if found := _ALL.fullmatch(name):
        return f"<!{found['name']}>"
    if found := _ID.fullmatch(name):
        return f"<!subteam^{found['id']}>" if found["id"][0] == "S" else f"<@{found['id']}>"
    return None


_MENTIONS = mention_names(
    _mention, "the id of a user group (S012AB3CD) or a user (U012AB3CD), here, channel, everyone"
)


@dataclass(frozen=True, slots=True)
class BotPayload:
    """The message, the reply in its thread when it is changed, and whether the group is over."""

    message: dict[str, Any]
    reply: dict[str, Any]
    over: bool


class SlackNotifier(HttpNotifier):
    """Posts to one channel: the webhook's own, or `channel` by a bot.

    A bot changes its message when its group changes, and says so in the message's thread.
    """

    # An incoming webhook answers `ok`, in plain text.
    rules = AnswerRules(confirms=lambda answer: answer.body.strip() == b"ok")

    type: Literal["slack"] = "slack"
    rate_limit: RateField | None = Rate(1, 1.0)  # a channel accepts about one a second
    url: SecretField | None = None
    """The URL of an incoming webhook."""
    bot_token: SecretField | None = None
    """Instead of a URL: a bot's token, `xoxb-...`."""
    app_token: SecretField | None = None
    """The app's token, `xapp-...`: messages of the bot have buttons, which Socket Mode hears."""
    channel: str = ""
    """Where the bot posts: a channel's id, or `#name`."""
    thread: bool = True
    """Whether the bot says in the message's thread that the message was changed."""
    broadcast: bool = False
    """Whether that is shown in the channel too."""
    mention: Annotated[Mentions, _MENTIONS] = Field(default_factory=dict)
    """Whom to mention while alerts fire: ids of user groups and users, `here`, `channel`."""
    api_url: ApiUrl = "https://slack.com/api"
    """The Web API's address, for GovSlack or a proxy."""

    @property
    def changes_messages(self) -> bool:
        """As of any notifier: an incoming webhook cannot."""
        return self.bot_token is not None

    @model_validator(mode="after")
    def _webhook_or_bot(self) -> Self:
        if (self.url is None) == (self.bot_token is None):
            raise ValueError(
                "give one of `url` (an incoming webhook, Alertmanager's `api_url`) and `bot_token`"
            )
        if (self.bot_token is None) == bool(self.channel):
            raise ValueError("`bot_token` and `channel` go together")
        if self.app_token is not None and self.bot_token is None:
            raise ValueError("`app_token` is for the buttons of a bot: it goes with `bot_token`")
        if self.broadcast and not self.thread:
            raise ValueError("`broadcast` shows replies of the thread: it goes with `thread`")
        return self

    def render(
        self, notification: Notification, detail: Detail = Detail.FULL
    ) -> dict[str, Any] | BotPayload:
        """A webhook's message, or what a bot posts."""
        notification = mentioning(notification, self.mention)
        if self.bot_token is None:
            return render(notification, detail)
        pressed = None
        if self.app_token is not None:
            pressed = buttons(notification)
            notification = replace(notification, actions=())
        return BotPayload(
            message=render(notification, detail, MAX_TOTAL, pressed),
            reply=render_change(notification),
            over=notification.status is Status.RESOLVED,
        )

    async def notify(self, payload: dict[str, Any] | BotPayload, sending: Sending) -> Outcome:
        if not isinstance(payload, BotPayload):
            assert self.url is not None
            return await self.post(sending, self.url.read(), payload)
        place = references.continued(sending.reference, {"channel", "ts"}, over=payload.over)
        if place is None:
            return await self._begin(payload, sending)
        outcome, answer = await self._call("chat.update", payload.message | place, sending)
        if answer.data.get("error") in _GONE:
            return await self._begin(payload, sending)
        if isinstance(outcome, Failed) or sending.only_change:
            return outcome
        if self.thread:
            thread = {"thread_ts": place["ts"], "reply_broadcast": self.broadcast}
            reply = payload.reply | {"channel": place["channel"]} | thread
            replied, answer = await self._call("chat.postMessage", reply, sending)
            # A missing thread is not worth a repeat: the message itself is up to date by now.
            if isinstance(replied, Failed) and answer.data.get("error") not in _GONE:
                return replied
        return Delivered(_reference(place, over=payload.over))

    async def _begin(self, payload: BotPayload, sending: Sending) -> Outcome:
        """A new message, to be changed later."""
        if sending.only_change:
            return Delivered()
        arguments = payload.message | {"channel": self.channel}
        outcome, answer = await self._call("chat.postMessage", arguments, sending)
        if isinstance(outcome, Failed):
            return outcome
        return Delivered(_reference(answer.data, over=payload.over))

    async def open_socket(self, sending: Sending) -> str | Failed:
        """The address of a websocket for Socket Mode, which lets whoever has it in."""
        outcome, answer = await self._call("apps.connections.open", b"", sending, self.app_token)
        if isinstance(outcome, Failed):
            return outcome
        url = str(answer.data.get("url", ""))
        is_open = self.api_url.startswith("http://") and url.startswith("ws://")
        if not is_open and not url.startswith("wss://"):
            return misconfigured("Slack names no address to connect to")
        return url

    async def name_of(self, user: str, sending: Sending) -> str:
        """The name that a person shows; empty where Slack does not say, as without `users:read`."""
        body = urlencode({"user": user}).encode()
        _, answer = await self._call("users.info", body, sending)
        found = answer.data.get("user")
        person = found if isinstance(found, dict) else {}
        profile = person.get("profile")
        shown = profile if isinstance(profile, dict) else {}
        names = (shown.get("display_name"), shown.get("real_name"), person.get("name"))
        return next((name for name in names if isinstance(name, str) and name.strip()), "")

    async def whisper(self, channel: str, user: str, text: str, sending: Sending) -> None:
        """Say something that only one person sees."""
        arguments = {"channel": channel, "user": user, "text": escape(text)}
        await self._call("chat.postEphemeral", arguments, sending)

    async def _call(
        self,
        method: str,
        arguments: dict[str, Any] | bytes,
        sending: Sending,
        token: Secret | None = None,
    ) -> tuple[Outcome, Answer]:
        """A call of the Web API, by the bot unless another token is given; JSON, or a form."""
        token = token or self.bot_token
        assert token is not None
        form = isinstance(arguments, bytes)
        headers = {
            "Authorization": f"Bearer {token.read()}",
            "Content-Type": _FORM if form else "application/json; charset=utf-8",
        }
        url = f"{self.api_url}/{method}"
        return await self.request(sending, url, arguments, headers=headers, rules=_WEB_API)


def _reference(answer: dict[str, Any], *, over: bool) -> str | None:
    """The reference to a message; None where Slack did not say where it is."""
    place = {"channel": str(answer.get("channel", "")), "ts": str(answer.get("ts", ""))}
    return references.reference(place, over=over) if all(place.values()) else None
