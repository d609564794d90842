"""The store that a configuration names: opened, brought up to date, and copied into another one."""

import asyncio
from collections.abc import Callable
from typing import TYPE_CHECKING

from alert_router.outbox.base import Outbox, StoreRefused
from alert_router.outbox.model import KEPT_DAYS, Role, Storage, day_of
from alert_router.outbox.operations import Operations
from alert_router.outbox.sqlite import SqliteOutbox
from alert_router.outbox.sqlite.opening import OnFault, ignore_fault

if TYPE_CHECKING:
    from alert_router.outbox.postgres.database import Database


async def open_outbox(storage: Storage, role: Role, *, on_fault: OnFault = ignore_fault) -> Outbox:
    """The store of a configuration; see `Role`.

    A service's store that cannot be used now is tried again with each operation, all of which raise
    StoreUnavailable meanwhile. `on_fault` is called with what was wrong with the store and how many
    rows of each table are lost. Raises StoreUnavailable.
    """
    if not storage.url:
        return await asyncio.to_thread(SqliteOutbox.open, storage.path, role, on_fault=on_fault)
    database = database_of(storage)
    from alert_router.outbox.postgres.outbox import PostgresOutbox  # noqa: PLC0415
    from alert_router.outbox.spooled import SpooledOutbox  # noqa: PLC0415

    if role is Role.COMMAND:
        return await PostgresOutbox.open(database, role)
    spool = await asyncio.to_thread(SqliteOutbox.open, storage.path, role, on_fault=on_fault)
    outbox = SpooledOutbox(PostgresOutbox(database), spool)
    await outbox.start()
    return outbox


def database_of(storage: Storage) -> "Database":
    """The database of a configuration. Raises StoreRefused without the extra that it needs."""
    try:
        from alert_router.outbox.postgres.database import Database  # noqa: PLC0415
    except ImportError as error:
        raise StoreRefused(
            "a store on PostgreSQL needs asyncpg: pip install 'alert-router[postgres]'"
        ) from error
    return Database(storage.url, storage.password_file, storage.unsafe)


async def migrate(storage: Storage) -> int:
    """Make the tables of a store or bring them up to date; how many steps that took in a PostgreSQL
    database. Raises StoreUnavailable."""
    if not storage.url:
        outbox = await open_outbox(storage, Role.SERVICE)
        await outbox.close()
        return 0
    database = database_of(storage)
    from alert_router.outbox.postgres.database import ERRORS  # noqa: PLC0415

    try:
        connection = await database.connect()
        try:
            return await database.migrate(connection, may_change=True)
        finally:
            connection.terminate()
    except ERRORS as error:
        raise database.unavailable(error) from error


async def copy(source: Storage, target: Storage, progress: Callable[[int, int], None]) -> int:
    """Copy everything of a store that no router uses into another one; how many alert groups'
    identities. What is there already stays, so that a copy that was interrupted goes on. Calls
    `progress` with how many are done and how many there are. Raises StoreUnavailable."""
    if _place(source) == _place(target):
        raise StoreRefused("FROM and TO are the same store")
    if not source.url and not source.path.exists():
        raise StoreRefused(f"there is no store at {source.path}")
    old = await _open(source)
    try:
        if source.url and (used := await old.services()):
            raise StoreRefused(f"FROM is in use, by {used} routers: stop them first")
        if target.url:
            await migrate(target)
        new = await _open(target)
        try:
            return await _copy(old, new, progress)
        finally:
            await new.close()
    finally:
        await old.close()


def _place(storage: Storage) -> str:
    return storage.url or str(storage.path.resolve())


async def _open(storage: Storage) -> Operations:
    """A SQLite store, locked against other processes; one on PostgreSQL as a command."""
    if not storage.url:
        return await asyncio.to_thread(SqliteOutbox.open, storage.path, Role.SERVICE)
    database = database_of(storage)
    from alert_router.outbox.postgres.outbox import PostgresOutbox  # noqa: PLC0415

    return await PostgresOutbox.open(database, Role.COMMAND)


async def _copy(old: Operations, new: Operations, progress: Callable[[int, int], None]) -> int:
    await new.keep_secrets(await old.secrets())
    await new.keep_heartbeats(await old.every_heartbeat())
    identities = await old.every_identity()
    for done, identity in enumerate(identities):
        progress(done, len(identities))
        if (found := await old.export(identity)) is not None:
            await new.reconcile(found)
    progress(len(identities), len(identities))
    today = day_of(new.now())
    for day in range(today - KEPT_DAYS + 1, today + 1):
        counts = await old.observed(day)
        if counts and not await new.observed(day):
            await new.observe(counts)
    return len(identities)
