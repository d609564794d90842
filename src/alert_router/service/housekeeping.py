"""What must be done now and then: prune, expire, hasten, write down what was counted.

In small batches, since the store's one writer also serves the intake.
"""

import asyncio
import time
from collections.abc import Awaitable, Callable
from contextlib import suppress

import structlog

from alert_router.alert_stats.counters import AlertCounters
from alert_router.metrics import Metrics
from alert_router.notify.base import Reason
from alert_router.outbox.base import Outbox, StoreUnavailable
from alert_router.outbox.observed import KEPT_DAYS, day_of
from alert_router.service.clock import Clock
from alert_router.service.snapshot import Snapshot

log = structlog.get_logger(__name__)

_EVERY = 30.0  # seconds between rounds, at most
_LOOK_EVERY = 1.0  # seconds between looks at the clock
_TALLY_EVERY = 5.0  # seconds between writings of the tallies: so much a kill can lose
_SLACK = 60.0  # seconds that clocks may be apart without anything being made of it
_BATCH = 500  # rows of a step, at most; it is one short transaction
_BREATH = 0.02  # seconds between steps, at least


async def keep_house(
    outbox: Outbox, snapshot: Callable[[], Snapshot], metrics: Metrics, clock: Clock
) -> None:
    """One round after another, for as long as the router runs."""
    while True:
        now, max_age = clock.look(), snapshot().loaded.config.delivery.max_age
        may = {"may_expire": clock.may_expire(max_age), "may_prune": clock.may_prune()}
        try:
            await tidy(outbox, snapshot(), metrics, now, **may)
        except StoreUnavailable as error:
            log.warning("housekeeping put off", error=str(error))
        await asyncio.sleep(min(_EVERY, max(1.0, max_age / 60)))


async def keep_time(outbox: Outbox, clock: Clock) -> None:
    """Set the schedules again whenever the clock was set, for as long as the router runs."""
    while True:
        now = clock.look()
        if clock.has_jumped:
            with suppress(StoreUnavailable):  # again in a second
                count = await outbox.hasten(latest=now, now=now)
                clock.has_jumped = False
                log.warning("everything that was put off is due now", count=count)
        await asyncio.sleep(_LOOK_EVERY)


async def keep_tally(tally: AlertCounters, outbox: Outbox) -> None:
    """Write down what was counted, again and again, for as long as the router runs."""
    while True:
        await asyncio.sleep(_TALLY_EVERY)
        # One that has begun is finished: the last one, at the stop, waits for it.
        await asyncio.shield(tally.write(outbox))


async def tidy(
    outbox: Outbox,
    snapshot: Snapshot,
    metrics: Metrics,
    now: float,
    *,
    may_expire: bool = True,
    may_prune: bool = True,
) -> None:
    """One round at the time `now`, unix seconds."""
    delivery = snapshot.loaded.config.delivery
    if may_expire:
        await _expire(outbox, snapshot, metrics, now)
    hastened = await outbox.hasten(latest=now + snapshot.schedule.longest + _SLACK, now=now)
    if hastened:
        log.warning("the clock was set back; what was put off for too long is due", count=hastened)
    if not may_prune:
        return
    await prune(outbox, now - delivery.keep_delivered, now - delivery.keep_dead)
    oldest = day_of(now) - KEPT_DAYS + 1
    await _in_steps(lambda: outbox.forget_observed(before_day=oldest, limit=_BATCH))


async def _expire(outbox: Outbox, snapshot: Snapshot, metrics: Metrics, now: float) -> None:
    limit = now - snapshot.loaded.config.delivery.max_age
    expired = await outbox.expire(older_than=limit, now=now, served=snapshot.notifiers.keys())
    for destination, count in expired.items():
        names = {"receiver": destination.receiver, "notifier": destination.notifier}
        log.error(
            "deliveries waited longer than max_age and are dead letters", **names, count=count
        )
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
