"""Connections to the database: how they are made, whether they may be relied upon, and the tables
brought up to date.

What happens on them afterwards is for `pool`.
"""

import asyncio
import time
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, urlencode, urlsplit, urlunsplit

import asyncpg

from alert_router.outbox.base import StoreRefused, StoreUnavailable
from alert_router.outbox.model import shown
from alert_router.outbox.session import text_of

MIGRATIONS = tuple(
    text_of(__package__, name)
    for name in ("schema.sql", *(f"schema-{version}.sql" for version in range(2, 8)))
)

SCHEMA = "alert_router"  # of the tables, in the database that the URL names
_CONNECT_SECONDS = 2.0
_MIGRATION_LOCK = 0x416C5274_01  # of one service that changes the tables
_MIGRATION_ATTEMPTS = 8  # at one step
_OLDEST = 130000  # of PostgreSQL's versions

# Of the server's classes of errors: those after which another attempt elsewhere or later may work.
_CONNECTION_LOST = ("08", "57")
_UNUSABLE = (*_CONNECTION_LOST, "25006", "25P03", "53", "58", "XX")
_OWN_FAULTS = ("21", "22", "23")  # of what one operation writes
# PgBouncer takes few settings with a connection's first message. A plan that was made while a table
# was empty would read all of it in a storm, until it is analyzed: each is made with its arguments.
# What a router has locked that was cut off keeps the others waiting until its transaction ends for
# being idle: before they stop waiting and go to their spools.
_SETTINGS = f"""
SET search_path = {SCHEMA};
SET timezone = 'UTC';
SET default_transaction_isolation = 'read committed';
SET lock_timeout = '5s';
SET plan_cache_mode = force_custom_plan;
SET idle_in_transaction_session_timeout = '600ms'"""
_HOW_IT_IS = """
SELECT current_setting('fsync') = 'on' AND current_setting('full_page_writes') = 'on'
    AND current_setting('synchronous_commit') <> 'off',
    current_setting('server_encoding'),
    CAST(extract(epoch FROM clock_timestamp()) AS double precision)"""
_ENCODINGS = ("UTF8", "SQL_ASCII")
_PROCESS = "SELECT pg_backend_pid()"
_REPEAT = ("40", "23505")  # deadlocks, and two that added the same at the same time


# All that asyncpg and the network raise.
ERRORS = (
    asyncpg.PostgresError,
    asyncpg.InterfaceError,
    asyncpg.InternalClientError,
    OSError,
    TimeoutError,
)


def must_repeat(error: BaseException) -> bool:
    """Whether a transaction has to be run again since others came between."""
    return isinstance(error, asyncpg.PostgresError) and (error.sqlstate or "").startswith(_REPEAT)


def is_trouble(error: BaseException) -> bool:
    """Whether an error is the database's or the network's, not that of one operation."""
    if isinstance(error, asyncpg.PostgresError):
        return (error.sqlstate or "").startswith(_UNUSABLE)
    if isinstance(error, ValueError | LookupError | TypeError):  # some of asyncpg's are ValueErrors
        return False
    return isinstance(error, asyncpg.InterfaceError | asyncpg.InternalClientError | OSError)


def is_own_fault(error: Exception) -> bool:
    """Whether an error that is no trouble is that of one operation. Others are not: tables that
    are not as this program needs them, missing rights, locks that are not given."""
    if isinstance(error, asyncpg.PostgresError):
        return (error.sqlstate or "").startswith(_OWN_FAULTS)
    return True


def was_idle(error: BaseException) -> bool:
    """Whether the server ended the transaction before it got what was sent last."""
    known = asyncpg.IdleInTransactionSessionTimeoutError
    return isinstance(error, known) or isinstance(error.__cause__, known)


class Database:
    """The database that a storage URL names."""

    def __init__(self, url: str, password_file: Path | None, unsafe: bool) -> None:
        """`unsafe` allows a server that may lose what it has said to be committed."""
        self.shown = shown(url)
        self._url = url
        self._password_file = password_file
        self._unsafe = unsafe
        self.offset = 0.0  # seconds by which its clock is ahead of this machine's

    async def connect(self) -> "asyncpg.Connection[Any]":
        """A connection to a server that writes. Raises StoreRefused where waiting does not help,
        StoreUnavailable, asyncpg's errors and OSError."""
        password = None
        if self._password_file is not None:
            password = self._password_file.read_text(encoding="utf-8").rstrip("\r\n")
        connection = await asyncpg.connect(
            _with(self._url, target_session_attrs="read-write"),
            password=password,
            timeout=_CONNECT_SECONDS,
            command_timeout=None,
            statement_cache_size=256,
            server_settings={"application_name": "alert-router"},
        )
        try:
            await connection.execute(_SETTINGS, timeout=_CONNECT_SECONDS)
            await self._check(connection)
        except BaseException:
            connection.terminate()
            raise
        return connection

    async def _check(self, connection: "asyncpg.Connection[Any]") -> None:
        version = connection.get_server_version()
        if version.major * 10_000 < _OLDEST:
            raise StoreRefused(f"{self.shown}: PostgreSQL 13 or newer is needed")
        began = time.time()
        row = await connection.fetchrow(_HOW_IT_IS, timeout=_CONNECT_SECONDS)
        assert row is not None
        durable, encoding, moment = row
        self.offset = moment - (began + time.time()) / 2
        if encoding not in _ENCODINGS:
            raise StoreRefused(
                f"{self.shown} has the encoding {encoding}, in which not everything can be written "
                "that alerts and destinations say: make a database with ENCODING 'UTF8'"
            )
        if not durable and not self._unsafe:
            raise StoreRefused(
                f"{self.shown} may lose what it has committed: set fsync, synchronous_commit and "
                "full_page_writes to on, or add `unsafe=1` to the URL"
            )

    async def _refuse_pooled(self, connection: "asyncpg.Connection[Any]") -> None:
        """Raise StoreRefused where a pooler gives the connection's server process to others between
        transactions: what belongs to a session, as its settings, locks and LISTEN, is lost then."""
        mine = [await connection.fetchval(_PROCESS) for _ in range(2)]
        other = await self.connect()
        try:
            theirs = await other.fetchval(_PROCESS)
        finally:
            other.terminate()
        if mine[0] != mine[1] or theirs in mine:
            raise StoreRefused(
                f"{self.shown} is behind a pooler that shares sessions: set PgBouncer's pool_mode "
                "to session for this database, or connect to PostgreSQL directly"
            )

    async def version(self, connection: "asyncpg.Connection[Any]") -> int:
        """The version of the tables; 0 where there are none."""
        found = await connection.fetchval("SELECT to_regclass($1)", f"{SCHEMA}.version")
        if found is None:
            return 0
        number: int = await connection.fetchval("SELECT coalesce(max(number), 0) FROM version")
        return number

    async def migrate(self, connection: "asyncpg.Connection[Any]", *, may_change: bool) -> int:
        """Bring the tables up to date if `may_change`; how many steps that took. Raises
        StoreRefused."""
        await self._refuse_pooled(connection)
        version = await self.version(connection)
        if version >= len(MIGRATIONS):
            # Those of a newer version: its changes leave everything that this one uses.
            return 0
        if not may_change:
            raise StoreRefused(
                f"the tables in {self.shown} are of version {version}, this program needs "
                f"{len(MIGRATIONS)}: run `alert-router storage migrate`"
            )
        steps = 0
        while await self._step(connection):
            steps += 1
        return steps

    async def _step(self, connection: "asyncpg.Connection[Any]") -> bool:
        """Bring the tables to the next version, if there is one, however often it takes while
        routers use them. A step that waits keeps them waiting, so that it does not wait for long;
        it locks one table, so that it cannot be part of a deadlock."""
        for attempt in range(1, _MIGRATION_ATTEMPTS + 1):
            try:
                async with connection.transaction():
                    return await self._change_tables(connection)
            except asyncpg.PostgresError as error:
                is_late = isinstance(error, asyncpg.LockNotAvailableError)
                if attempt == _MIGRATION_ATTEMPTS or not (is_late or must_repeat(error)):
                    raise
                await asyncio.sleep(0.05 * 2**attempt)
        raise AssertionError  # the last attempt returns or raises

    async def _change_tables(self, connection: "asyncpg.Connection[Any]") -> bool:
        await connection.execute("SET LOCAL lock_timeout = '500ms'")
        await connection.execute("SELECT pg_advisory_xact_lock($1)", _MIGRATION_LOCK)
        await connection.execute(f"CREATE SCHEMA IF NOT EXISTS {SCHEMA}")
        await connection.execute("CREATE TABLE IF NOT EXISTS version (number integer PRIMARY KEY)")
        version = await self.version(connection)
        if version >= len(MIGRATIONS):
            return False
        await connection.execute(MIGRATIONS[version])
        await connection.execute("INSERT INTO version VALUES ($1)", version + 1)
        return True

    def unavailable(self, error: BaseException) -> StoreUnavailable:
        """What an error of the database means to a caller."""
        if isinstance(error, StoreUnavailable):
            return error
        text = str(error).partition("\n")[0] or type(error).__name__
        refused = asyncpg.InvalidAuthorizationSpecificationError, asyncpg.InvalidCatalogNameError
        if isinstance(error, refused):
            return StoreRefused(f"cannot use the store {self.shown}: {text}")
        found = StoreUnavailable(f"cannot use the store {self.shown}: {text}")
        found.__cause__ = error
        return found


def _with(url: str, **parameters: str) -> str:
    """The URL with those parameters, unless it has them."""
    parts = urlsplit(url)
    query = dict(parse_qsl(parts.query))
    return urlunsplit(parts._replace(query=urlencode(parameters | query)))
