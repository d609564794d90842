"""How the store and its disk are: asked seldom, however often it is asked for here."""

import asyncio
import shutil
import time
from collections.abc import Callable
from math import inf
from pathlib import Path

import structlog

from alert_router.deliver.policy import is_held
from alert_router.metrics import DestinationGauges, Metrics
from alert_router.outbox.base import Outbox, StoreEnded, StoreUnavailable
from alert_router.outbox.model import Backlog

log = structlog.get_logger(__name__)

_ROOM_SECONDS = 1.0  # how long an answer about free space is believed
_COST = 3  # bytes on disk for each byte of a body: the -wal file, the store, rows and indexes

# Seconds between questions to the store, at least; so many times as long as an answer took; and at
# most.
_EVERY, _REST, _SELDOM = 1.0, 20.0, 10.0
_STALLED = 5.0  # seconds without an answer after which the store counts as stalled


class Room:
    """The free space beside the store: `reserve` bytes of it are for claims, settlements, pruning
    and writing the -wal file back. `held` says how many bytes of bodies are on their way there."""

    def __init__(
        self, directory: Path, reserve: Callable[[], int], held: Callable[[], int]
    ) -> None:
        self._directory = directory
        self._reserve = reserve
        self._held = held
        self._asked_at = -inf
        self._free = 0
        self._stored = 0  # bytes of bodies since the last look

    def has_room(self) -> bool:
        """Whether free space is over the reserve; not where the disk does not say."""
        now = time.monotonic()
        if now - self._asked_at > _ROOM_SECONDS:
            self._asked_at, self._stored = now, 0
            try:
                self._free = shutil.disk_usage(self._directory).free
            except OSError as error:
                log.error("cannot read free disk space; rejecting webhooks", error=str(error))
                self._free = 0
        return self._free - _COST * (self._stored + self._held()) > self._reserve()

    def stored(self, size: int) -> None:
        """A body of so many bytes may have been stored just now."""
        self._stored += size


class StoreStatus:
    """How the store is, asked in the background, so that no request waits for it: what is pending,
    for the metrics, and whether it answers."""

    def __init__(self, outbox: Outbox, metrics: Metrics) -> None:
        self.backlog: list[Backlog] = []
        self._outbox = outbox
        self._metrics = metrics
        self._asked_at = inf  # where it has not answered yet
        self._answered_at = time.monotonic()
        self._is_failing = False
        metrics.store_answer_age.set_function(lambda: time.monotonic() - self._answered_at)

    def is_stalled(self) -> bool:
        """Whether the store has not answered for too long."""
        return time.monotonic() - self._asked_at > _STALLED

    def trouble(self) -> str:
        """Why the store cannot be used now; "" if it can."""
        if self.is_stalled():
            return "it does not answer"
        return "it cannot be read" if self._is_failing else ""

    async def watch(self) -> None:
        """Ask again and again. Raises StoreEnded once that is of no use any more."""
        while True:
            began = time.monotonic()
            try:
                await self.refresh()
            except StoreEnded:
                raise
            except StoreUnavailable as error:
                log.warning("cannot read the store", error=str(error))
            took = time.monotonic() - began
            await asyncio.sleep(min(max(_EVERY, _REST * took), _SELDOM))

    async def refresh(self) -> None:
        """Ask once, however long the answer takes. Raises StoreUnavailable."""
        asked_at = self._asked_at = time.monotonic()
        alarm = asyncio.get_running_loop().call_later(_STALLED, self._say_stalled)
        try:
            self.backlog = await self._outbox.backlog()
        except StoreUnavailable:
            self._is_failing = True
            raise
        finally:
            alarm.cancel()
            self._asked_at = inf
        now = self._answered_at = time.monotonic()
        if now - asked_at > _STALLED:
            log.warning("the store answers again", seconds=round(now - asked_at, 1))
        self._is_failing = False
        wall = time.time()
        self._metrics.show_backlog(_gauges(row, wall) for row in self.backlog)

    def _say_stalled(self) -> None:
        log.error("the store does not answer; webhooks are rejected", seconds=_STALLED)


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
