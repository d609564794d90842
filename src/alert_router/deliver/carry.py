"""Carrying out a claim: one attempt, judged, counted and logged.

How a claim becomes a message is `attempt`, what an outcome means is `schedule`. Who claims,
and who writes down what was decided, is `worker`.
"""

import random
import time

import structlog

from alert_router.deliver import attempt
from alert_router.deliver.fold import fold
from alert_router.deliver.lines import Lines
from alert_router.deliver.schedule import Decision, decide, is_too_old
from alert_router.deliver.wanted import Unwanted, wanted
from alert_router.metrics import Metrics
from alert_router.notification import Detail
from alert_router.notify.base import Delivered, Failed, Notifier, Outcome, Reason, Remedy, Sending
from alert_router.outbox.model import Claim, Settlement, Verdict

log = structlog.get_logger(__name__)


async def carry_out(claim: Claim, notifier: Notifier, lines: Lines) -> Decision:
    """Try to deliver what was claimed; what is to become of it, whatever happens. Only being
    cancelled is raised."""
    try:
        outcome = await _attempt(claim, notifier, lines)
    except Exception as error:  # a defect of ours must not leave the lane unsettled
        log.exception("attempt failed", **_names(claim), id=claim.id)
        outcome = Failed(Reason.INTERNAL, type(error).__name__, in_doubt=True)
    now = time.time()
    if isinstance(outcome, str):
        return Decision(Settlement(Verdict.DROPPED, now, reason=outcome))
    chance = random.random()  # noqa: S311
    decision = decide(outcome, claim, lines.schedule(), now=now, chance=chance)
    if isinstance(outcome, Delivered):
        _count_delivered(claim, lines.metrics, now)
    else:
        # What waited too long was not tried: there it is the deliveries that count.
        lost = len(claim.groups) if outcome.reason is Reason.EXPIRED else 1
        lines.metrics.notifications_failed.labels(*_labels(claim), outcome.reason.value).inc(lost)
        _tell_of_failure(outcome, claim, decision.settlement, now)
    return decision


async def _attempt(claim: Claim, notifier: Notifier, lines: Lines) -> Outcome | Unwanted:
    if is_too_old(claim, lines.schedule(), time.time()):
        return Failed(Reason.EXPIRED, "waited longer than max_age", Remedy.GIVE_UP)
    desk, metrics, labels = lines.desk(), lines.metrics, _labels(claim)
    group = wanted(fold(claim.groups), notifier, desk.scale)
    if isinstance(group, str):
        return group
    notification = attempt.write(claim, group, notifier, desk)
    notification, failed = await attempt.worded(notification, notifier)
    if failed:
        metrics.template_failures.labels(*labels).inc(failed)
    try:
        most = attempt.most_detail(claim)
        payload, detail = await attempt.rendered(notification, notifier, most)
    except Exception as error:
        log.exception("no form of the message could be made", **_names(claim), id=claim.id)
        return attempt.unrenderable(error)
    if detail is not Detail.FULL:
        metrics.notifications_degraded.labels(*labels).inc()
    sending = Sending(lines.session, claim.id, claim.reference, lines.guard())
    outcome, seconds = await attempt.send(notifier, payload, sending)
    metrics.send_duration.labels(*labels).observe(seconds)
    if isinstance(outcome, Delivered):
        lines.tally.wake(group.firing, desk.choose, time.time())
    return outcome


def _count_delivered(claim: Claim, metrics: Metrics, now: float) -> None:
    labels = _labels(claim)
    metrics.notifications.labels(*labels).inc()
    metrics.folded.labels(*labels).inc(len(claim.groups) - 1)
    latency = metrics.latency.labels(*labels)
    for group in claim.groups:
        latency.observe(max(0.0, now - group.accepted_at))


def _tell_of_failure(outcome: Failed, claim: Claim, settled: Settlement, now: float) -> None:
    dead = settled.verdict is Verdict.DEAD
    (log.error if dead else log.warning)(
        "delivery is dead" if dead else "delivery failed, will be tried again",
        **_names(claim),
        id=claim.id,
        attempt=claim.attempt,
        reason=outcome.reason.value,
        error=outcome.message,
        retry_in=None if dead else round(settled.due_at - now, 1),
    )


def _labels(claim: Claim) -> tuple[str, str]:
    return claim.destination.receiver, claim.destination.notifier


def _names(claim: Claim) -> dict[str, str]:
    return {"receiver": claim.destination.receiver, "notifier": claim.destination.notifier}
