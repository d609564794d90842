"""One attempt: a claim is composed and sent, and the outcome counted.

What an outcome means is decided in `policy`; claiming and settling is `worker`."""

import asyncio
import time
from collections.abc import Callable
from contextlib import (
    AbstractAsyncContextManager,
    AbstractContextManager,
    AsyncExitStack,
    nullcontext,
)
from dataclasses import dataclass, field
from math import inf
from typing import Any, TypeVar

import aiohttp
import structlog

from alert_router.alert_stats import AlertCounters
from alert_router.deliver.action_links import LinkKey, with_links
from alert_router.deliver.compose import (
    Unmade,
    Unwanted,
    composed,
    is_passing,
    is_patient,
    messages,
    most_detail,
    rendered,
    worded,
)
from alert_router.deliver.progress import with_progress
from alert_router.fields import SecretUnavailable
from alert_router.metrics import Metrics
from alert_router.model import Alert
from alert_router.notification import Notification
from alert_router.notify.base import (
    Delivered,
    Failed,
    Notifier,
    Outcome,
    Reason,
    Remedy,
    Sending,
    misconfigured,
)
from alert_router.notify.egress import Resolve
from alert_router.outbox.base import Outbox
from alert_router.outbox.model import Claim
from alert_router.receive import trace_of
from alert_router.runtime import Runtime
from alert_router.tracing import Span, span

log = structlog.get_logger(__name__)

T = TypeVar("T")

_LARGE = 1024 * 1024  # bytes from which on a body or a message is large
_MADE = 1  # at a time
_SENT = 2

# A notifier limits itself by its timeout; this much more, in seconds, and it is cancelled.
_GRACE = 5.0
_CALM = 60.0  # seconds without trouble after which conditions are calm


class MessageMemory:
    """Room for large messages, for all destinations of one event loop: few are rendered and few are
    being sent at a time, since each takes memory several times its size. Others do not wait."""

    def __init__(self) -> None:
        self._making = asyncio.Semaphore(_MADE)
        self._sending = asyncio.Semaphore(_SENT)

    def to_make(self, claim: Claim) -> AbstractAsyncContextManager[None]:
        """Wait until the message of a claim may be rendered."""
        is_large = sum(len(group.body) for group in claim.groups) > _LARGE
        return self._making if is_large else nullcontext()

    def to_send(self, payload: Any) -> AbstractAsyncContextManager[None]:
        """Wait until a message may be sent."""
        return self._sending if _size(payload) > _LARGE else nullcontext()


def _size(payload: Any) -> int:
    """Roughly how many bytes a payload has."""
    match payload:
        case bytes() | str():
            return len(payload)
        case dict():
            return sum(map(_size, payload.values()))
        case list() | tuple():
            return sum(map(_size, payload))
    return 0


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
class DeliverContext:
    """What every loop shares: the store, the HTTP session, and how things stand now."""

    outbox: Outbox
    session: aiohttp.ClientSession
    metrics: Metrics
    counters: AlertCounters
    runtime: Callable[[], Runtime]
    resolve: Resolve
    link_key: LinkKey
    calm: Calm = field(default_factory=Calm)
    room: MessageMemory = field(default_factory=MessageMemory)
    recovered: asyncio.Event = field(default_factory=asyncio.Event)  # leases of an earlier process


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


async def carry_out(claim: Claim, notifier: Notifier, shared: DeliverContext) -> Attempted:
    """Try to deliver what was claimed; how that ended, whatever happens. Only being cancelled is
    raised. To be run in a task of its own."""
    meter = _Meter()
    with _span(claim) as delivering:
        # For the task's later lines as well.
        group = claim.groups[-1].group
        structlog.contextvars.bind_contextvars(group_id=group, **delivering.log_fields())
        try:
            outcome = await _attempt(claim, notifier, shared, meter, delivering.traceparent)
        except Exception as error:  # a defect of ours must not leave the lane unsettled
            log.exception("attempt failed", **_names(claim), id=claim.id)
            outcome = Failed(Reason.INTERNAL, type(error).__name__, in_doubt=True)
        _note(delivering, outcome)
    if claim.only_change:
        return Attempted(outcome, meter.seconds)
    if isinstance(outcome, Delivered):
        _count_delivered(claim, shared.metrics, shared.outbox.now())
    elif isinstance(outcome, Failed):
        shared.metrics.notifications_failed.labels(*_labels(claim), outcome.reason.value).inc()
    return Attempted(outcome, meter.seconds)


def _span(claim: Claim) -> AbstractContextManager[Span]:
    """The span of an attempt, in the trace of the group that was accepted last."""
    *earlier, traceparent = (trace_of(group.body) for group in claim.groups)
    receiver, notifier = _labels(claim)
    return span(
        "deliver",
        "consumer",
        parent=traceparent,
        linked=filter(None, earlier),
        attributes={
            "alert_router.receiver": receiver,
            "alert_router.notifier": notifier,
            "alert_router.group_id": claim.groups[-1].group,
            "alert_router.delivery_id": claim.id,
            "alert_router.groups": len(claim.groups),
            "alert_router.attempt": claim.attempt,
        },
    )


def _note(delivering: Span, outcome: Outcome | Unwanted) -> None:
    if isinstance(outcome, Failed):
        delivering.set(outcome="failed")
        delivering.fail(outcome.reason.value)
    elif isinstance(outcome, Delivered):
        delivering.set(outcome="delivered")
    else:
        delivering.set(outcome="skipped", reason=outcome)


async def _attempt(
    claim: Claim, notifier: Notifier, shared: DeliverContext, meter: _Meter, traceparent: str
) -> Outcome | Unwanted:
    if claim.only_change and claim.crashes > 1:
        return Failed(Reason.INTERNAL, "two earlier tries did not end", Remedy.GIVE_UP)
    runtime = shared.runtime()
    async with AsyncExitStack() as until_sent:
        async with shared.room.to_make(claim):
            made = await _make(claim, notifier, shared, runtime, meter)
            if isinstance(made, str | Failed):
                return made
            payload, told = made
            await until_sent.enter_async_context(shared.room.to_send(payload))
        sending = Sending(
            shared.session,
            claim.id,
            claim.reference,
            runtime.guard,
            shared.resolve,
            traceparent,
            claim.only_change,
        )
        outcome, seconds = await send(notifier, payload, sending)
    shared.metrics.send_duration.labels(*_labels(claim)).observe(seconds)
    if isinstance(outcome, Delivered) and not claim.only_change:
        shared.counters.count_notified(told, runtime.choose, shared.outbox.now())
    return outcome


async def _make(
    claim: Claim, notifier: Notifier, shared: DeliverContext, runtime: Runtime, meter: _Meter
) -> tuple[Any, list[Alert]] | Unwanted | Failed:
    """The message of a claim, and of what it tells as firing one alert of each name. Nothing else
    of a large group is kept while it is sent."""
    try:
        parts = await composed(claim, notifier, runtime, meter)
        if isinstance(parts, str):
            return parts
        notification, told = parts
        notification = await with_links(notification, runtime, shared.link_key)
        if notifier.changes_messages:
            notification = await _with_progress(notification, claim, shared, runtime)
        return await _payload(notification, claim, notifier, shared, meter), told
    except Exception as error:
        log.exception("no form of the message could be made", **_names(claim), id=claim.id)
        return unmade(error, shared.calm)


async def _with_progress(
    notification: Notification, claim: Claim, shared: DeliverContext, runtime: Runtime
) -> Notification:
    """The notification with what people did. Without it only where that cannot be found out."""
    try:
        if not claim.has_actions:
            return with_progress(notification, None, runtime)
        history = await shared.outbox.history(claim.groups[-1].group)
        return await messages.run(with_progress, notification, history, runtime)
    except Exception:
        if claim.only_change:
            raise
        log.exception("the message does not say what people did", **_names(claim), id=claim.id)
        return notification


async def _payload(
    notification: Notification,
    claim: Claim,
    notifier: Notifier,
    shared: DeliverContext,
    meter: _Meter,
) -> Any:
    metrics, labels = shared.metrics, _labels(claim)
    patient = is_patient(claim)
    notification, failed = await worded(notification, notifier, patient, meter)
    if failed:
        metrics.template_failures.labels(*labels).inc(failed)
    most = most_detail(claim)
    payload, detail = await rendered(notification, notifier, most, patient, meter)
    if detail < notifier.most_detail(notification):
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
