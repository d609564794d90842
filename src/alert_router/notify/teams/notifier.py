"""The notifier's keys, and what the answers of Power Automate mean."""

import re
from typing import Annotated, Any, Literal

from pydantic import Field

from alert_router.fields import Rate, RateField, SecretField
from alert_router.notification import Detail, Notification
from alert_router.notify.base import Outcome, Sending
from alert_router.notify.by_severity import Mentions, mention_names, mentioning, named
from alert_router.notify.http_notifier import HttpNotifier
from alert_router.notify.responses import Answer, AnswerRules
from alert_router.notify.teams.card import render

# Codes of a 400 that are true of every message: the flow is disabled or deleted, or its trigger
# expects other bodies (Power Automate's `error.code`).
_WRONG_FLOW = frozenset(("WorkflowTriggerIsNotEnabled", "TriggerInputSchemaMismatch"))


def _wrong_flow(answer: Answer) -> bool:
    error = answer.data.get("error")
    return isinstance(error, dict) and str(error.get("code")) in _WRONG_FLOW


_ID = re.compile(r"[\w.+-]+@[\w.-]+|[0-9a-fA-F-]{36}")


def _mention(name: str) -> str | None:
    found = named(name)
    return name if found and _ID.fullmatch(found[1]) else None


_MENTIONS = mention_names(
    _mention, "Ann Smith <ann@example.org>: name, and sign-in name or object id"
)


class TeamsNotifier(HttpNotifier):
    """Posts to one channel or chat: that of the workflow. A card that was posted is not changed
    later, and a resend is another card."""

    # 202 comes as soon as the flow is triggered; its body says nothing.
    rules = AnswerRules(is_misconfigured=_wrong_flow)

    type: Literal["teams"] = "teams"
    rate_limit: RateField | None = Rate(4, 1.0)  # Teams accepts four requests a second
    url: SecretField
    """The URL of the workflow's webhook."""
    mention: Annotated[Mentions, _MENTIONS] = Field(default_factory=dict)
    """Whom to mention while alerts fire: `Ann Smith <ann@example.org>`."""

    def render(self, notification: Notification, detail: Detail = Detail.FULL) -> dict[str, Any]:
        """The message with its one card."""
        return render(mentioning(notification, self.mention), detail)

    async def notify(self, payload: dict[str, Any], sending: Sending) -> Outcome:
        return await self.post(sending, self.url.read(), payload)
