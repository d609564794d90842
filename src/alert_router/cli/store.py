"""The store of a configuration, visited for one short transaction at a time.

A second process on the store of a running router: what it may do there is the store's to say.
"""

import asyncio
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import TypeVar

import click

from alert_router.config import Config, default_config_path, load
from alert_router.outbox.base import StoreUnavailable
from alert_router.outbox.model import DeliveryRow, State
from alert_router.outbox.sqlite import SqliteOutbox

T = TypeVar("T")

_PAGE = 500  # rows read at a time


def read_config(path: Path | None) -> Config:
    """The configuration at `path`, or where it is by default."""
    return load(path or default_config_path()).config


def with_store(config: Config, work: Callable[[SqliteOutbox], Awaitable[T]]) -> T:
    """What `work` returns, on the store of this configuration, which is left closed."""
    path = config.storage.path
    if not path.exists():
        raise click.ClickException(
            f"there is no store at {path}: the router has not run with this configuration yet"
        )

    async def run() -> T:
        outbox = await asyncio.to_thread(SqliteOutbox.open, path, exclusive=False)
        try:
            return await work(outbox)
        finally:
            await outbox.close()

    try:
        return asyncio.run(run())
    except (StoreUnavailable, OSError) as error:
        raise click.ClickException(f"cannot use the store at {path}: {error}") from None


async def read_rows(
    outbox: SqliteOutbox,
    state: State | None,
    is_wanted: Callable[[DeliveryRow], bool],
    limit: int | None,
) -> list[DeliveryRow]:
    """Up to `limit` wanted rows, newest first, read page by page."""
    found: list[DeliveryRow] = []
    before: int | None = None
    while limit is None or len(found) < limit:
        page = await outbox.list(state=state, limit=_PAGE, before=before)
        found += filter(is_wanted, page)
        if len(page) < _PAGE:
            break
        before = page[-1].id
    return found[:limit]


async def read_dead(outbox: SqliteOutbox) -> list[int]:
    """The dead deliveries, oldest first, so that a lane is replayed in its order."""
    rows = await read_rows(outbox, State.DEAD, lambda _row: True, None)
    return [row.id for row in reversed(rows)]


async def tried(
    delivery: int, one: Callable[[int], Awaitable[dict[str, object]]]
) -> dict[str, object]:
    """The result of one delivery: what was done, or why it could not be."""
    try:
        return {"id": delivery, **await one(delivery)}
    except LookupError:
        return {"id": delivery, "error": f"there is no delivery {delivery}"}
    except ValueError as error:
        return {"id": delivery, "error": str(error)}
