"""Opening the store that a configuration names."""

import asyncio

from alert_router.outbox.base import Outbox
from alert_router.outbox.model import Role, Storage
from alert_router.outbox.sqlite import SqliteOutbox
from alert_router.outbox.sqlite.opening import OnFault, ignore_fault


async def open_outbox(storage: Storage, role: Role, *, on_fault: OnFault = ignore_fault) -> Outbox:
    """The store of a configuration; see `Role`.

    A service's store that cannot be used now is tried again with each operation, all of which raise
    StoreUnavailable meanwhile. `on_fault` is called with what was wrong with the store and how many
    rows of each table are lost. Raises StoreUnavailable.
    """
    return await asyncio.to_thread(SqliteOutbox.open, storage.path, role, on_fault=on_fault)
