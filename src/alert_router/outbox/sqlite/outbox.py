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

from alert_router.outbox.base import StoreUnavailable
from alert_router.outbox.model import (
    Accepted,
    Backlog,
    Claim,
    DeliveryRow,
    Destination,
    Health,
    NewGroup,
    Probe,
    Settlement,
    State,
)
from alert_router.outbox.observed import Observation
from alert_router.outbox.sqlite import file, health, letters, observed, upkeep
from alert_router.outbox.sqlite.accept import accept
from alert_router.outbox.sqlite.claim import claim
from alert_router.outbox.sqlite.divert import divert
from alert_router.outbox.sqlite.ids import webhook_id
from alert_router.outbox.sqlite.session import Session
from alert_router.outbox.sqlite.settle import settle, void_leases
from alert_router.outbox.sqlite.writer import Writer

_BATCH = 100  # rows of one short transaction where many may have to be changed

T = TypeVar("T")

_OLD_SQLITE = (
    f"SQLite {sqlite3.sqlite_version} is too old: the store needs 3.35 or newer, use a Python "
    "built with one"
)


class SqliteOutbox:
    """An Outbox in one SQLite file. Made by `open`; used from any event loop."""

    def __init__(self, writer: Writer) -> None:
        self._writer = writer
        self._run = writer.run

    @classmethod
    def open(
        cls,
        path: Path,
        *,
        exclusive: bool = True,
        new_id: Callable[[], str] = webhook_id,
    ) -> "SqliteOutbox":
        """The store in the file at `path`.

        `exclusive`, for the service: made if it is not there, brought up to date, held against
        other services, and what an earlier process had claimed is due at once, in doubt. Else,
        for a command beside it: the file must be there and up to date, and stays the service's.
        `new_id` makes the ids of batches. Blocks for a moment. Raises StoreUnavailable.
        """
        if sqlite3.sqlite_version_info < (3, 35):
            raise StoreUnavailable(_OLD_SQLITE)
        if exclusive:
            lock: int | None = file.lock(path)
        else:
            lock = None
            file.check_guest(path)
        try:
            session = Session(path, lock, new_id)
        except BaseException as error:
            if lock is not None:
                file.unlock(lock)
            raise _as_unavailable(error, path) from error
        try:
            session.prepare()
            if exclusive:
                void_leases(session)
        except BaseException as error:
            session.close()
            raise _as_unavailable(error, path) from error
        return cls(Writer(session))

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
        return await self._run(upkeep.sent, destination, since, now)

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
        return await self._run(upkeep.backlog)

    async def list(
        self,
        *,
        state: State | None = None,
        destination: Destination | None = None,
        limit: int = 100,
        before: int | None = None,
    ) -> List[DeliveryRow]:
        """As `Outbox.list`."""
        return await self._run(letters.rows, state, destination, limit, before)

    async def of_group(self, group: str) -> List[DeliveryRow]:
        """As `Outbox.of_group`."""
        return await self._run(letters.of_group, group)

    async def show(self, delivery: int) -> tuple[DeliveryRow, bytes] | None:
        """As `Outbox.show`."""
        return await self._run(letters.show, delivery)

    async def replay(
        self, delivery: int, *, now: float, to: Destination | None = None, force: bool = False
    ) -> int:
        """As `Outbox.replay`."""
        return await self._run(letters.replay, delivery, now, to, force)

    async def discard(self, delivery: int, *, now: float) -> None:
        """As `Outbox.discard`."""
        await self._run(letters.discard, delivery, now)

    async def expire(
        self, *, older_than: float, now: float, served: Collection[Destination]
    ) -> Counter[Destination]:
        """As `Outbox.expire`; in short transactions, between which others have their turn."""
        done: Counter[Destination] = Counter()
        arguments = (older_than, now, frozenset(served), _BATCH)
        async for some in self._steps(lambda: self._run(upkeep.expire, *arguments)):
            done += some
        return done

    async def hasten(self, *, latest: float, now: float) -> int:
        """As `Outbox.hasten`."""
        return await self._run(upkeep.hasten, latest, now)

    async def prune(self, *, delivered_before: float, dead_before: float, limit: int) -> int:
        """As `Outbox.prune`."""
        return await self._run(upkeep.prune, delivered_before, dead_before, limit)

    async def observe(self, observations: Sequence[Observation]) -> None:
        """As `Outbox.observe`."""
        await self._run(observed.observe, observations)

    async def observed(self, day: int) -> List[Observation]:
        """As `Outbox.observed`."""
        return await self._run(observed.observed, day)

    async def forget_observed(self, *, before_day: int, limit: int) -> int:
        """As `Outbox.forget_observed`."""
        return await self._run(observed.forget, before_day, limit)

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


def _as_unavailable(error: BaseException, path: Path) -> BaseException:
    """What a caller is told of an error at opening."""
    if isinstance(error, sqlite3.Error):
        return StoreUnavailable(f"cannot open the store {path}: {error}")
    return error
