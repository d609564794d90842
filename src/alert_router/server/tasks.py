"""What is done in the background: expiry, pruning, fallbacks, look-ups, counts and clocks."""

import asyncio
import time
from collections.abc import Awaitable, Callable, Mapping
from contextlib import suppress
from math import inf

import structlog

from alert_router.alert_stats import AlertCounters
from alert_router.deliver.policy import longest
from alert_router.metrics import Metrics
from alert_router.notify.base import Notifier, Reason
from alert_router.notify.egress import Guard, Obstacle, Resolve, obstacle
from alert_router.outbox.base import Outbox, StoreUnavailable
from alert_router.outbox.model import KEPT_DAYS, KEPT_SECONDS, Destination, day_of
from alert_router.runtime import Runtime

log = structlog.get_logger(__name__)

_JUMP = 5.0  # seconds by which two clocks do not part by themselves between two looks
_AHEAD = 60.0  # seconds by which something may look older than it is
_AT_START = 600.0  # seconds: until then the clock may be set, and everything is tried once
_DAY = 86_400.0


class Clock:
    """Compares the wall clock with one that only goes forward. That one stands still while the
    machine sleeps, so that a long sleep counts as a jump ahead: nothing could be sent meanwhile.

    `has_jumped` is for whoever sets the schedules again, and to be set to false then."""

    def __init__(self) -> None:
        self.has_jumped = False
        self._began = self._steady = time.monotonic()
        self._wall = time.time()
        self._ahead_at = -inf

    def look(self) -> float:
        """The time now, unix seconds, having noticed whether the clock was set since the last
        look."""
        steady, wall = time.monotonic(), time.time()
        jump = (wall - self._wall) - (steady - self._steady)
        self._steady, self._wall = steady, wall
        if abs(jump) > _JUMP:
            self.has_jumped = True
            log.warning("clock was changed, or the machine was suspended", seconds=round(jump, 1))
        if jump > _AHEAD:
            self._ahead_at = steady
        return wall

    def may_expire(self, max_age: float) -> bool:
        """Whether ages can be compared with `max_age`. After a jump ahead not for as long as that:
        then everything accepted before it is as old, and what comes after it is not affected."""
        began = self._began + min(_AT_START, max_age)
        return self._steady >= max(began, self._ahead_at + max_age)

    def may_prune(self) -> bool:
        """Whether what is settled may be deleted. After a jump ahead not for a day, in which
        somebody can correct the clock."""
        return self._steady >= max(self._began + _AT_START, self._ahead_at + _DAY)


_AT_ONCE = 8  # look-ups


async def look_up(
    notifiers: Mapping[Destination, Notifier], guard: Guard, resolve: Resolve, metrics: Metrics
) -> None:
    """An error in the log, and a metric, for each destination that cannot be reached."""
    room = asyncio.Semaphore(_AT_ONCE)
    metrics.unreachable.clear()

    async def one(destination: Destination, host: str) -> None:
        async with room:
            found = await obstacle(host, guard, resolve)
        names = {"receiver": destination.receiver, "notifier": destination.notifier}
        metrics.unreachable.labels(**names).set(found is not None)
        if found is None:
            return
        hint = "deliveries wait until it does"
        if found.obstacle is Obstacle.FORBIDDEN:
            hint = "set `delivery.private_destinations`; deliveries wait until it is allowed"
        log.error(
            "destination cannot be reached",
            **names,
            host=host,
            error=found.message,
            reason=found.reason,
            hint=hint,
        )

    hosts = {destination: notifier.host() for destination, notifier in notifiers.items()}
    await asyncio.gather(*(one(destination, host) for destination, host in hosts.items() if host))


_FALLBACK_EVERY = 5.0  # seconds between rounds


async def keep_falling_back(
    outbox: Outbox,
    runtime: Callable[[], Runtime],
    wake: Callable[[Destination], None],
    metrics: Metrics,
) -> None:
    """One round after another, for as long as the router runs."""
    while True:
        try:
            await fall_back(outbox, runtime(), wake, metrics, outbox.now())
        except StoreUnavailable as error:
            log.warning("fallback postponed", error=str(error))
        await asyncio.sleep(_FALLBACK_EVERY)


async def fall_back(
    outbox: Outbox,
    runtime: Runtime,
    wake: Callable[[Destination], None],
    metrics: Metrics,
    now: float,
) -> None:
    """One round at the time `now`, unix seconds."""
    for destination, notifier in runtime.notifiers.items():
        if not notifier.fallback:
            continue
        others = tuple(one for one in runtime.notifiers if one.receiver == notifier.fallback)
        diverted = await outbox.divert(
            destination, others, failing_before=now - notifier.fallback_after, now=now
        )
        if not diverted:
            continue
        labels = (destination.receiver, destination.notifier)
        metrics.diverted.labels(*labels).inc(diverted)
        log.error(
            "destination is failing; sending its deliveries to the fallback too",
            receiver=destination.receiver,
            notifier=destination.notifier,
            fallback=notifier.fallback,
            count=diverted,
        )
        for other in others:
            wake(other)


_HOUSE_EVERY = 30.0  # seconds between rounds, at most
_LOOK_EVERY = 1.0  # seconds between looks at the clock
_COUNTERS_EVERY = 5.0  # seconds between writes of the counts: a kill loses as much
_SLACK = 60.0  # seconds that clocks may be apart without anything being made of it
_BATCH = 500  # rows of a step, at most; it is one short transaction
_BREATH = 0.02  # seconds between steps, at least


async def keep_house(
    outbox: Outbox, runtime: Callable[[], Runtime], metrics: Metrics, clock: Clock
) -> None:
    """One round after another, for as long as the router runs."""
    while True:
        now, max_age = clock.look(), runtime().config.delivery.max_age
        may = {"may_expire": clock.may_expire(max_age), "may_prune": clock.may_prune()}
        try:
            await tidy(outbox, runtime(), metrics, now, **may)
        except StoreUnavailable as error:
            log.warning("maintenance postponed", error=str(error))
        await asyncio.sleep(min(_HOUSE_EVERY, max(1.0, max_age / 60)))


async def keep_time(outbox: Outbox, clock: Clock) -> None:
    """Set the schedules again whenever the clock was set, for as long as the router runs."""
    while True:
        now = clock.look()
        if clock.has_jumped:
            with suppress(StoreUnavailable):  # again in a second
                count = await outbox.hasten(latest=now, now=now)
                clock.has_jumped = False
                log.warning("retries are due now", count=count)
        await asyncio.sleep(_LOOK_EVERY)


async def write_counters(counters: AlertCounters, outbox: Outbox) -> None:
    """Write down what was counted, again and again, for as long as the router runs."""
    while True:
        await asyncio.sleep(_COUNTERS_EVERY)
        # One that has begun is finished: the last one, at the stop, waits for it.
        await asyncio.shield(counters.write(outbox))


async def tidy(
    outbox: Outbox,
    runtime: Runtime,
    metrics: Metrics,
    now: float,
    *,
    may_expire: bool = True,
    may_prune: bool = True,
) -> None:
    """One round at the time `now`, unix seconds."""
    delivery = runtime.config.delivery
    if may_expire:
        await _expire(outbox, runtime, metrics, now)
    hastened = await outbox.hasten(latest=now + longest(runtime.config.delivery) + _SLACK, now=now)
    if hastened:
        log.warning("clock was set back; overdue retries are due now", count=hastened)
    if not may_prune:
        return
    await prune(outbox, now - delivery.keep_delivered, now - delivery.keep_dead)
    oldest = day_of(now) - KEPT_DAYS + 1
    await _in_steps(lambda: outbox.forget_observed(before_day=oldest, limit=_BATCH))
    await _in_steps(lambda: outbox.forget_actions(before=now - KEPT_SECONDS, limit=_BATCH))


async def _expire(outbox: Outbox, runtime: Runtime, metrics: Metrics, now: float) -> None:
    limit = now - runtime.config.delivery.max_age
    expired = await outbox.expire(older_than=limit, now=now, served=runtime.notifiers.keys())
    for destination, count in expired.items():
        names = {"receiver": destination.receiver, "notifier": destination.notifier}
        log.error("deliveries older than max_age became dead letters", **names, count=count)
        metrics.notifications_failed.labels(**names, reason=Reason.EXPIRED.value).inc(count)


async def prune(outbox: Outbox, delivered_before: float, dead_before: float) -> int:
    """Delete all that was settled before these times, unix seconds; how many rows."""
    return await _in_steps(
        lambda: outbox.prune(
            delivered_before=delivered_before, dead_before=dead_before, limit=_BATCH
        )
    )


async def _in_steps(step: Callable[[], Awaitable[int]]) -> int:
    """Take a step until it does nothing more; the sum. The intake's commits have at least as much
    of the store's time."""
    done, last = 0, 1
    while last:
        began = time.monotonic()
        last = await step()
        done += last
        await asyncio.sleep(max(_BREATH, time.monotonic() - began))
    return done
