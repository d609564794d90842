"""Composing: a claim becomes the notification of what is true now, and its payload.

Nothing in here can lose an alert: what cannot be enriched or rendered is sent in a plainer form."""

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from itertools import chain
from typing import Any, Literal, Protocol, TypeVar

import structlog

from alert_router.aside import Aside
from alert_router.enrich import enrich
from alert_router.markdown import (
    Block,
    Code,
    CodeSpan,
    Heading,
    Inline,
    Item,
    ListBlock,
    Paragraph,
    Quote,
    Table,
    Text,
)
from alert_router.model import SMALL_BODY, Alert, AlertGroup, BodyLimits
from alert_router.model.severity import Scale
from alert_router.notification import Detail, Notification
from alert_router.notify.base import Notifier
from alert_router.notify.templates import TemplateError
from alert_router.outbox.model import Claim, WaitingGroup
from alert_router.runtime import Runtime

_DEFAULT = BodyLimits()


def fold(waiting: Sequence[WaitingGroup], limits: BodyLimits = _DEFAULT) -> AlertGroup:
    """One group out of a lane's, oldest first: the newest, plus earlier alerts that it does not
    name and that are over, plus earlier firing ones where the newest was truncated.

    An alert counts with the last state it was seen in: one that fired last and is absent now is
    silenced or gone, and only truncation makes it worth sending.
    """
    groups = [_read(one, limits) for one in waiting]
    newest = groups[-1]
    if len(groups) == 1:
        return newest
    earlier: dict[str, Alert] = {}
    for group in groups[:-1]:
        for alert in group.alerts:
            earlier.pop(alert.fingerprint, None)  # so that the order is that of the latest state
            earlier[alert.fingerprint] = alert
    named = {alert.fingerprint for alert in newest.alerts}
    added = tuple(
        alert
        for alert in earlier.values()
        if alert.fingerprint not in named and (newest.truncated_alerts or not alert.firing)
    )
    return newest.with_alerts(newest.alerts + added) if added else newest


def _read(one: WaitingGroup, limits: BodyLimits) -> AlertGroup:
    """A stored group with the alerts that are for this lane. What an earlier version stored, or
    other limits let through, is cut now; where senders give no fingerprints, that changes the ones
    made of labels. Then all alerts are kept: one too many is better than one lost."""
    group = AlertGroup.within(limits, one.body)[0]
    kept = group.only(frozenset(one.fingerprints))
    is_missing = len(kept.alerts) < min(len(one.fingerprints), len(group.alerts))
    changed = bool(group.cut.labels or group.cut.values) and not group.cut.alerts
    return group if is_missing and (changed or not kept.alerts) else kept


# The key of the notifier that leaves nothing to tell.
Unwanted = Literal["send_resolved", "min_severity"]


def wanted(group: AlertGroup, notifier: Notifier, scale: Scale) -> AlertGroup | Unwanted:
    """The group with the alerts that are wanted. Without `send_resolved` that is what fires, as
    in Alertmanager (notify.go, RetryStage); with `min_severity`, what is at least as grave."""
    alerts = group.alerts
    if not notifier.send_resolved:
        alerts = tuple(alert for alert in alerts if alert.firing)
        if not alerts:
            return "send_resolved"
    if least := notifier.min_severity:
        alerts = tuple(alert for alert in alerts if scale.at_least(alert, least))
        if not alerts:
            return "min_severity"
    return group if len(alerts) == len(group.alerts) else group.with_alerts(alerts)


_SMALL_RUNBOOK = 128 * 1024  # bytes; filling it first takes a tenth of a second or two
_ALERTS = 50
# Blocks, spans and lines of code. A usual runbook's sections have a few hundred; a message of a
# thousand takes some destinations a tenth of a second.
_PIECES = 1_000
_WORDS = 100  # characters that count as another piece


def is_heavy(notification: Notification) -> bool:
    """Whether there are so many alerts or so much of runbooks. Looks no further than it has to."""
    alerts = notification.group.alerts
    if len(alerts) > _ALERTS or sum(map(_characters, alerts)) > SMALL_BODY:
        return True
    left = _PIECES
    for part in notification.runbooks:
        for section in part.sections:
            waiting: list[Block | Item] = [*section.intro]
            for step in section.steps:
                waiting += step.blocks
            left -= 1 + len(section.steps)
            while waiting and left >= 0:
                block = waiting.pop()
                left -= _pieces(block)
                if isinstance(block, ListBlock):
                    waiting += block.items
                elif isinstance(block, Quote | Item):
                    waiting += block.blocks
            if left < 0:
                return True
    return False


def _characters(alert: Alert) -> int:
    return sum(map(len, chain(alert.labels.values(), alert.annotations.values())))


def _pieces(block: Block | Item) -> int:
    match block:
        case Code(text):
            return 1 + text.count("\n") + len(text) // _WORDS
        case Table(_, rows):
            return 1 + sum(map(_spans, chain.from_iterable(rows)))
        case Heading(_, children) | Paragraph(children):
            return 1 + _spans(children)
        case _:
            return 1


def _spans(children: Sequence[Inline]) -> int:
    return len(children) + sum(
        len(span.text) // _WORDS for span in children if isinstance(span, Text | CodeSpan)
    )


log = structlog.get_logger(__name__)

T = TypeVar("T")

_NAMES = 500  # of alerts in one notification that are counted

# Messages that take long: few at a time, since each takes memory as well.
messages = Aside("messages", 2)
_templates = Aside("templates", 2)
MAX_TEMPLATE_SECONDS = 5.0  # to wait for them, other templates before them included


# Attempts that wait for a full message where memory or threads are short; a page without its
# runbook is better than none.
_PATIENT = 2


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


def write(claim: Claim, group: AlertGroup, notifier: Notifier, runtime: Runtime) -> Notification:
    """The notification of a claim. If enriching fails, one without runbooks that says so."""
    bare = Notification(
        id=claim.id,
        groups=tuple(waiting.group for waiting in claim.groups),
        receiver=claim.destination.receiver,
        notifier=claim.destination.notifier,
        group=group,
        without_runbook=group.alerts,
        notes=(*_told_instead(claim), *_cut(group)),
        composed_at=datetime.now(UTC),
        resent=claim.resent,
        external_url=runtime.external_url,
        scale=runtime.scale,
    )
    if claim.crashes > 1:  # whatever ended the process, it was not far from here
        note = "Sent without runbooks: two earlier tries to make this message did not end."
        return replace(bare, notes=(*bare.notes, note))
    try:
        return enrich(
            bare,
            choose=runtime.choose,
            runbook=runtime.catalogue.get,
            firing_sections=notifier.firing_sections,
            resolved_sections=notifier.resolved_sections,
            rules=runtime.label_rules,
        )
    except Exception as error:
        if is_passing(error) and is_patient(claim):
            raise
        log.exception("enriching failed; the alerts go out without runbooks", id=claim.id)
        note = "The runbooks could not be added: see the router's log."
        return replace(bare, notes=(*bare.notes, note))


def _told_instead(claim: Claim) -> tuple[str, ...]:
    """Which destinations this one replaces."""
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
    claim: Claim, notifier: Notifier, runtime: Runtime
) -> tuple[Notification, list[Alert]] | Unwanted:
    """The notification of a claim, and a firing alert of each name; or why nothing is sent."""
    group = wanted(fold(claim.groups, runtime.limits), notifier, runtime.scale)
    if isinstance(group, str):
        return group
    names = {alert.name: alert for alert in reversed(group.firing)}
    return write(claim, group, notifier, runtime), [*names.values()][:_NAMES]


async def composed(
    claim: Claim, notifier: Notifier, runtime: Runtime, call: Call = directly
) -> tuple[Notification, list[Alert]] | Unwanted:
    """As `compose`, in a thread where there are large bodies or runbooks: these take long to read,
    to find runbooks for, and to fill."""
    is_small = runtime.catalogue.largest <= _SMALL_RUNBOOK
    if is_small and sum(len(group.body) for group in claim.groups) <= SMALL_BODY:
        return call(compose, claim, notifier, runtime)
    return await messages.run(call, compose, claim, notifier, runtime)


def word(notification: Notification, notifier: Notifier) -> tuple[Notification, int]:
    """The notification with the words of the notifier's own templates, and how many of these
    failed: for those the built-in text stay."""
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
    """How much detail to send: less after a refusal for size or form, least after crashes."""
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
    most = min(most, notifier.most_detail(notification))
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
        return await messages.run(call, render, notification, notifier, most)
    except Exception as error:
        if patient or not is_passing(error):
            raise
        return call(render, notification, notifier, Detail.MINIMAL)


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
