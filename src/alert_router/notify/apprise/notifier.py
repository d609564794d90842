"""The notifier `apprise`: any of the services that Apprise speaks to, by an Apprise URL.

The lesser way: what a service answers is mostly unknown. What a message says is `message`'s, the
library is `library`'s.
"""

import asyncio
from typing import Any, Literal, Self

from pydantic import model_validator
from pydantic_core import from_json, to_json

from alert_router.fields import SecretUnavailable
from alert_router.notification import Detail, Notification
from alert_router.notify.apprise import background, library
from alert_router.notify.apprise.message import message
from alert_router.notify.base import Failed, Notifier, Outcome, Reason, Remedy, Sending
from alert_router.notify.redact import clean
from alert_router.notify.secrets import SecretField


class AppriseNotifier(Notifier):
    """Sends to one Apprise URL."""

    type: Literal["apprise"] = "apprise"
    url: SecretField

    @model_validator(mode="after")
    def _installed(self) -> Self:
        if not library.is_installed():
            raise ValueError(library.MISSING)
        return self

    def secrets_missing(self) -> list[str]:
        """As every notifier's, and whether Apprise knows the URL."""
        missing = super().secrets_missing()
        if missing:
            return missing
        wrong = library.objection(self.url.read())
        return [f"`url`: {wrong}"] if wrong else []

    def render(self, notification: Notification, detail: Detail = Detail.FULL) -> bytes:
        """Title, type, and the text at each level of detail from `detail` down, as JSON."""
        return to_json(message(notification, detail))

    def readable(self, payload: bytes) -> Any:
        """The most detailed text; a service that takes less is sent less."""
        said = from_json(payload)
        text = "\n".join(said["texts"][0]).strip("\n")
        return {"title": said["title"], "type": said["type"], "body": text}

    async def notify(self, payload: bytes, sending: Sending) -> Outcome:
        try:
            url = self.url.read()
        except SecretUnavailable as error:
            return Failed(Reason.MISCONFIGURED, str(error), Remedy.HOLD)
        said, seconds, guard = from_json(payload), self.timeout, sending.guard
        try:
            async with asyncio.timeout(seconds):
                return await background.run(
                    lambda: library.send(url, said, seconds, guard), f"apprise {self.identity}"
                )
        except TimeoutError:
            return Failed(Reason.TIMEOUT, f"no answer within {seconds:g} s", in_doubt=True)
        except background.NoRoom:
            message = f"{background.MOST} earlier sends by Apprise still hang"
            return Failed(Reason.TIMEOUT, message)
        except Exception as error:  # a service's own code may raise anything
            return Failed(Reason.INTERNAL, clean(f"Apprise failed: {error}", [url]), in_doubt=True)
