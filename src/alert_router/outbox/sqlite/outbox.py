"""The store's public face: each method one operation on the writer's thread.

What they do is in `operations`.
"""

import asyncio
import sqlite3
import time
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable, Collection, Sequence
from pathlib import Path
from typing import TypeVar

from alert_router.fields import Rate
from alert_router.outbox.alert_stats import Observation
from alert_router.outbox.base import StoreRefused, StoreUnavailable
from alert_router.outbox.model import (
    Accepted,
    Backlog,
    Claim,
    DeliveryRow,
    Destination,
    Health,
    NewGroup,
    Probe,
    Role,
    Settlement,
    State,
)
from alert_router.outbox.operations import alert_stats, deliveries, health, maintenance
from alert_router.outbox.operations.accept import accept
from alert_router.outbox.operations.claim import Wanted, claim, recover, webhook_id
from alert_router.outbox.operations.settle import settle
from alert_router.outbox.sqlite.opening import (
    Access,
    CommandAccess,
    OnFault,
    ServiceAccess,
    ignore_fault,
)
from alert_router.outbox.sqlite.room import Room
from alert_router.outbox.sqlite.session import SqliteSession
from alert_router.outbox.sqlite.writer import Writer

_BATCH = 100  # rows of one short transaction where many may have to be changed

T = TypeVar("T")

_OLD_SQLITE = (
    f"SQLite {sqlite3.sqlite_version} is too old: the store needs 3.35 or newer, use a Python "
    "built with one"
)


class SqliteOutbox:
    """An Outbox in one SQLite file. Made by `open`; used from any event loop."""

    # No other service can have the file: whoever starts on it takes over from the one before.
    owner = "service"
    is_shared = False

    def __init__(self, session: SqliteSession) -> None:
        self._session = session
        self._writer = Writer(session)
        self._run = self._writer.run
        self._room = Room(session.path.parent)

    @classmethod
    def open(
        cls,
        path: Path,
        role: Role = Role.SERVICE,
        *,
        new_id: Callable[[], str] = webhook_id,
        on_fault: OnFault = ignore_fault,
    ) -> "SqliteOutbox":
        """The store in the file at `path`.

        For the service it is made if it is missing, brought up to date, and held against other
        services. Where the disk does not allow that now, it is tried again with each operation, all
        of which raise StoreUnavailable meanwhile. What was wrong with the store is logged, and
        `on_fault` is called with it and with how many rows of each table are lost.

        For a command beside it the file must be there and up to date, and stays the service's.
        `new_id` makes the ids of batches. Blocks for a moment, or while a damaged store
        is saved. Raises StoreUnavailable.
        """
        if sqlite3.sqlite_version_info < (3, 35):
            raise StoreRefused(_OLD_SQLITE)
        access: Access = (
            ServiceAccess(path, on_fault) if role is Role.SERVICE else CommandAccess(path)
        )
        session = SqliteSession(path, access, new_id)
        try:
            session.open()
        except StoreUnavailable as error:
            if role is Role.COMMAND or isinstance(error, StoreRefused):
                session.close()
                raise
        return cls(session)

    @property
    def why_unusable(self) -> str | None:
        """Why nothing can be read or written now; None while all is well."""
        return self._session.why_unusable

    def now(self) -> float:
        """As `Outbox.now`: this machine's clock."""
        return time.time()

    def has_room(self, *, reserve: int, coming: int) -> bool:
        """As `Outbox.has_room`."""
        return self._room.has_room(reserve=reserve, coming=coming)

    async def accept(self, group: NewGroup, dedup_window: float) -> Accepted:
        """As `Outbox.accept`."""
        self._room.stored(len(group.body))
        return await self._writer.run_jointly(accept, (group, dedup_window))

    async def recover(self, owner: str) -> int:
        """As `Outbox.recover`."""
        return await self._run(recover, owner)

    async def claim(
        self,
        destination: Destination,
        *,
        owner: str,
        limit: int,
        now: float,
        lease: float,
        fold: bool,
        probe: Probe | None = None,
        rate: Rate | None = None,
    ) -> list[Claim]:
        """As `Outbox.claim`."""
        wanted = Wanted(owner, limit, now, lease, fold, probe, rate)
        return await self._run(claim, destination, wanted)

    async def settle(self, claim: Claim, settlement: Settlement) -> bool:
        """As `Outbox.settle`."""
        return await self._run(settle, claim, settlement)

    async def sent(self, destination: Destination, *, since: float, now: float) -> list[float]:
        """As `Outbox.sent`."""
        return await self._run(maintenance.sent, destination, since, now)

    async def health(self, destination: Destination) -> Health:
        """As `Outbox.health`."""
        return await self._run(health.read, destination)

    async def divert(
        self,
        destination: Destination,
        to: tuple[Destination, ...],
        *,
        failing_before: float,
        now: float,
    ) -> int:
        """As `Outbox.divert`; in short transactions as `expire`."""
        steps = self._steps(
            lambda: self._run(health.divert, destination, to, failing_before, now, _BATCH)
        )
        return sum([done async for done in steps])

    async def backlog(self) -> list[Backlog]:
        """As `Outbox.backlog`."""
        return await self._run(maintenance.backlog)

    async def deliveries(
        self,
        *,
        state: State | None = None,
        destination: Destination | None = None,
        limit: int = 100,
        before: int | None = None,
    ) -> list[DeliveryRow]:
        """As `Outbox.deliveries`."""
        return await self._run(deliveries.rows, state, destination, limit, before)

    async def of_group(self, group: str) -> list[DeliveryRow]:
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

    async def observed(self, day: int) -> list[Observation]:
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
