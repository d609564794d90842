"""One attempt: a claim becomes a notification, its rendering, and a try to send it.

Nothing in here can lose an alert: what cannot be enriched or rendered goes out in the next
plainer form. What an outcome means is decided in `policy`.
"""

import asyncio
import time
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from math import inf
from typing import Any, Protocol, TypeVar

import structlog

from alert_router.aside import Aside
from alert_router.deliver.fold import fold
from alert_router.deliver.wanted import Unwanted, wanted
from alert_router.deliver.weight import is_heavy
from alert_router.enrich import Choice, enrich
from alert_router.fields import SecretUnavailable
from alert_router.model import SMALL_BODY, Alert, AlertGroup, BodyLimits
from alert_router.model.severity import STANDARD, Scale
from alert_router.notification import Detail, Notification
from alert_router.notify.base import (
    Failed,
    Notifier,
    Outcome,
    Reason,
    Remedy,
    Sending,
    misconfigured,
)
from alert_router.notify.templates import TemplateError
from alert_router.outbox.model import Claim
from alert_router.runbook.model import Runbook

log = structlog.get_logger(__name__)

T = TypeVar("T")

# A notifier limits itself by its timeout; this much more, in seconds, and we cut it off.
_GRACE = 5.0

_NAMES = 500  # of alerts in one notification that are counted

# Messages that take long: few at a time, since each takes memory as well.
_aside = Aside("messages", 2)
_templates = Aside("templates", 2)
MAX_TEMPLATE_SECONDS = 5.0  # to wait for them, other templates before them included


# Attempts that wait for a full message where memory or threads are short; a page without its
# runbook is better than none.
_PATIENT = 2

_CALM = 60.0  # seconds without trouble after which conditions are calm


class Call(Protocol):
    """Calls a function, and may measure it."""

    def __call__(self, work: Callable[..., T], *arguments: Any) -> T: ...


def directly(work: Callable[..., T], *arguments: Any) -> T:
    """The plain call."""
    return work(*arguments)


class Unmade(Exception):
    """No form of the message could be made; `passing` if memory, a thread or a descriptor was
    missing at least once."""

    def __init__(self, kind: str, passing: bool) -> None:
        super().__init__(kind)
        self.kind = kind
        self.passing = passing


@dataclass(slots=True)
class Calm:
    """Whether memory, threads and descriptors are to be had, as far as messages show it."""

    _troubled_at: float = -inf

    def disturb(self, now: float) -> None:
        """Something was missing."""
        self._troubled_at = now

    def holds(self, now: float) -> bool:
        """Whether nothing was missing for a while."""
        return now - self._troubled_at >= _CALM


@dataclass(frozen=True, slots=True)
class Desk:
    """What is needed to write a message; one consistent state, replaced whole at a reload."""

    choose: Callable[[Alert], Choice]
    runbook: Callable[[str], Runbook | None]
    external_url: str
    scale: Scale = STANDARD
    limits: BodyLimits = field(default_factory=BodyLimits)


def write(claim: Claim, group: AlertGroup, notifier: Notifier, desk: Desk) -> Notification:
    """The notification of a claim. If enriching fails, one without runbooks that says so."""
    bare = Notification(
        id=claim.id,
        groups=tuple(waiting.group for waiting in claim.groups),
        receiver=claim.destination.receiver,
        notifier=claim.destination.notifier,
        group=group,
        without_runbook=group.alerts,
        notes=(*_told_instead(claim), *_cut(group)),
        accepted_at=datetime.fromtimestamp(claim.groups[-1].accepted_at, UTC),
        resent=claim.resent,
        external_url=desk.external_url,
        scale=desk.scale,
    )
    if claim.crashes > 1:  # whatever ended the process, it was not far from here
        note = "Sent without runbooks: two earlier tries to make this message did not end."
        return replace(bare, notes=(*bare.notes, note))
    try:
        return enrich(
            bare,
            choose=desk.choose,
            runbook=desk.runbook,
            firing_sections=notifier.firing_sections,
            resolved_sections=notifier.resolved_sections,
        )
    except Exception as error:
        if is_passing(error) and is_patient(claim):
            raise
        log.exception("enriching failed; the alerts go out without runbooks", id=claim.id)
        note = "The runbooks could not be added: see the router's log."
        return replace(bare, notes=(*bare.notes, note))


def _told_instead(claim: Claim) -> tuple[str, ...]:
    """Whom this destination stands in for."""
    origins = dict.fromkeys(group.instead_of for group in claim.groups if group.instead_of)
    return tuple(
        f"Sent here because {origin.receiver}/{origin.notifier} is failing." for origin in origins
    )


def _cut(group: AlertGroup) -> tuple[str, ...]:
    """What the limits on bodies left of it."""
    alerts, labels, values = group.cut
    said = [
        f"{alerts:,} more alerts were cut" if alerts else "",
        f"{labels:,} labels and annotations were cut" if labels else "",
        f"{values:,} long values were shortened" if values else "",
    ]
    said = [one for one in said if one]
    return (f"{'; '.join(said)}: see http.limits of the router.",) if said else ()


def compose(
    claim: Claim, notifier: Notifier, desk: Desk
) -> tuple[Notification, list[Alert]] | Unwanted:
    """The notification of a claim, and of what it tells as firing one alert of each name; or why
    there is nothing to tell."""
    group = wanted(fold(claim.groups, desk.limits), notifier, desk.scale)
    if isinstance(group, str):
        return group
    names = {alert.name: alert for alert in reversed(group.firing)}
    return write(claim, group, notifier, desk), [*names.values()][:_NAMES]


async def composed(
    claim: Claim, notifier: Notifier, desk: Desk, call: Call = directly
) -> tuple[Notification, list[Alert]] | Unwanted:
    """As `compose`, large bodies in a thread: they take long to read and to find runbooks for."""
    if sum(len(group.body) for group in claim.groups) <= SMALL_BODY:
        return call(compose, claim, notifier, desk)
    return await _aside.run(call, compose, claim, notifier, desk)


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
        log.warning("template failed; using the built-in text", **names, **errors)
    return replace(notification, title=title, message=message), len(errors)


async def worded(
    notification: Notification, notifier: Notifier, patient: bool = True, call: Call = directly
) -> tuple[Notification, int]:
    """As `word`, templates in a thread: where one takes too long, the built-in text is used. Where
    no thread can be started it raises, or without `patient` uses the built-in text."""
    if notifier.title is None and notifier.template is None:
        return notification, 0
    failed = (notifier.title is not None) + (notifier.template is not None)
    try:
        async with asyncio.timeout(MAX_TEMPLATE_SECONDS):
            return await _templates.run(call, word, notification, notifier)
    except TimeoutError:
        log.warning("template took too long", id=notification.id, notifier=notifier.identity)
        return notification, failed
    except Exception as error:
        if patient or not is_passing(error):
            raise
        return notification, failed


def most_detail(claim: Claim) -> Detail:
    """How much to tell: less after a refusal for size or form, least after crashes."""
    if claim.crashes > 1:
        return Detail.MINIMAL
    if claim.smaller:
        return Detail.TITLES
    return Detail.FULL


def render(notification: Notification, notifier: Notifier, most: Detail) -> tuple[Any, Detail]:
    """The payload, and the detail asked for when rendering worked.

    Raises Unmade if even the plainest rendering fails.
    """
    passing, last = False, ""
    for detail in range(most, Detail.MINIMAL - 1, -1):
        try:
            return notifier.render(notification, Detail(detail)), Detail(detail)
        except Exception as error:
            passing, last = passing or is_passing(error), type(error).__name__
            log.exception(
                "rendering failed; trying a plainer form",
                id=notification.id,
                notifier=notifier.identity,
                detail=Detail(detail).name.lower(),
            )
    raise Unmade(last, passing)


async def rendered(
    notification: Notification,
    notifier: Notifier,
    most: Detail,
    patient: bool = True,
    call: Call = directly,
) -> tuple[Any, Detail]:
    """As `render`. Of many alerts and of long runbooks in a thread: they take seconds, in which
    nobody else would be accepted. Where no thread can be started it raises, or without `patient`
    takes the plainest form, which is soon made."""
    if not is_heavy(notification):
        return call(render, notification, notifier, most)
    try:
        return await _aside.run(call, render, notification, notifier, most)
    except Exception as error:
        if patient or not is_passing(error):
            raise
        return call(render, notification, notifier, Detail.MINIMAL)


async def send(notifier: Notifier, payload: Any, sending: Sending) -> tuple[Outcome, float]:
    """The outcome of sending, whatever happens, and how long it took in seconds."""
    began = time.perf_counter()
    try:
        async with asyncio.timeout(notifier.timeout + _GRACE):
            outcome = await notifier.notify(payload, sending)
    except TimeoutError:
        outcome = Failed(Reason.TIMEOUT, "no answer in time", in_doubt=True)
    except SecretUnavailable as error:
        outcome = misconfigured(str(error))
    except Exception as error:
        # The text of an unforeseen exception could hold a URL with a secret: name its type only.
        log.error("notifier failed", notifier=notifier.identity, error=type(error).__name__)
        outcome = Failed(
            Reason.INTERNAL, f"the notifier failed: {type(error).__name__}", in_doubt=True
        )
    return outcome, time.perf_counter() - began


def unmade(error: Exception, calm: Calm) -> Failed:
    """The outcome where not even the plainest form could be made: to be given up if that is the
    message's fault, as far as anybody can tell."""
    kind = error.kind if isinstance(error, Unmade) else type(error).__name__
    passing = error.passing if isinstance(error, Unmade) else is_passing(error)
    now = time.monotonic()
    if passing:
        calm.disturb(now)
    remedy = Remedy.GIVE_UP if calm.holds(now) else Remedy.RETRY
    return Failed(Reason.INTERNAL, f"the message could not be made: {kind}", remedy)


def is_patient(claim: Claim) -> bool:
    """Whether to wait for memory, threads and descriptors rather than send less."""
    return claim.attempt <= _PATIENT


def is_passing(error: BaseException | None) -> bool:
    """Whether an error says nothing about the message: no memory, thread or descriptor was to be
    had."""
    while error is not None:
        no_thread = isinstance(error, RuntimeError) and "new thread" in str(error)
        if no_thread or isinstance(error, MemoryError | OSError):
            return True
        error = error.__cause__ or error.__context__
    return False
