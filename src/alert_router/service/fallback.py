"""Falling back: what waits for a destination that has taken nothing for too long is told by
another receiver as well.

Since when it fails, and what was told elsewhere already, is the store's to know.
"""

import asyncio
import time
from collections.abc import Callable

import structlog

from alert_router.metrics import Metrics
from alert_router.outbox.base import Outbox, StoreUnavailable
from alert_router.outbox.model import Destination
from alert_router.service.snapshot import Snapshot

log = structlog.get_logger(__name__)

_EVERY = 5.0  # seconds between rounds


async def keep_falling_back(
    outbox: Outbox,
    snapshot: Callable[[], Snapshot],
    wake: Callable[[Destination], None],
    metrics: Metrics,
) -> None:
    """One round after another, for as long as the router runs."""
    while True:
        try:
            await fall_back(outbox, snapshot(), wake, metrics, time.time())
        except StoreUnavailable as error:
            log.warning("falling back put off", error=str(error))
        await asyncio.sleep(_EVERY)


async def fall_back(
    outbox: Outbox,
    snapshot: Snapshot,
    wake: Callable[[Destination], None],
    metrics: Metrics,
    now: float,
) -> None:
    """One round at the time `now`, unix seconds."""
    for destination, notifier in snapshot.notifiers.items():
        if not notifier.fallback:
            continue
        others = tuple(one for one in snapshot.notifiers if one.receiver == notifier.fallback)
        diverted = await outbox.divert(
            destination, others, failing_before=now - notifier.fallback_after, now=now
        )
        if not diverted:
            continue
        labels = (destination.receiver, destination.notifier)
        metrics.diverted.labels(*labels).inc(diverted)
        log.error(
            "a destination takes nothing; its deliveries are told by the fallback too",
            receiver=destination.receiver,
            notifier=destination.notifier,
            fallback=notifier.fallback,
            count=diverted,
        )
        for other in others:
            wake(other)
