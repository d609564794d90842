"""Carrying out a claim: one attempt, counted.

How a claim becomes a message is `attempt`, what an outcome means is `policy`. Who claims, and who
writes down what was decided, is `worker`.
"""

import time
from collections.abc import Callable
from contextlib import AsyncExitStack
from dataclasses import dataclass
from typing import Any, TypeVar

import structlog

from alert_router.deliver import attempt
from alert_router.deliver.lines import Lines
from alert_router.deliver.wanted import Unwanted
from alert_router.metrics import Metrics
from alert_router.model import Alert
from alert_router.notification import Detail, Notification
from alert_router.notify.base import Delivered, Failed, Notifier, Outcome, Reason, Sending
from alert_router.outbox.model import Claim

log = structlog.get_logger(__name__)

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Attempted:
    """How an attempt ended, or why nothing was sent; what it cost in processor seconds."""

    outcome: Outcome | Unwanted
    cost: float


@dataclass(slots=True)
class _Meter:
    """Adds up the processor time of what is called through it, in whatever thread."""

    seconds: float = 0.0

    def __call__(self, work: Callable[..., T], *arguments: Any) -> T:
        began = time.thread_time()
        try:
            return work(*arguments)
        finally:
            self.seconds += time.thread_time() - began


async def carry_out(claim: Claim, notifier: Notifier, lines: Lines) -> Attempted:
    """Try to deliver what was claimed; how that ended, whatever happens. Only being cancelled is
    raised."""
    meter = _Meter()
    try:
        outcome = await _attempt(claim, notifier, lines, meter)
    except Exception as error:  # a defect of ours must not leave the lane unsettled
        log.exception("attempt failed", **_names(claim), id=claim.id)
        outcome = Failed(Reason.INTERNAL, type(error).__name__, in_doubt=True)
    if isinstance(outcome, Delivered):
        _count_delivered(claim, lines.metrics, time.time())
    elif isinstance(outcome, Failed):
        lines.metrics.notifications_failed.labels(*_labels(claim), outcome.reason.value).inc()
    return Attempted(outcome, meter.seconds)


async def _attempt(
    claim: Claim, notifier: Notifier, lines: Lines, meter: _Meter
) -> Outcome | Unwanted:
    desk = lines.desk()
    async with AsyncExitStack() as until_sent:
        async with lines.room.to_make(claim):
            made = await _make(claim, notifier, lines, desk, meter)
            if isinstance(made, str | Failed):
                return made
            payload, told = made
            await until_sent.enter_async_context(lines.room.to_send(payload))
        sending = Sending(lines.session, claim.id, claim.reference, lines.guard(), lines.resolve)
        outcome, seconds = await attempt.send(notifier, payload, sending)
    lines.metrics.send_duration.labels(*_labels(claim)).observe(seconds)
    if isinstance(outcome, Delivered):
        lines.counters.count_notified(told, desk.choose, time.time())
    return outcome


async def _make(
    claim: Claim, notifier: Notifier, lines: Lines, desk: attempt.Desk, meter: _Meter
) -> tuple[Any, list[Alert]] | Unwanted | Failed:
    """The message of a claim, and of what it tells as firing one alert of each name. Nothing else
    of a large group is kept while it is sent."""
    try:
        composed = await attempt.composed(claim, notifier, desk, meter)
        if isinstance(composed, str):
            return composed
        notification, told = composed
        return await _payload(notification, claim, notifier, lines, meter), told
    except Exception as error:
        log.exception("no form of the message could be made", **_names(claim), id=claim.id)
        return attempt.unmade(error, lines.calm)


async def _payload(
    notification: Notification, claim: Claim, notifier: Notifier, lines: Lines, meter: _Meter
) -> Any:
    metrics, labels = lines.metrics, _labels(claim)
    patient = attempt.is_patient(claim)
    notification, failed = await attempt.worded(notification, notifier, patient, meter)
    if failed:
        metrics.template_failures.labels(*labels).inc(failed)
    most = attempt.most_detail(claim)
    payload, detail = await attempt.rendered(notification, notifier, most, patient, meter)
    if detail is not Detail.FULL:
        metrics.notifications_degraded.labels(*labels).inc()
    return payload


def _count_delivered(claim: Claim, metrics: Metrics, now: float) -> None:
    labels = _labels(claim)
    metrics.notifications.labels(*labels).inc()
    metrics.folded.labels(*labels).inc(len(claim.groups) - 1)
    latency = metrics.latency.labels(*labels)
    for group in claim.groups:
        latency.observe(max(0.0, now - group.accepted_at))


def _labels(claim: Claim) -> tuple[str, str]:
    return claim.destination.receiver, claim.destination.notifier


def _names(claim: Claim) -> dict[str, str]:
    return {"receiver": claim.destination.receiver, "notifier": claim.destination.notifier}
