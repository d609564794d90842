"""How things stand, asked of the store and the disk seldom however often it is asked for here."""

import shutil
import time
from collections.abc import Callable
from pathlib import Path

import structlog

from alert_router.deliver.policy import is_held
from alert_router.metrics import DestinationGauges, Metrics
from alert_router.outbox.base import Outbox
from alert_router.outbox.model import Backlog

log = structlog.get_logger(__name__)

_ROOM_SECONDS = 1.0  # how long an answer about free space is believed
_BACKLOG_SECONDS = 2.0  # how long the gauges of the backlog are


class Room:
    """The free space beside the store: `reserve` bytes of it are for claims, settlements and
    pruning."""

    def __init__(self, directory: Path, reserve: Callable[[], int]) -> None:
        self._directory = directory
        self._reserve = reserve
        self._asked_at = 0.0
        self._enough = True

    def has_room(self) -> bool:
        """Whether free space is over the reserve; not where the disk does not say."""
        now = time.monotonic()
        if now - self._asked_at > _ROOM_SECONDS:
            self._asked_at = now
            try:
                self._enough = shutil.disk_usage(self._directory).free > self._reserve()
            except OSError as error:
                log.error("free space cannot be told; webhooks are refused", error=str(error))
                self._enough = False
        return self._enough


class BacklogGauges:
    """The metrics of what waits in the store."""

    def __init__(self, outbox: Outbox, metrics: Metrics) -> None:
        self._outbox = outbox
        self._metrics = metrics
        self._asked_at = 0.0

    async def refresh(self) -> None:
        """Bring them up to date. Raises StoreUnavailable."""
        if time.monotonic() - self._asked_at < _BACKLOG_SECONDS:
            return
        rows = await self._outbox.backlog()
        self._asked_at = time.monotonic()
        now = time.time()
        self._metrics.show_backlog(_gauges(row, now) for row in rows)


def _gauges(row: Backlog, now: float) -> DestinationGauges:
    return DestinationGauges(
        row.destination.receiver,
        row.destination.notifier,
        row.waiting,
        max(0.0, now - row.oldest_accepted_at) if row.oldest_accepted_at else 0.0,
        row.dead,
        max(0.0, now - row.health.failing_since) if row.health.is_failing else 0.0,
        is_held(row.health, now),
    )
