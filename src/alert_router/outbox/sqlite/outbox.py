"""The store's public face: each method one operation on the writer's thread.

What the operations do is in `accept`, `claim`, `settle`, `letters`, `divert`, `upkeep` and
`observed`.
"""

import asyncio
import sqlite3
import time
from builtins import list as List  # noqa: N812 (the class has a method of that name)
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable, Collection, Sequence
from pathlib import Path
from typing import TypeVar

from alert_router.outbox.alert_stats import Observation
from alert_router.outbox.base import StoreRefused, StoreUnavailable
from alert_router.outbox.model import (
    Accepted,
    Backlog,
    Claim,
    DeliveryRow,
    Destination,
    Fault,
    Health,
    NewGroup,
    Probe,
    Settlement,
    State,
)
from alert_router.outbox.sqlite import alert_stats, deliveries, health, maintenance
from alert_router.outbox.sqlite.accept import accept
from alert_router.outbox.sqlite.claim import claim, webhook_id
from alert_router.outbox.sqlite.health import divert
from alert_router.outbox.sqlite.opening import Access, CommandAccess, OnFault, ServiceAccess
from alert_router.outbox.sqlite.session import Session
from alert_router.outbox.sqlite.settle import settle
from alert_router.outbox.sqlite.writer import Writer

_BATCH = 100  # rows of one short transaction where many may have to be changed

T = TypeVar("T")

_OLD_SQLITE = (
    f"SQLite {sqlite3.sqlite_version} is too old: the store needs 3.35 or newer, use a Python "
    "built with one"
)


def _ignore(_: Fault, __: dict[str, int]) -> None:
    pass


class SqliteOutbox:
    """An Outbox in one SQLite file. Made by `open`; used from any event loop."""

    def __init__(self, session: Session) -> None:
        self._session = session
        self._writer = Writer(session)
        self._run = self._writer.run

    @classmethod
    def open(
        cls,
        path: Path,
        *,
        exclusive: bool = True,
        new_id: Callable[[], str] = webhook_id,
        on_fault: OnFault = _ignore,
    ) -> "SqliteOutbox":
        """The store in the file at `path`.

        `exclusive`, for the service: made if it is missing, brought up to date, held against
        other services, and what an earlier process had claimed is due at once, in doubt. Where the
        disk does not allow that now, it is tried again with each operation, all of which raise
        StoreUnavailable meanwhile. What was wrong with the store is logged, and `on_fault` is
        called with it and with how many rows of each table are lost.

        Else, for a command beside it: the file must be there and up to date, and stays the
        service's. `new_id` makes the ids of batches. Blocks for a moment, or while a damaged store
        is saved. Raises StoreUnavailable.
        """
        if sqlite3.sqlite_version_info < (3, 35):
            raise StoreRefused(_OLD_SQLITE)
        access: Access = ServiceAccess(path, on_fault) if exclusive else CommandAccess(path)
        session = Session(path, access, new_id)
        try:
            session.open()
        except StoreUnavailable as error:
            if not exclusive or isinstance(error, StoreRefused):
                session.close()
                raise
        return cls(session)

    @property
    def why_unusable(self) -> str | None:
        """Why nothing can be read or written now; None while all is well."""
        return self._session.why_unusable

    async def accept(self, group: NewGroup, dedup_window: float) -> Accepted:
        """As `Outbox.accept`."""
        return await self._writer.run_jointly(accept, (group, dedup_window))

    async def claim(
        self,
        destination: Destination,
        *,
        limit: int,
        now: float,
        lease: float,
        fold: bool,
        probe: Probe | None = None,
    ) -> List[Claim]:
        """As `Outbox.claim`."""
        return await self._run(claim, destination, limit, now, lease, fold, probe)

    async def settle(self, claim: Claim, settlement: Settlement) -> bool:
        """As `Outbox.settle`."""
        return await self._run(settle, claim, settlement)

    async def sent(self, destination: Destination, *, since: float, now: float) -> List[float]:
        """As `Outbox.sent`."""
        return await self._run(maintenance.sent, destination, since, now)

    async def health(self, destination: Destination) -> Health:
        """As `Outbox.health`."""
        return await self._run(health.read, destination)

    async def set_health(self, destination: Destination, new: Health, *, now: float) -> None:
        """As `Outbox.set_health`."""
        await self._run(health.write, destination, new, now)

    async def divert(
        self,
        destination: Destination,
        to: tuple[Destination, ...],
        *,
        failing_before: float,
        now: float,
    ) -> int:
        """As `Outbox.divert`; in short transactions as `expire`."""
        steps = self._steps(lambda: self._run(divert, destination, to, failing_before, now, _BATCH))
        return sum([done async for done in steps])

    async def backlog(self) -> List[Backlog]:
        """As `Outbox.backlog`."""
        return await self._run(maintenance.backlog)

    async def list(
        self,
        *,
        state: State | None = None,
        destination: Destination | None = None,
        limit: int = 100,
        before: int | None = None,
    ) -> List[DeliveryRow]:
        """As `Outbox.list`."""
        return await self._run(deliveries.rows, state, destination, limit, before)

    async def of_group(self, group: str) -> List[DeliveryRow]:
        """As `Outbox.of_group`."""
        return await self._run(deliveries.of_group, group)

    async def show(self, delivery: int) -> tuple[DeliveryRow, bytes] | None:
        """As `Outbox.show`."""
        return await self._run(deliveries.show, delivery)

    async def replay(
        self, delivery: int, *, now: float, to: Destination | None = None, force: bool = False
    ) -> int:
        """As `Outbox.replay`."""
        return await self._run(deliveries.replay, delivery, now, to, force)

    async def discard(self, delivery: int, *, now: float) -> None:
        """As `Outbox.discard`."""
        await self._run(deliveries.discard, delivery, now)

    async def expire(
        self, *, older_than: float, now: float, served: Collection[Destination]
    ) -> Counter[Destination]:
        """As `Outbox.expire`; in short transactions, between which others have their turn."""
        done: Counter[Destination] = Counter()
        arguments = (older_than, now, frozenset(served), _BATCH)
        async for some in self._steps(lambda: self._run(maintenance.expire, *arguments)):
            done += some
        return done

    async def hasten(self, *, latest: float, now: float) -> int:
        """As `Outbox.hasten`."""
        return await self._run(maintenance.hasten, latest, now)

    async def prune(self, *, delivered_before: float, dead_before: float, limit: int) -> int:
        """As `Outbox.prune`."""
        return await self._run(maintenance.prune, delivered_before, dead_before, limit)

    async def observe(self, observations: Sequence[Observation]) -> None:
        """As `Outbox.observe`."""
        await self._run(alert_stats.observe, observations)

    async def observed(self, day: int) -> List[Observation]:
        """As `Outbox.observed`."""
        return await self._run(alert_stats.observed, day)

    async def forget_observed(self, *, before_day: int, limit: int) -> int:
        """As `Outbox.forget_observed`."""
        return await self._run(alert_stats.forget, before_day, limit)

    async def _steps(self, step: Callable[[], Awaitable[T]]) -> AsyncIterator[T]:
        """What a step did, again until it does nothing. After each the store is left to others for
        as long as it took."""
        while True:
            began = time.monotonic()
            if not (done := await step()):
                return
            yield done
            await asyncio.sleep(time.monotonic() - began)

    async def close(self) -> None:
        """As `Outbox.close`."""
        await self._writer.close()
