"""What must be done now and then: prune, expire, and find what waits for nobody.

In small batches, since the store's one writer also serves the intake.
"""

import asyncio
import time
from collections.abc import Callable

import structlog

from alert_router.outbox.base import Outbox, StoreUnavailable
from alert_router.service.snapshot import Snapshot

log = structlog.get_logger(__name__)

_EVERY = 30.0  # seconds between rounds
_BATCH = 500  # rows; a batch is one short transaction
_BREATH = 0.02  # seconds between batches, in which the intake's commits go first


async def keep_house(outbox: Outbox, snapshot: Callable[[], Snapshot]) -> None:
    """One round after another, for as long as the router runs."""
    while True:
        try:
            await tidy(outbox, snapshot(), time.time())
        except StoreUnavailable as error:
            log.warning("housekeeping put off", error=str(error))
        await asyncio.sleep(_EVERY)


async def tidy(outbox: Outbox, snapshot: Snapshot, now: float) -> None:
    """One round at the time `now`, unix seconds."""
    delivery = snapshot.loaded.config.delivery
    limit = now - delivery.max_age
    expired = await outbox.expire(older_than=limit, now=now)
    if expired:
        log.error("deliveries waited longer than max_age and are dead letters", count=expired)
    pruned = _BATCH
    while pruned:
        pruned = await outbox.prune(
            delivered_before=now - delivery.keep_delivered,
            dead_before=now - delivery.keep_dead,
            limit=_BATCH,
        )
        await asyncio.sleep(_BREATH)
