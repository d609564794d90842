"""Copying a store on SQLite into a PostgreSQL database, and bringing a database up to date."""

import asyncio
from collections.abc import Callable

from alert_router.outbox.alert_stats import KEPT_DAYS, day_of
from alert_router.outbox.base import StoreRefused
from alert_router.outbox.model import Role, Storage
from alert_router.outbox.opening import database_of, open_outbox
from alert_router.outbox.postgres.database import ERRORS
from alert_router.outbox.postgres.outbox import PostgresOutbox
from alert_router.outbox.sqlite import SqliteOutbox


async def migrate(storage: Storage) -> int:
    """Make the tables of a store or bring them up to date; how many steps that took in a PostgreSQL
    database. Raises StoreUnavailable."""
    if not storage.url:
        outbox = await open_outbox(storage, Role.SERVICE)
        await outbox.close()
        return 0
    database = database_of(storage)
    try:
        connection = await database.connect()
        try:
            return await database.migrate(connection, may_change=True)
        finally:
            connection.terminate()
    except ERRORS as error:
        raise database.unavailable(error) from error


async def copy(source: Storage, target: Storage, progress: Callable[[int, int], None]) -> int:
    """Copy everything of a SQLite store that no router uses into a database; how many alert groups'
    identities. What is there already stays, so that a copy that was interrupted goes on. Calls
    `progress` with how many are done and how many there are. Raises StoreUnavailable."""
    if source.url or not target.url:
        raise StoreRefused("only from sqlite:///FILE to postgresql://HOST/DATABASE")
    if not source.path.exists():
        raise StoreRefused(f"there is no store at {source.path}")
    old = await asyncio.to_thread(SqliteOutbox.open, source.path, Role.SERVICE)
    new = None
    try:
        await old.recover(old.owner)
        await migrate(target)
        new = await PostgresOutbox.open(database_of(target), Role.COMMAND)
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
    finally:
        await old.close()
        if new is not None:
            await new.close()
