"""The notifier `mattermost`: an incoming webhook.

What a message looks like is `message`'s.
"""

from typing import Annotated, Any, Literal

from pydantic_core import from_json, to_json

from alert_router.fields import written
from alert_router.notification import Detail, Notification
from alert_router.notify.answers import Dialect
from alert_router.notify.base import Failed, Outcome, Reason, Remedy, Sending
from alert_router.notify.mattermost.message import message
from alert_router.notify.overhttp import HttpNotifier
from alert_router.notify.rate import Rate, RateField
from alert_router.notify.secrets import SecretField

# Refusals that are true of every message, by the beginning of their id in the answer.
_WRONG_HOOK = (
    *("web.incoming_webhook.invalid", "web.incoming_webhook.disabled"),
    *("web.incoming_webhook.channel", "web.incoming_webhook.user"),
    *("web.incoming_webhook.permissions", "app.channel.get"),
)


class MattermostNotifier(HttpNotifier):
    """Posts to the webhook's channel, or to another that it may post to. A post cannot be changed
    by a webhook: what follows of a group is a post of its own."""

    type: Literal["mattermost"] = "mattermost"
    rate_limit: RateField | None = Rate(1, 1.0)
    url: SecretField
    channel: str = ""
    username: str = ""
    icon_url: Annotated[
        str, written(r"(https?://\S+)?", "a URL such as https://example.org/bell.png")
    ] = ""
    icon_emoji: str = ""

    def render(self, notification: Notification, detail: Detail = Detail.FULL) -> bytes:
        """The message as JSON."""
        names = ("channel", "username", "icon_url", "icon_emoji")
        given = {name: getattr(self, name) for name in names}
        own = {name: value for name, value in given.items() if value}
        return to_json({"text": message(notification, detail)} | own)

    async def notify(self, payload: bytes, sending: Sending) -> Outcome:
        return await self.post(sending, self.url, payload, dialect=_DIALECT)


def _agrees(answer: bytes) -> str | None:
    """A webhook says `ok`, in plain text."""
    return None if answer.strip() == b"ok" else answer.decode("utf-8", "replace") or "empty answer"


def _refused(status: int, answer: bytes) -> Outcome | None:
    """Mattermost says 400 of a webhook that there is not, and 501 of one that is switched off."""
    try:
        data: Any = from_json(answer)
    except ValueError:
        return None
    if not isinstance(data, dict) or not str(data.get("id", "")).startswith(_WRONG_HOOK):
        return None
    message = f"HTTP {status}: Mattermost says: {data.get('message') or data['id']}"
    return Failed(Reason.MISCONFIGURED, message, Remedy.HOLD)


_DIALECT = Dialect(agrees=_agrees, refused=_refused)
