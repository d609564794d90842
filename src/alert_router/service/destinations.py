"""Looking up every destination's name at the start and at each reload, so that a name that does not
resolve, or leads where nothing may be sent, is known before the first alert.

Runs in the background: it delays and prevents nothing.
"""

import asyncio
from collections.abc import Mapping

import structlog

from alert_router.metrics import Metrics
from alert_router.notify.base import Notifier
from alert_router.notify.egress import Guard, Obstacle, Resolve, obstacle
from alert_router.outbox.model import Destination

log = structlog.get_logger(__name__)

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
