"""The notifier `slack`: an incoming webhook, or a bot that keeps one message a group up to date.

What messages look like is `message`'s, what the Web API's answers mean is `api`'s.
"""

from typing import Annotated, Any, Literal, Self

from pydantic import model_validator
from pydantic_core import from_json, to_json

from alert_router.fields import Secret, SecretUnavailable, written
from alert_router.model import Status
from alert_router.notification import Detail, Notification
from alert_router.notify import story
from alert_router.notify.answers import Dialect
from alert_router.notify.base import Delivered, Failed, Outcome, Reason, Remedy, Sending
from alert_router.notify.overhttp import HttpNotifier
from alert_router.notify.rate import Rate, RateField
from alert_router.notify.secrets import SecretField
from alert_router.notify.slack import api
from alert_router.notify.slack.message import change, message

# chat.postMessage refuses all blocks together (msg_blocks_too_long) from some 13,200 characters
# on; the limit is not documented, so there is a margin.
MAX_TOTAL = 12_000

API = "https://slack.com/api"
_ApiUrl = Annotated[
    str,
    written(
        r"https?://[^\s?#]+[^\s?#/]",
        f"a URL such as {API}, without query and without a slash at its end",
    ),
]


class SlackNotifier(HttpNotifier):
    """Posts to one channel: the webhook's own, or `channel` by a bot.

    A bot changes its message when its group changes, and says so in the message's thread.
    """

    type: Literal["slack"] = "slack"
    rate_limit: RateField | None = Rate(1, 1.0)  # a channel takes about one a second
    url: SecretField | None = None
    bot_token: SecretField | None = None
    channel: str = ""
    thread: bool = True
    broadcast: bool = False
    api_url: _ApiUrl = API

    @model_validator(mode="after")
    def _one_way(self) -> Self:
        if (self.url is None) == (self.bot_token is None):
            raise ValueError("give one of `url` (incoming webhook) and `bot_token`")
        if (self.bot_token is None) == bool(self.channel):
            raise ValueError("`bot_token` and `channel` go together")
        if self.broadcast and not self.thread:
            raise ValueError("`broadcast` shows replies of the thread: it goes with `thread`")
        return self

    def render(self, notification: Notification, detail: Detail = Detail.FULL) -> bytes:
        """The webhook's message as JSON; for a bot the message, the reply for its thread, and
        whether the group is over."""
        if self.bot_token is None:
            return to_json(message(notification, detail))
        return to_json(
            {
                "message": message(notification, detail, MAX_TOTAL),
                "reply": change(notification),
                "over": notification.status is Status.RESOLVED,
            }
        )

    async def notify(self, payload: bytes, sending: Sending) -> Outcome:
        if self.url is not None:
            return await self.post(sending, self.url, payload, dialect=Dialect(agrees=_agrees))
        said = from_json(payload)
        place = story.continued(sending.reference, {"channel", "ts"}, over=said["over"])
        if place is None:
            return await self._begin(said, sending)
        outcome, answer = await self._call("chat.update", said["message"] | place, sending)
        if answer.get("error") in api.GONE:  # deleted, or too old to be changed
            return await self._begin(said, sending)
        if isinstance(outcome, Failed):
            return outcome
        if self.thread:
            thread = {"thread_ts": place["ts"], "reply_broadcast": self.broadcast}
            reply = said["reply"] | {"channel": place["channel"]} | thread
            told, answer = await self._call("chat.postMessage", reply, sending)
            # A thread that is gone is no reason to repeat what the message itself says by now.
            if isinstance(told, Failed) and answer.get("error") not in api.GONE:
                return told
        return Delivered(_reference(place, over=said["over"]))

    async def _begin(self, said: dict[str, Any], sending: Sending) -> Outcome:
        """A message of its own, with a place to change it at."""
        arguments = said["message"] | {"channel": self.channel}
        outcome, answer = await self._call("chat.postMessage", arguments, sending)
        if isinstance(outcome, Failed):
            return outcome
        return Delivered(_reference(answer, over=said["over"]))

    async def _call(
        self, method: str, arguments: dict[str, Any], sending: Sending
    ) -> tuple[Outcome, dict[str, Any]]:
        """A call of the Web API: what became of it, and what was answered, {} for nothing."""
        assert self.bot_token is not None
        try:
            token = self.bot_token.read()
        except SecretUnavailable as error:
            return Failed(Reason.MISCONFIGURED, str(error), Remedy.HOLD), {}
        outcome, answer = await self.ask(
            sending,
            Secret(plain=f"{self.api_url}/{method}"),
            to_json(arguments),
            headers={
                "Authorization": f"Bearer {token}",
                "Content-Type": "application/json; charset=utf-8",
            },
            dialect=Dialect(agrees=api.objection),
        )
        return outcome, api.parse(answer) or {}


def _agrees(answer: bytes) -> str | None:
    """An incoming webhook says `ok`, in plain text."""
    return None if answer.strip() == b"ok" else answer.decode("utf-8", "replace") or "empty answer"


def _reference(answer: dict[str, Any], *, over: bool) -> str | None:
    """Where a message is, and whether its story is over; None where Slack did not say."""
    place = {"channel": str(answer.get("channel", "")), "ts": str(answer.get("ts", ""))}
    return story.reference(place, over=over) if all(place.values()) else None
