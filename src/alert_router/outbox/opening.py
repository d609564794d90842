"""Opening the store that a configuration names."""

import asyncio
from typing import TYPE_CHECKING

from alert_router.outbox.base import Outbox, StoreRefused
from alert_router.outbox.model import Role, Storage
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
