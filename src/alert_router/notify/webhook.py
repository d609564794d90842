"""The notifier `webhook`: Alertmanager's own body, with `runbooks` and `alert_router` added."""

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any, Literal, Self

from pydantic import model_validator
from pydantic_core import to_json
from standardwebhooks.webhooks import EmptyWebhookSecretError, Webhook

from alert_router.fields import SecretField, SecretUnavailable
from alert_router.markdown import Block, Code, all_blocks, plain, to_text
from alert_router.notification import Detail, Notification, RunbookPart
from alert_router.notify import wording
from alert_router.notify.base import Outcome, Sending
from alert_router.notify.http import HttpNotifier, authorization, check_authorization
from alert_router.runbook.model import Section, Step


class WebhookNotifier(HttpNotifier):
    """Posts JSON. A resend keeps the `webhook-id` header, so that it can be recognised."""

    type: Literal["webhook"] = "webhook"
    url: SecretField
    """The URL to post to."""
    bearer_token: SecretField | None = None
    """Sent as `Authorization: Bearer`."""
    username: str = ""
    """The user's name of basic authentication, instead of a token."""
    password: SecretField | None = None
    """The password of basic authentication."""
    signing_secret: SecretField | None = None
    """A secret, `whsec_...`, that signs requests as [Standard
    Webhooks](notifiers/webhook.md#headers) specifies."""

    @model_validator(mode="after")
    def _one_authentication(self) -> Self:
        check_authorization(
            "bearer_token", self.bearer_token, self.username, self.password, self.headers
        )
        return self

    def render(self, notification: Notification, detail: Detail = Detail.FULL) -> bytes:
        """The body, UTF-8 JSON. Its size is limited by what the alerts hold alone."""
        body = notification.group.as_json()
        body["runbooks"] = [runbook_data(part, detail) for part in notification.runbooks]
        body["alert_router"] = {
            "id": notification.id,
            "groups": notification.groups,
            "receiver": notification.receiver,
            "notifier": notification.notifier,
            "resent": notification.resent,
            "notes": notification.notes,
        }
        if notification.title:
            body["alert_router"]["title"] = notification.title
        if notification.message is not None:
            body["alert_router"]["message"] = to_text(notification.message)
        return to_json(body)

    async def notify(self, payload: bytes, sending: Sending) -> Outcome:
        headers = authorization(self.bearer_token, self.username, self.password)
        headers |= self._signature(sending.id, payload)
        if sending.traceparent:
            headers["traceparent"] = sending.traceparent
        return await self.post(sending, self.url.read(), payload, headers=headers)

    def _signature(self, id: str, payload: bytes) -> dict[str, str]:
        """The headers of Standard Webhooks; signed where there is a secret to sign with."""
        now = datetime.now(UTC)
        headers = {"webhook-id": id, "webhook-timestamp": str(int(now.timestamp()))}
        if self.signing_secret is None:
            return headers
        try:
            signer = Webhook(self.signing_secret.read())
        except (ValueError, EmptyWebhookSecretError):
            raise SecretUnavailable(
                "`signing_secret` is invalid: expected whsec_ and then base64"
            ) from None
        return headers | {"webhook-signature": signer.sign(id, now, payload.decode())}


def runbook_data(part: RunbookPart, detail: Detail = Detail.FULL) -> dict[str, Any]:
    """A runbook with its filled sections as data; the sections are shared: do not change them."""
    data: dict[str, Any] = {
        "id": part.id,
        "title": part.title,
        "url": part.url,
        "owner": part.owner,
        "last_updated": part.last_updated,
        "alerts": [alert.fingerprint for alert in part.alerts],
        "commands_for": part.commands_for.fingerprint if part.commands_for else None,
    }
    if detail > Detail.MINIMAL:
        data["sections"] = [_section(section, detail) for section in part.sections]
    return data


# Sections are shared by the notifications of similar alerts: each is converted once.
_MAX_CACHED = 512
_cache: dict[tuple[int, Detail], tuple[Section, dict[str, Any]]] = {}


def _section(section: Section, detail: Detail) -> dict[str, Any]:
    """The section as data; the same object for the same section, so not to be changed."""
    key = (id(section), detail)
    known = _cache.get(key)
    if known is None or known[0] is not section:
        if len(_cache) >= _MAX_CACHED:
            _cache.clear()
        known = _cache[key] = (section, section_data(section, detail))
    return known[1]


def section_data(section: Section, detail: Detail = Detail.FULL) -> dict[str, Any]:
    """A section as data."""
    steps = [
        _step(step, whole=wording.is_whole(number, detail))
        for number, step in enumerate(section.steps, 1)
    ]
    data: dict[str, Any] = {"name": section.name, "title": plain(section.title), "steps": steps}
    if detail > Detail.TITLES:
        data["text"] = to_text(section.intro)
        data["commands"] = _commands(section.intro)
    return data


def _step(step: Step, *, whole: bool) -> dict[str, Any]:
    if not whole:
        return {"title": step.title}
    return {
        "title": step.title,
        "text": to_text(step.blocks),
        "commands": _commands(step.blocks),
    }


def _commands(blocks: Sequence[Block]) -> list[dict[str, Any]]:
    """Every code block, nested ones too; `values` are those shown beside it."""
    return [
        {"language": block.language, "text": block.text, "values": dict(block.values)}
        for block in all_blocks(blocks)
        if isinstance(block, Code)
    ]
