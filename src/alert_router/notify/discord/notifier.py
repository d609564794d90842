"""The notifier `discord`: a webhook of a channel that keeps one message a group up to date.

What a message looks like is `message`'s, what Discord's answers mean is `api`'s.
"""

import hashlib
from typing import Annotated, Any, Literal
from urllib.parse import urlencode

from pydantic import Field
from pydantic_core import from_json, to_json

from alert_router.fields import Secret, SecretUnavailable, written
from alert_router.model import Status
from alert_router.notification import Detail, Notification
from alert_router.notify import story
from alert_router.notify.base import Delivered, Failed, Outcome, Reason, Remedy, Sending
from alert_router.notify.discord import api
from alert_router.notify.discord.message import change, message
from alert_router.notify.overhttp import HttpNotifier
from alert_router.notify.rate import Rate, RateField
from alert_router.notify.secrets import SecretField

_MAX_MARKS = 100  # of as many alerts those that fire are remembered one by one


class DiscordNotifier(HttpNotifier):
    """Posts to the webhook's channel. The message is changed when its group changes, which
    tells nobody, so a short one below it does, but where alerts have merely ended."""

    type: Literal["discord"] = "discord"
    rate_limit: RateField | None = Rate(30, 60.0)  # what a channel takes from webhooks
    url: SecretField
    thread_id: Annotated[str, written(r"[0-9]*", "a thread's number")] = ""
    username: str = Field("", max_length=80)
    avatar_url: Annotated[
        str, written(r"(https?://\S+)?", "a URL such as https://example.org/bell.png")
    ] = ""
    notice: bool = True

    def render(self, notification: Notification, detail: Detail = Detail.FULL) -> bytes:
        """The message, what is said when it was changed, which alerts fire, and whether the
        group is over."""
        return to_json(
            {
                "message": message(notification, detail),
                "notice": change(notification),
                "firing": _firing(notification),
                "over": notification.status is Status.RESOLVED,
            }
        )

    async def notify(self, payload: bytes, sending: Sending) -> Outcome:
        said = from_json(payload)
        place = story.continued(sending.reference, {"id", "firing"}, over=said["over"])
        if place is None:
            return await self._begin(said, sending)
        outcome, answer = await self._call(said["message"], sending, str(place["id"]))
        if api.is_gone(answer):
            return await self._begin(said, sending)
        if isinstance(outcome, Failed):
            return outcome
        if self.notice and not _merely_fewer(place["firing"], said["firing"]):
            told, _ = await self._call(said["notice"], sending)
            if isinstance(told, Failed):
                return told
        place["firing"] = said["firing"]
        return Delivered(story.reference(place, over=said["over"]))

    async def _begin(self, said: dict[str, Any], sending: Sending) -> Outcome:
        """A message of its own, to be changed later."""
        outcome, answer = await self._call(said["message"], sending)
        found = api.message_id(answer)
        if isinstance(outcome, Failed) or found is None:
            return outcome
        place = {"id": found, "firing": said["firing"]}
        return Delivered(story.reference(place, over=said["over"]))

    async def _call(
        self, what: dict[str, Any], sending: Sending, changed: str = ""
    ) -> tuple[Outcome, bytes]:
        """A message posted, or the one with the id `changed` in its place."""
        try:
            target = Secret(plain=self._address(self.url.read(), changed))
        except SecretUnavailable as error:
            return Failed(Reason.MISCONFIGURED, str(error), Remedy.HOLD), b""
        who = {"username": self.username, "avatar_url": self.avatar_url}
        if not changed:
            what = what | {name: value for name, value in who.items() if value}
        method = "PATCH" if changed else "POST"
        return await self.ask(sending, target, to_json(what), dialect=api.DIALECT, method=method)

    def _address(self, url: str, changed: str) -> str:
        """The webhook's URL for a message, with our parameters in place of its own of those
        names."""
        place, _, query = url.partition("#")[0].partition("?")
        ours = {"thread_id": self.thread_id} if self.thread_id else {}
        if changed:
            place = f"{place.rstrip('/')}/messages/{changed}"
        else:
            ours["wait"] = "true"  # without it there is no answer that names the message
        names = {*ours, "wait"}
        kept = [pair for pair in query.split("&") if pair and pair.partition("=")[0] not in names]
        whole = "&".join([*kept, *([urlencode(ours)] if ours else [])])
        return f"{place}?{whole}" if whole else place


def _firing(notification: Notification) -> str:
    """The alerts that fire, in short: enough to tell others from fewer."""
    marks = sorted(
        hashlib.blake2b(alert.fingerprint.encode("utf-8", "replace"), digest_size=4).hexdigest()
        for alert in notification.group.firing
    )
    if len(marks) <= _MAX_MARKS:
        return ",".join(marks)
    return hashlib.blake2b(",".join(marks).encode(), digest_size=16).hexdigest()


def _merely_fewer(before: str, now: str) -> bool:
    """Whether nothing fires that did not fire before, but something still does."""
    return bool(now) and set(now.split(",")) < set(before.split(","))
