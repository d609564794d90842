"""One attempt: a claim becomes a notification, its rendering, and a try to send it.

Nothing in here can lose an alert: what cannot be enriched or rendered goes out in the next
plainer form. What an outcome means is for `schedule`.
"""

import asyncio
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Any

import structlog

from alert_router.alert import Alert, AlertGroup
from alert_router.deliver.weight import is_heavy
from alert_router.enrich import Choice, enrich
from alert_router.notification import Detail, Notification
from alert_router.notify.base import Failed, Notifier, Outcome, Reason, Remedy, Sending
from alert_router.notify.template import TemplateError
from alert_router.outbox.model import Claim
from alert_router.runbook.model import Runbook
from alert_router.severity import STANDARD, Scale

log = structlog.get_logger(__name__)

# A notifier limits itself by its timeout; this much more, in seconds, and we cut it off.
_GRACE = 5.0


@dataclass(frozen=True, slots=True)
class Desk:
    """What is needed to write a message; one consistent state, replaced whole at a reload."""

    choose: Callable[[Alert], Choice]
    runbook: Callable[[str], Runbook | None]
    external_url: str
    scale: Scale = STANDARD


def write(claim: Claim, group: AlertGroup, notifier: Notifier, desk: Desk) -> Notification:
    """The notification of a claim. If enriching fails, one without runbooks that says so."""
    bare = Notification(
        id=claim.id,
        groups=tuple(waiting.group for waiting in claim.groups),
        receiver=claim.destination.receiver,
        notifier=claim.destination.notifier,
        group=group,
        without_runbook=group.alerts,
        notes=_told_instead(claim),
        accepted_at=datetime.fromtimestamp(claim.groups[-1].accepted_at, UTC),
        resent=claim.resent,
        external_url=desk.external_url,
        scale=desk.scale,
    )
    try:
        return enrich(
            bare,
            choose=desk.choose,
            runbook=desk.runbook,
            firing_sections=notifier.firing_sections,
            resolved_sections=notifier.resolved_sections,
        )
    except Exception:
        log.exception("enriching failed; the alerts go out without runbooks", id=claim.id)
        note = "The runbooks could not be added: see the router's log."
        return replace(bare, notes=(*bare.notes, note))


def _told_instead(claim: Claim) -> tuple[str, ...]:
    """Whom this destination stands in for."""
    origins = dict.fromkeys(group.instead_of for group in claim.groups if group.instead_of)
    return tuple(
        f"Told here since {origin.receiver}/{origin.notifier} takes nothing at present."
        for origin in origins
    )


def word(notification: Notification, notifier: Notifier) -> tuple[Notification, int]:
    """The notification with the words of the notifier's own templates, and how many of these
    failed: for those the built-in words stay."""
    if notifier.title is None and notifier.template is None:
        return notification, 0
    title, message, errors = "", None, {}
    try:
        title = notifier.title.line(notification) if notifier.title else ""
    except TemplateError as error:
        errors["title"] = str(error)
    try:
        message = notifier.template.blocks(notification) if notifier.template else None
    except TemplateError as error:
        errors["template"] = str(error)
    if errors:
        names = {"id": notification.id, "notifier": notifier.identity}
        log.warning("a template failed; the built-in words stand for it", **names, **errors)
    return replace(notification, title=title, message=message), len(errors)


async def worded(notification: Notification, notifier: Notifier) -> tuple[Notification, int]:
    """As `word`, templates in a thread: one may take half a second before it is ended."""
    if notifier.title is None and notifier.template is None:
        return notification, 0
    return await asyncio.to_thread(word, notification, notifier)


def most_detail(claim: Claim) -> Detail:
    """How much to tell: less after a refusal for size or form, least after crashes."""
    if claim.crashes > 1:
        return Detail.MINIMAL
    if claim.smaller:
        return Detail.TITLES
    return Detail.FULL


def render(notification: Notification, notifier: Notifier, most: Detail) -> tuple[Any, Detail]:
    """The payload, and the detail asked for when rendering worked.

    Raises what the plainest rendering raised, if even that fails.
    """
    for detail in range(most, Detail.MINIMAL, -1):
        try:
            return notifier.render(notification, Detail(detail)), Detail(detail)
        except Exception:
            log.exception(
                "rendering failed; trying a plainer form",
                id=notification.id,
                notifier=notifier.identity,
                detail=Detail(detail).name.lower(),
            )
    return notifier.render(notification, Detail.MINIMAL), Detail.MINIMAL


async def rendered(
    notification: Notification, notifier: Notifier, most: Detail
) -> tuple[Any, Detail]:
    """As `render`. Of many alerts and of long runbooks in a thread: they take seconds, in which
    nobody else would be accepted."""
    if is_heavy(notification):
        return await asyncio.to_thread(render, notification, notifier, most)
    return render(notification, notifier, most)


async def send(notifier: Notifier, payload: Any, sending: Sending) -> tuple[Outcome, float]:
    """The outcome of sending, whatever happens, and how long it took in seconds."""
    began = time.perf_counter()
    try:
        async with asyncio.timeout(notifier.timeout + _GRACE):
            outcome = await notifier.notify(payload, sending)
    except TimeoutError:
        outcome = Failed(Reason.TIMEOUT, "no answer in time", in_doubt=True)
    except Exception as error:
        # The text of an unforeseen exception could hold a URL with a secret: name its type only.
        log.error("notifier failed", notifier=notifier.identity, error=type(error).__name__)
        outcome = Failed(
            Reason.INTERNAL, f"the notifier failed: {type(error).__name__}", in_doubt=True
        )
    return outcome, time.perf_counter() - began


def unrenderable(error: Exception) -> Failed:
    """The outcome where not even the plainest form could be made."""
    return Failed(
        Reason.INTERNAL, f"the message could not be made: {type(error).__name__}", Remedy.GIVE_UP
    )
