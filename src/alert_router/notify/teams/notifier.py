"""The notifier `teams`: a webhook of Teams' Workflows, which posts an Adaptive Card.

What a card looks like is `card`'s.
"""

from typing import Literal

from pydantic_core import from_json, to_json

from alert_router.notification import Detail, Notification
from alert_router.notify.answers import Dialect
from alert_router.notify.base import Outcome, Sending
from alert_router.notify.overhttp import HttpNotifier
from alert_router.notify.rate import Rate, RateField
from alert_router.notify.secrets import SecretField
from alert_router.notify.teams.card import message

# Words of a 400 that are true of every message: the flow is switched off or deleted, or its
# trigger was made for other bodies (Power Automate's `error.code`).
_WRONG_FLOW = frozenset(("WorkflowTriggerIsNotEnabled", "TriggerInputSchemaMismatch"))


class TeamsNotifier(HttpNotifier):
    """Posts to one channel or chat: that of the workflow. A card that was posted stays as it is,
    and a resend is another card."""

    type: Literal["teams"] = "teams"
    rate_limit: RateField | None = Rate(4, 1.0)  # Teams takes four requests a second
    url: SecretField

    def render(self, notification: Notification, detail: Detail = Detail.FULL) -> bytes:
        """The message with its one card, as JSON."""
        return to_json(message(notification, detail))

    async def notify(self, payload: bytes, sending: Sending) -> Outcome:
        # 202 comes as soon as the flow is triggered; there is nothing in it to agree or not.
        return await self.post(sending, self.url, payload, dialect=_DIALECT)


def _wrong_flow(answer: bytes) -> bool:
    try:
        data = from_json(answer)
    except ValueError:
        return False
    error = data.get("error") if isinstance(data, dict) else None
    return isinstance(error, dict) and str(error.get("code")) in _WRONG_FLOW


_DIALECT = Dialect(wrong_destination=_wrong_flow)
