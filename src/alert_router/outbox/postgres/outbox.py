"""The store in a PostgreSQL database, which several routers share."""

import asyncio
import socket
import time
from collections.abc import Callable, Coroutine, Sequence
from contextlib import suppress
from typing import Any, TypeVar
from zlib import crc32

import asyncpg
import structlog

from alert_router.outbox import lanes, transfer
from alert_router.outbox.base import StoreRefused, StoreUnavailable
from alert_router.outbox.lanes import webhook_id
from alert_router.outbox.model import (
    Accepted,
    Claim,
    Destination,
    Health,
    HeartbeatState,
    NewGroup,
    Role,
    Settlement,
    StoredIdentity,
)
from alert_router.outbox.operations import Operations, change_heartbeat
from alert_router.outbox.postgres.batches import accept, settle
from alert_router.outbox.postgres.database import ERRORS, Database
from alert_router.outbox.postgres.pool import CHANNEL, Pool, Together, destination_named, named
from alert_router.outbox.session import Session

log = structlog.get_logger(__name__)

ACCEPT_SECONDS = 1.0  # then the webhook goes elsewhere
_SETTLE_SECONDS = 5.0
_TRANSFER_SECONDS = 60.0  # for an identity
# With tens of thousands of deliveries there are seconds of work between two statements.
_BEGIN_TRANSFER = "BEGIN; SET LOCAL idle_in_transaction_session_timeout = '20s'"
_LOOK_EVERY = 1.0  # seconds between looks at the connection that holds the name
_ANNOUNCE_EVERY = 0.01  # seconds
_OWNERS = 0x416C5274  # the class of advisory locks that hold names
_MOST_OWNERS = 64  # routers on one host

T = TypeVar("T")


async def _touch(session: Session) -> None:
    await session.run("touch", ())


async def _count_names(session: Session) -> int:
    (count,) = await session.one("held_names", (_OWNERS,))
    return int(count)


async def _announce_all(session: Session, names: Sequence[str]) -> None:
    await session.rows("announce", (names,))


class PostgresOutbox(Operations):
    """An Outbox in a PostgreSQL database. Made by `open`; used from one event loop."""

    is_shared = True

    def __init__(self, database: Database, new_id: Callable[[], str] = webhook_id) -> None:
        self.database = database
        self.owner = ""
        self.why_unusable: str | None = None
        self._pool = Pool(database, new_id)
        self._accept = Together[tuple[NewGroup, float], Accepted](
            self._pool, accept, ACCEPT_SECONDS
        )
        self._settle = Together[tuple[Claim, Settlement], bool](self._pool, settle, _SETTLE_SECONDS)
        self._holding: asyncio.Task[None] | None = None
        self._held: asyncpg.Connection[Any] | None = None
        self._wake: Callable[[Destination | None], None] | None = None
        self._announced: set[Destination] = set()
        self._announcing: asyncio.Task[None] | None = None

    @classmethod
    async def open(
        cls, database: Database, role: Role, *, new_id: Callable[[], str] = webhook_id
    ) -> "PostgresOutbox":
        """The store in the database, its tables brought up to date for a service. Raises
        StoreUnavailable."""
        outbox = cls(database, new_id)
        try:
            await outbox.prepare(role)
        except StoreUnavailable:
            await outbox.close()
            raise
        return outbox

    async def prepare(self, role: Role) -> None:
        """Look at the tables, and take a name for the leases. Raises StoreUnavailable."""
        try:
            connection = await self.database.connect()
            try:
                await self._migrate(connection, role)
                if role is Role.SERVICE:
                    await self._take_name(connection)
                    await self._hear(connection)
            except BaseException:
                connection.terminate()
                raise
            if role is Role.COMMAND:
                await connection.close()
                return
        except ERRORS as error:
            raise self.database.unavailable(error) from error
        self._held = connection
        if self._holding is None:
            self._holding = asyncio.create_task(self._hold_name())

    async def _migrate(self, connection: "asyncpg.Connection[Any]", role: Role) -> None:
        try:
            await self.database.migrate(connection, may_change=role is Role.SERVICE)
        except asyncpg.InsufficientPrivilegeError as error:
            raise StoreRefused(
                f"the tables in {self.database.shown} are not up to date, and this user may not "
                "change them: run `alert-router storage migrate` as their owner"
            ) from error

    async def _take_name(self, connection: "asyncpg.Connection[Any]") -> None:
        """Hold a name for as long as the connection lasts: that of this host with the first number
        that no other router holds. A router that starts again has its old one, as a rule."""
        host = socket.gethostname()
        mine = int(self.owner.rpartition("/")[2]) if self.owner else 1
        for number in (mine, *range(1, _MOST_OWNERS + 1)):
            owner = f"{host}/{number}"
            key = crc32(owner.encode()) - 2**31
            if await connection.fetchval("SELECT pg_try_advisory_lock($1, $2)", _OWNERS, key):
                self.owner = owner
                return
        raise StoreRefused(f"more than {_MOST_OWNERS} routers named {host} use the store")

    async def _hold_name(self) -> None:
        """Look whether the connection with the name still lasts, and make another if not."""
        while True:
            await asyncio.sleep(_LOOK_EVERY)
            try:
                async with asyncio.timeout(3 * _LOOK_EVERY):
                    if self._held is None or self._held.is_closed():
                        self._held = await self.database.connect()
                        await self._take_name(self._held)
                        await self._hear(self._held)
                    began = time.time()
                    moment = await self._held.fetchval(
                        "SELECT CAST(extract(epoch FROM clock_timestamp()) AS double precision)"
                    )
                    self.database.offset = moment - (began + time.time()) / 2
            except (*ERRORS, StoreUnavailable) as error:
                if self._held is not None:
                    self._held.terminate()
                self._held = None
                log.debug("connection to the store lost", error=str(error))

    async def _hear(self, connection: "asyncpg.Connection[Any]") -> None:
        """Hear announcements on the connection that holds the name."""
        await connection.add_listener(CHANNEL, lambda *heard: self._heard(heard[-1]))
        self._heard("")  # what was announced before was missed

    def _heard(self, text: str) -> None:
        if self._wake is not None:
            self._wake(destination_named(text))

    def listen(self, wake: Callable[[Destination | None], None]) -> None:
        """As `Outbox.listen`."""
        self._wake = wake

    def announce(self, destination: Destination) -> None:
        """As `Outbox.announce`. What is announced within a short time is sent together, in a
        transaction of its own: commits with a NOTIFY wait for each other."""
        self._announced.add(destination)
        if self._announcing is None:
            self._announcing = asyncio.create_task(self._announce())

    async def _announce(self) -> None:
        try:
            while self._announced:
                await asyncio.sleep(_ANNOUNCE_EVERY)
                names = [named(one) for one in self._announced]
                self._announced.clear()
                with suppress(StoreUnavailable):  # the others look from time to time
                    await self._run(_announce_all, names)
        finally:
            self._announcing = None

    def now(self) -> float:
        """As `Outbox.now`: the database's clock."""
        return time.time() + self.database.offset

    def has_room(self, *, reserve: int, coming: int) -> bool:
        """As `Outbox.has_room`: the database's disk is its own affair."""
        return True

    async def accept(self, group: NewGroup, dedup_window: float) -> Accepted:
        """As `Outbox.accept`."""
        return await self._noted(self._accept.run((group, dedup_window)))

    async def settle(self, claimed: Claim, settlement: Settlement) -> bool:
        """As `Outbox.settle`."""
        return await self._noted(self._settle.run((claimed, settlement)))

    async def health(self, destination: Destination) -> Health:
        """As `Outbox.health`. A router asks before each claim."""
        return await self._noted(self._pool.run(lanes.read_health, destination, is_look=True))

    async def change_heartbeat(
        self, before: HeartbeatState, missing_since: float, group: NewGroup
    ) -> bool:
        """As `Outbox.change_heartbeat`."""
        return await self._run(change_heartbeat, accept, before, missing_since, group)

    async def _run(self, operation: Callable[..., Coroutine[Any, Any, T]], *arguments: Any) -> T:
        return await self._noted(self._pool.run(operation, *arguments))

    async def _noted(self, work: Coroutine[Any, Any, T]) -> T:
        """The result; whether the database can be used shows in `why_unusable`."""
        try:
            result = await work
        except StoreUnavailable as error:
            self.why_unusable = str(error)
            raise
        self.why_unusable = None
        return result

    async def export(self, identity: bytes) -> StoredIdentity | None:
        """As `Operations.export`, which may be much."""
        return await self._transfer(transfer.export, identity)

    async def reconcile(self, stored: StoredIdentity) -> None:
        """As `Operations.reconcile`, which may be much."""
        await self._transfer(transfer.reconcile, stored, self.now())

    async def _transfer(
        self, operation: Callable[..., Coroutine[Any, Any, T]], *arguments: Any
    ) -> T:
        return await self._noted(
            self._pool.run(operation, *arguments, seconds=_TRANSFER_SECONDS, begin=_BEGIN_TRANSFER)
        )

    async def services(self) -> int:
        """As `Operations.services`: each holds the lock of its name."""
        return await self._run(_count_names)

    async def probe(self) -> None:
        """See whether the database can be written to, under a name that is held: another router
        may have taken the one from before. Raises StoreUnavailable."""
        if self._holding is None:
            await self.prepare(Role.SERVICE)
        if self._held is None or self._held.is_closed():
            raise StoreUnavailable("the connection that holds this router's name is not back yet")
        await self._run(_touch)

    @staticmethod
    def must_not_start(error: StoreUnavailable) -> bool:
        """Whether waiting would not help."""
        return isinstance(error, StoreRefused)

    def drop(self) -> None:
        """Give up connections that nobody uses: the server may have gone."""
        self._pool.drop()

    async def close(self) -> None:
        """As `Outbox.close`."""
        if self._announcing is not None:
            await asyncio.wait([self._announcing])
        if self._holding is not None:
            self._holding.cancel()
            await asyncio.wait([self._holding])
            self._holding = None
        if self._held is not None:
            self._held.terminate()
            self._held = None
        await self._pool.close()
        self.why_unusable = "the store is closed"
