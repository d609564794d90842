"""The store in a SQLite file: each operation on the writer's thread.

A storm is many groups that were never heard of: these are accepted together, a few statements for
all. The others are few, and looked at one by one.
"""

import json
import shutil
import sqlite3
import time
from collections import Counter
from collections.abc import Callable, Coroutine, Sequence
from math import inf
from pathlib import Path
from typing import Any, TypeVar

import structlog

from alert_router.outbox.base import StoreRefused, StoreUnavailable
from alert_router.outbox.lanes import enter_lane, follow, is_duplicate, webhook_id
from alert_router.outbox.model import (
    Accepted,
    Destination,
    HeartbeatState,
    NewGroup,
    Role,
)
from alert_router.outbox.operations import Operations, change_heartbeat
from alert_router.outbox.sqlite.opening import (
    Access,
    CommandAccess,
    OnFault,
    ServiceAccess,
    ignore_fault,
)
from alert_router.outbox.sqlite.writer import SqliteSession, Writer

log = structlog.get_logger(__name__)

T = TypeVar("T")

_OLD_SQLITE = (
    f"SQLite {sqlite3.sqlite_version} is too old: the store needs 3.35 or newer, use a Python "
    "built with one"
)

_SECONDS = 1.0  # how long an answer about free space is believed
_COST = 3  # bytes on disk for each byte of a body: the -wal file, the store, rows and indexes


class DiskReserve:
    """The free space beside the store: asks the file system now and then, and counts what is stored
    in between."""

    def __init__(self, directory: Path) -> None:
        self._directory = directory
        self._asked_at = -inf
        self._free = 0
        self._stored = 0  # bytes of bodies since the last look
        self._is_full = False

    def has_room(self, *, reserve: int, coming: int) -> bool:
        """As `Outbox.has_room`; not where the disk does not say."""
        now = time.monotonic()
        if now - self._asked_at > _SECONDS:
            self._asked_at, self._stored = now, 0
            self._look(reserve)
        return self._free - _COST * (self._stored + coming) > reserve

    def _look(self, reserve: int) -> None:
        try:
            self._free = shutil.disk_usage(self._directory).free
        except OSError as error:
            log.error("cannot read free disk space; rejecting webhooks", error=str(error))
            self._free = 0
            return
        was_full, self._is_full = self._is_full, self._free <= reserve
        if self._is_full == was_full:
            return
        seen = {"directory": str(self._directory), "free": self._free, "reserve": reserve}
        if self._is_full:
            log.error("disk is full: free space is below delivery.reserve", **seen)
        else:
            log.warning("disk has free space again", **seen)

    def stored(self, size: int) -> None:
        """A body of so many bytes may have been stored just now."""
        self._stored += size


class SqliteOutbox(Operations):
    """An Outbox in one SQLite file. Made by `open`; used from any event loop."""

    # No other service can have the file: whoever starts on it takes over from the one before.
    owner = "service"
    is_shared = False

    def __init__(self, session: SqliteSession) -> None:
        self._session = session
        self._writer = Writer(session)
        self._room = DiskReserve(session.path.parent)

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

    def announce(self, destination: Destination) -> None:
        """As `Outbox.announce`: nobody shares this store."""

    def listen(self, wake: Callable[[Destination | None], None]) -> None:
        """As `Outbox.listen`."""

    async def accept(self, group: NewGroup, dedup_window: float) -> Accepted:
        """As `Outbox.accept`."""
        self._room.stored(len(group.body))
        return await self._writer.run_jointly(accept, (group, dedup_window))

    async def change_heartbeat(
        self, before: HeartbeatState, missing_since: float, group: NewGroup
    ) -> bool:
        """As `Outbox.change_heartbeat`."""
        return await self._run(change_heartbeat, accept, before, missing_since, group)

    async def _run(self, operation: Callable[..., Coroutine[Any, Any, T]], *arguments: Any) -> T:
        return await self._writer.run(operation, *arguments)

    async def identities(self) -> set[bytes]:
        """Those that have deliveries or actions here: for a spool."""
        return await self._run(_identities)

    async def remove(self, identity: bytes) -> None:
        """Delete everything of an identity."""
        await self._run(_remove, identity)

    async def close(self) -> None:
        """As `Outbox.close`."""
        await self._writer.close()


async def _identities(session: SqliteSession) -> set[bytes]:
    return {row[0] for row in await session.rows("spooled_identities")}


async def _remove(session: SqliteSession, identity: bytes) -> None:
    await session.run("remove_spooled_actions", (identity,))
    known = await session.row("last_content", (identity,))
    if known is None:
        return
    await session.run("forget_content", (b"", known[0]))
    for name in ("forget_spooled_references", "remove_spooled", "drop_spooled_lanes"):
        await session.run(name, (known[0],))
    await session.run("drop_empty_identity", (known[0],))


async def accept(session: SqliteSession, asked: Sequence[tuple[NewGroup, float]]) -> list[Accepted]:
    """As `Outbox.accept`, for each of the groups with its window, in order. A group without
    targets leaves its latest content only."""
    known = await session.known([group.identity for group, _ in asked])
    often = Counter(group.identity for group, _ in asked)
    new = [
        group for group, _ in asked if group.identity not in known and often[group.identity] == 1
    ]
    if new:
        await session.add_new(new)
    added = {group.identity for group in new}
    answers = [Accepted(group.id, duplicate=False) for group, _ in asked]
    for number, (group, window) in enumerate(asked):
        if group.identity not in added:
            answers[number] = await _accept_one(session, group, window)
    return answers


async def _accept_one(session: SqliteSession, group: NewGroup, window: float) -> Accepted:
    known = await session.row("last_content", (group.identity,))
    if known is None:  # the first of several of one identity
        await session.add_new([group])
        return Accepted(group.id, duplicate=False)
    identity, content, earlier, accepted_at, next_since = known
    if is_duplicate(group, window, content, accepted_at):
        return Accepted(earlier, duplicate=True)
    since, next_since = follow(group, next_since)
    values = (group.content, group.id, group.id, next_since, group.accepted_at, identity)
    await session.run("set_last_content", values)
    if group.targets:
        await _add_deliveries(session, group, identity, since)
    return Accepted(group.id, duplicate=False)


async def _add_deliveries(
    session: SqliteSession, group: NewGroup, identity: int, since: float
) -> None:
    now = group.accepted_at
    key = await session.insert("add_group", (group.id, now, since, group.body))
    for target in group.targets:
        destination = await session.key(target.destination)
        lane = await enter_lane(session, identity, destination, target.priority, now)
        fingerprints = json.dumps(target.fingerprints)
        values = (lane, destination, key, target.priority, now, fingerprints)
        await session.insert("add_delivery", values)
