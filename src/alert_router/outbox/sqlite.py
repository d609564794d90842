"""The store in one SQLite file: WAL, synchronous=FULL, one writer thread.

The SQL is in `accept`, `claim` and `upkeep`; this opens the file and keeps others out of it.
"""

import builtins
import fcntl
import os
import sqlite3
import time
from functools import partial
from importlib.resources import files
from pathlib import Path
from uuid import uuid4

from alert_router.outbox import accept, claim, upkeep
from alert_router.outbox.base import (
    Accepted,
    Backlog,
    Claim,
    DeliveryRow,
    Destination,
    NewGroup,
    Settlement,
    State,
    StoreUnavailable,
)
from alert_router.outbox.writer import Writer

_VERSION = 1  # PRAGMA user_version
_BUSY = 5.0  # seconds to wait for the other process that may look into the file
_WAL_KEPT = 16 * 1024**2  # bytes to which the log is cut back after a checkpoint


class SqliteOutbox:
    """The Outbox on a file. Made by `open`."""

    def __init__(self, path: Path, writer: Writer, lock: int | None) -> None:
        self.path = path
        self._writer = writer
        self._lock = lock

    @classmethod
    def open(cls, path: Path, *, exclusive: bool) -> "SqliteOutbox":
        """The store at `path`: exclusive for the service, which makes the file if there is none
        and takes over what an earlier process held; else for a short visit beside it.

        Raises StoreUnavailable, with what to do, if it cannot be had.
        """
        if not path.parent.is_dir():
            raise StoreUnavailable(f"the directory {path.parent} does not exist: create it")
        if not exclusive and not path.exists():
            raise StoreUnavailable(f"there is no store at {path}: has the service ever run?")
        lock = _take_lock(path) if exclusive else None
        try:
            connection = _connect(path)
            _migrate(connection, path, may_create=exclusive)
            if exclusive:
                with connection:
                    claim.free_leases(connection, time.time())
            connection.close()
        except sqlite3.Error as error:
            _release_lock(lock)
            raise StoreUnavailable(f"cannot use {path}: {error}") from error
        except StoreUnavailable:
            _release_lock(lock)
            raise
        return cls(path, Writer(partial(_connect, path)), lock)

    async def accept(self, group: NewGroup, dedup_window: float) -> Accepted:
        return await self._writer.run(
            lambda connection: accept.accept(connection, group, dedup_window)
        )

    async def claim(
        self, destination: Destination, *, limit: int, now: float, lease: float, fold: bool
    ) -> builtins.list[Claim]:
        return await self._writer.run(
            partial(
                claim.claim,
                destination=destination,
                limit=limit,
                now=now,
                lease=lease,
                fold=fold,
                new_id=lambda: str(uuid4()),
            )
        )

    async def settle(self, claimed: Claim, settlement: Settlement) -> bool:
        return await self._writer.run(partial(claim.settle, claim=claimed, settlement=settlement))

    async def pause(self, destination: Destination, until: float, reason: str) -> None:
        def pause(connection: sqlite3.Connection) -> None:
            number = accept.destination_id(connection, destination)
            connection.execute(
                "UPDATE destination SET paused_until = ?, pause_reason = ? WHERE id = ?",
                (until, reason, number),
            )

        await self._writer.run(pause)

    async def backlog(self) -> builtins.list[Backlog]:
        return await self._writer.run(upkeep.backlog)

    async def list(
        self,
        *,
        state: State | None = None,
        destination: Destination | None = None,
        limit: int = 100,
        before: int | None = None,
    ) -> builtins.list[DeliveryRow]:
        return await self._writer.run(
            lambda connection: upkeep.rows(connection, state, destination, limit, before)
        )

    async def show(self, delivery: int) -> tuple[DeliveryRow, bytes] | None:
        return await self._writer.run(lambda connection: upkeep.show(connection, delivery))

    async def replay(
        self, delivery: int, *, now: float, to: Destination | None = None, force: bool = False
    ) -> int:
        return await self._writer.run(
            lambda connection: upkeep.replay(connection, delivery, now, to, force)
        )

    async def discard(self, delivery: int, *, now: float) -> None:
        await self._writer.run(lambda connection: upkeep.discard(connection, delivery, now))

    async def expire(self, *, older_than: float, now: float) -> int:
        return await self._writer.run(lambda connection: upkeep.expire(connection, older_than, now))

    async def prune(self, *, delivered_before: float, dead_before: float, limit: int) -> int:
        return await self._writer.run(
            lambda connection: upkeep.prune(connection, delivered_before, dead_before, limit)
        )

    async def close(self) -> None:
        await self._writer.close()
        _release_lock(self._lock)
        self._lock = None


def _connect(path: Path) -> sqlite3.Connection:
    """A connection that commits when told to. The file must exist unless `_migrate` is next."""
    connection = sqlite3.connect(path, timeout=_BUSY, isolation_level=None, check_same_thread=False)
    connection.execute("PRAGMA auto_vacuum = INCREMENTAL")  # counts for a new file only
    connection.execute("PRAGMA journal_mode = WAL")
    connection.execute("PRAGMA synchronous = FULL")
    connection.execute(f"PRAGMA journal_size_limit = {_WAL_KEPT}")
    connection.execute("PRAGMA foreign_keys = OFF")
    return connection


def _migrate(connection: sqlite3.Connection, path: Path, *, may_create: bool) -> None:
    version = connection.execute("PRAGMA user_version").fetchone()[0]
    if version > _VERSION:
        raise StoreUnavailable(
            f"{path} was written by a newer version (schema {version}, this one knows"
            f" {_VERSION}): upgrade, or name another file"
        )
    if version == _VERSION:
        return
    if not may_create:
        raise StoreUnavailable(f"{path} is not a store of Alert Router")
    if connection.execute("SELECT count(*) FROM sqlite_master").fetchone()[0]:
        raise StoreUnavailable(f"{path} is some other SQLite database: name another file")
    schema = (files("alert_router.outbox") / "schema.sql").read_text(encoding="utf-8")
    connection.executescript(f"BEGIN; {schema} PRAGMA user_version = {_VERSION}; COMMIT;")


def _take_lock(path: Path) -> int:
    """Keep other services out for as long as this one runs; the kernel lets go when it dies."""
    lock = path.with_name(f"{path.name}-lock")
    try:
        handle = os.open(lock, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o640)
    except OSError as error:
        raise StoreUnavailable(f"cannot write {lock}: {error.strerror}") from error
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        os.close(handle)
        raise StoreUnavailable(
            f"another router serves {path}: stop it, or give this one a store of its own"
        ) from None
    return handle


def _release_lock(lock: int | None) -> None:
    if lock is not None:
        os.close(lock)
