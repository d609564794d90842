"""What must be done now and then: prune, expire, hasten, write down what was counted.

In small batches, since the store's one writer also serves the intake.
"""

import asyncio
import time
from collections.abc import Callable

import structlog

from alert_router.alert_stats.counters import AlertCounters
from alert_router.metrics import Metrics
from alert_router.notify.base import Reason
from alert_router.outbox.base import Outbox, StoreUnavailable
from alert_router.outbox.observed import KEPT_DAYS, day_of
from alert_router.service.snapshot import Snapshot

log = structlog.get_logger(__name__)

_EVERY = 30.0  # seconds between rounds
_TALLY_EVERY = 5.0  # seconds between writings of the tallies: so much a kill can lose
_SLACK = 60.0  # seconds that clocks may be apart without anything being made of it
_BATCH = 500  # rows; a batch is one short transaction
_BREATH = 0.02  # seconds between batches, in which the intake's commits go first


async def keep_house(outbox: Outbox, snapshot: Callable[[], Snapshot], metrics: Metrics) -> None:
    """One round after another, for as long as the router runs."""
    while True:
        try:
            await tidy(outbox, snapshot(), metrics, time.time())
        except StoreUnavailable as error:
            log.warning("housekeeping put off", error=str(error))
        await asyncio.sleep(_EVERY)


async def keep_tally(tally: AlertCounters, outbox: Outbox) -> None:
    """Write down what was counted, again and again, for as long as the router runs."""
    while True:
        await asyncio.sleep(_TALLY_EVERY)
        # One that has begun is finished: the last one, at the stop, waits for it.
        await asyncio.shield(tally.write(outbox))


async def tidy(outbox: Outbox, snapshot: Snapshot, metrics: Metrics, now: float) -> None:
    """One round at the time `now`, unix seconds."""
    delivery = snapshot.loaded.config.delivery
    limit = now - delivery.max_age
    for destination, count in (await outbox.expire(older_than=limit, now=now)).items():
        names = {"receiver": destination.receiver, "notifier": destination.notifier}
        log.error(
            "deliveries waited longer than max_age and are dead letters", **names, count=count
        )
        metrics.notifications_failed.labels(**names, reason=Reason.EXPIRED.value).inc(count)
    hastened = await outbox.hasten(latest=now + snapshot.schedule.longest + _SLACK, now=now)
    if hastened:
        log.warning("the clock was set back; what was put off for too long is due", count=hastened)
    pruned = _BATCH
    while pruned:
        pruned = await outbox.prune(
            delivered_before=now - delivery.keep_delivered,
            dead_before=now - delivery.keep_dead,
            limit=_BATCH,
        )
        await asyncio.sleep(_BREATH)
    oldest = day_of(now) - KEPT_DAYS + 1
    forgotten = _BATCH
    while forgotten:
        forgotten = await outbox.forget_observed(before_day=oldest, limit=_BATCH)
        await asyncio.sleep(_BREATH)
