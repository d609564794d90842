"""The notifier `webhook`: Alertmanager's own body, with the runbooks as data beside it.

Whatever reads Alertmanager's webhook reads this one; `runbooks` and `alert_router` are extra.
"""

import base64
import time
from typing import Any, Literal, Self

from pydantic import Field, model_validator
from pydantic_core import to_json

from alert_router.markdown import Block, Code, Item, ListBlock, Quote, plain, to_text
from alert_router.notification import Detail, Notification, RunbookPart
from alert_router.notify.base import Failed, Notifier, Outcome, Reason, Remedy, Sending
from alert_router.notify.http import post
from alert_router.notify.secrets import SecretField
from alert_router.runbook.model import Section, Step
from alert_router.secret import SecretUnavailable


class WebhookNotifier(Notifier):
    """Posts JSON. A resend keeps the `webhook-id` header, so that it can be recognised."""

    type: Literal["webhook"] = "webhook"
    url: SecretField
    bearer_token: SecretField | None = None
    username: str = ""
    password: SecretField | None = None
    headers: dict[str, str] = Field(default_factory=dict)

    @model_validator(mode="after")
    def _one_authentication(self) -> Self:
        if self.bearer_token and self.password:
            raise ValueError("give `bearer_token` or `username` and `password`, not both")
        if bool(self.username) != bool(self.password):
            raise ValueError("`username` and `password` go together")
        return self

    def render(self, notification: Notification, detail: Detail = Detail.FULL) -> bytes:
        """The body, UTF-8 JSON. There is no limit to its size but what the alerts hold."""
        body = notification.group.as_json()
        body["runbooks"] = [_runbook(part, detail) for part in notification.runbooks]
        body["alert_router"] = {
            "id": notification.id,
            "groups": notification.groups,
            "receiver": notification.receiver,
            "notifier": notification.notifier,
            "resent": notification.resent,
            "notes": notification.notes,
        }
        return to_json(body)

    async def notify(self, payload: bytes, sending: Sending) -> Outcome:
        try:
            authorization = self._authorization()
        except SecretUnavailable as error:
            return Failed(Reason.MISCONFIGURED, str(error), Remedy.HOLD)
        headers = {
            **self.headers,
            **authorization,
            "Content-Type": "application/json",
            "webhook-id": sending.id,
            "webhook-timestamp": str(int(time.time())),
        }
        return await post(
            sending.session,
            self.url,
            payload,
            headers=headers,
            limit=self.timeout,
            secrets=tuple(self.secrets()),
        )

    def _authorization(self) -> dict[str, str]:
        if self.bearer_token:
            return {"Authorization": f"Bearer {self.bearer_token.read()}"}
        if self.password:
            pair = f"{self.username}:{self.password.read()}".encode()
            return {"Authorization": f"Basic {base64.b64encode(pair).decode()}"}
        return {}


def _runbook(part: RunbookPart, detail: Detail) -> dict[str, Any]:
    told: dict[str, Any] = {
        "id": part.id,
        "title": part.title,
        "url": part.url,
        "owner": part.owner,
        "last_updated": part.last_updated,
        "alerts": [alert.fingerprint for alert in part.alerts],
        "commands_for": part.commands_for.fingerprint if part.commands_for else None,
    }
    if detail > Detail.MINIMAL:
        told["sections"] = [_section(section, detail) for section in part.sections]
    return told


def _section(section: Section, detail: Detail) -> dict[str, Any]:
    steps = [
        _step(step, whole=detail is Detail.FULL or (detail is Detail.FIRST_STEPS and not number))
        for number, step in enumerate(section.steps)
    ]
    told: dict[str, Any] = {"name": section.name, "title": plain(section.title), "steps": steps}
    if detail > Detail.TITLES:
        told["text"] = to_text(section.intro)
        told["commands"] = _commands(section.intro)
    return told


def _step(step: Step, *, whole: bool) -> dict[str, Any]:
    if not whole:
        return {"title": step.title}
    return {
        "title": step.title,
        "text": to_text(step.blocks),
        "commands": _commands(step.blocks),
    }


def _commands(blocks: tuple[Block, ...]) -> list[dict[str, Any]]:
    """Every code block, wherever it stands; `values` are those shown beside it."""
    found: list[dict[str, Any]] = []
    for block in blocks:
        if isinstance(block, Code):
            values = dict(block.values)
            found.append({"language": block.language, "text": block.text, "values": values})
        elif isinstance(block, ListBlock):
            for item in block.items:
                found += _commands(item.blocks)
        elif isinstance(block, Quote | Item):
            found += _commands(block.blocks)
    return found
