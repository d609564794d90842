"""A session: the connection with its transactions, opened again after trouble with the disk.

Who runs what in a transaction is for `writer`; it alone uses this, on its thread. Its coroutines
never wait.
"""

import json
import sqlite3
import time
from collections.abc import AsyncIterator, Callable, Collection, Iterator, Sequence
from pathlib import Path
from typing import Any

import structlog

from alert_router.outbox.base import StoreRefused, StoreUnavailable
from alert_router.outbox.lanes import follow
from alert_router.outbox.model import NewGroup
from alert_router.outbox.session import Parameters, Session
from alert_router.outbox.sqlite import database, wal
from alert_router.outbox.sqlite.database import QUERIES
from alert_router.outbox.sqlite.opening import Access

log = structlog.get_logger(__name__)

_MOST_ROWS = 64  # in a statement; far below SQLite's limit on the values of one
_WAL_LARGE = 64 * 1024 * 1024  # bytes

# These an operation brings upon itself; every other error of the database is the store's.
_OWN_FAULTS = (
    sqlite3.IntegrityError,
    sqlite3.ProgrammingError,
    sqlite3.DataError,
    sqlite3.NotSupportedError,
)

# With these, and errors of the system, opening is tried again; with others it would fail again.
_MAY_PASS = frozenset(
    {
        sqlite3.SQLITE_BUSY,
        sqlite3.SQLITE_CANTOPEN,
        sqlite3.SQLITE_CORRUPT,
        sqlite3.SQLITE_FULL,
        sqlite3.SQLITE_IOERR,
        sqlite3.SQLITE_LOCKED,
        sqlite3.SQLITE_NOMEM,
        sqlite3.SQLITE_NOTADB,
        sqlite3.SQLITE_PERM,
        sqlite3.SQLITE_PROTOCOL,
        sqlite3.SQLITE_READONLY,
    }
)
_PAUSE = 1.0  # seconds between attempts to open it, or as long as one took

# Pages: what is deleted is kept for what comes, unless it is much; and given back bit by bit.
_FREE_PAGES = 1024
_GIVEN_BACK = 256


def is_trouble(error: BaseException) -> bool:
    """Whether an error is the store's (disk, lock, damage), not that of one operation."""
    return isinstance(error, sqlite3.DatabaseError) and not isinstance(error, _OWN_FAULTS)


class SqliteSession(Session):
    """One connection's transactions. Every method may raise sqlite3.Error."""

    def __init__(self, path: Path, access: Access, new_id: Callable[[], str]) -> None:
        """Of the store at `path`, not opened yet."""
        super().__init__(new_id)
        self.path = path
        self.why_unusable: str | None = "the store is not open yet"
        self._access = access
        self._connection: sqlite3.Connection | None = None
        self._run: Callable[..., sqlite3.Cursor] = _closed
        self._trouble: BaseException | None = None
        self._may_open_at = 0.0  # monotonic
        self._wants_tidying = False

    def open(self) -> None:
        """Open the store, also again after trouble. Raises StoreUnavailable if that may pass, and
        StoreRefused if it will not; soon after a failure without trying."""
        began = time.monotonic()
        if began < self._may_open_at:
            raise StoreUnavailable(self.why_unusable or "")
        self._connection, self._run = None, _closed
        self.forget()
        try:
            self._connection = self._access.open(self._trouble)
        except (sqlite3.Error, OSError, StoreUnavailable) as error:
            failure = self._as_unavailable(error)
            if str(failure) != self.why_unusable:
                log.error("the store cannot be used; webhooks are refused", error=str(failure))
            self.why_unusable = str(failure)
            now = time.monotonic()
            self._may_open_at = now + max(_PAUSE, now - began)
            raise failure from error
        self._run = self._connection.execute
        self._trouble = self.why_unusable = None

    def _as_unavailable(self, error: BaseException) -> StoreUnavailable:
        if isinstance(error, StoreUnavailable):
            return error
        why = f"cannot open the store {self.path}: {error}"
        code = getattr(error, "sqlite_errorcode", sqlite3.SQLITE_ERROR) & 0xFF
        may_pass = isinstance(error, OSError) or code in _MAY_PASS
        return StoreUnavailable(why) if may_pass else StoreRefused(why)

    def execute(self, statement: str, values: Parameters = ()) -> sqlite3.Cursor:
        """Run a statement in the transaction that was begun."""
        return self._run(statement, values)

    async def rows(self, name: str, values: Parameters = (), tail: str = "") -> list[Any]:
        """As `Session.rows`."""
        statement = f"{QUERIES[name]} {tail}" if tail else QUERIES[name]
        return self._run(statement, values).fetchall()

    async def row(self, name: str, values: Parameters = ()) -> Any:
        """As `Session.row`."""
        return self._run(QUERIES[name], values).fetchone()

    one = row

    async def each(self, name: str, values: Sequence[Any]) -> AsyncIterator[Sequence[Any]]:
        """As `Session.each`."""
        for row in self._run(QUERIES[name], values):
            yield row

    async def run(self, name: str, values: Parameters) -> int:
        """As `Session.run`."""
        return self._run(QUERIES[name], values).rowcount

    async def run_all(self, name: str, rows: Sequence[Sequence[Any]]) -> None:
        """As `Session.run_all`."""
        for row in rows:
            await self.run(name, row)

    async def insert(self, name: str, values: Sequence[Any]) -> int:
        """As `Session.insert`."""
        key = self._run(QUERIES[name], values).lastrowid
        assert key is not None
        return key

    async def insert_all(self, name: str, rows: Sequence[Sequence[Any]]) -> list[int]:
        """As `Session.insert_all`."""
        return [await self.insert(name, row) for row in rows]

    async def known(self, identities: Sequence[bytes]) -> set[bytes]:
        """Those of many identities that have a latest content."""
        found: set[bytes] = set()
        for some in _parts(identities):
            marks = ", ".join("?" * len(some))
            statement = QUERIES["known"].replace("(?)", f"({marks})")
            found |= {row[0] for row in self._run(statement, some)}
        return found

    async def add_new(self, groups: Collection[NewGroup]) -> None:
        """Add groups of identities that are not known, one of each, in a few statements."""
        identity, key, lane = await self.one("last_numbers")
        contents, bodies, lanes, deliveries = [], [], [], []
        for group in groups:
            identity += 1
            now = group.accepted_at
            since, next_since = follow(group, 0.0)
            latest = (group.content, group.id, group.id, next_since, now)
            contents.append((identity, group.identity, *latest))
            if not group.targets:
                continue
            key += 1
            bodies.append((key, group.id, now, since, group.body))
            for target in group.targets:
                lane += 1
                destination = await self.key(target.destination)
                lanes.append((lane, identity, destination, target.priority, now, now))
                fingerprints = json.dumps(target.fingerprints)
                deliveries.append((lane, destination, key, target.priority, now, fingerprints))
        self._insert_rows("add_identities", contents)
        self._insert_rows("add_groups", bodies)
        self._insert_rows("add_lanes", lanes)
        self._insert_rows("add_delivery", deliveries)

    def _insert_rows(self, name: str, rows: Sequence[Sequence[Any]]) -> None:
        """Run an INSERT that is written for one row with many, in few statements."""
        head, row = QUERIES[name].split("VALUES")
        for some in _parts(rows):
            values = [value for row in some for value in row]
            self._run(f"{head}VALUES{', '.join([row] * len(some))}", values)

    def begin(self) -> None:
        """Begin a transaction that may write; after trouble, on a new connection.

        After a failed fsync the system may have dropped what it could not write and call the
        next fsync good, so nothing this connection remembers may be built upon.
        """
        if self._connection is None or self._trouble is not None:
            self.open()
        self._run("BEGIN IMMEDIATE")

    def commit(self) -> None:
        """Make it durable: on return it is on disk, in the files that are in their places."""
        self._run("COMMIT")
        self._access.check()
        self.why_unusable = None

    def rollback(self) -> None:
        """Undo what was begun. Raises nothing: what cannot be undone is thrown away with the
        connection, which leaves the file as it was."""
        self.forget()
        try:
            if self._connection is not None and self._connection.in_transaction:
                self._run("ROLLBACK")
        except sqlite3.Error as error:
            self.distrust(error)

    def distrust(self, trouble: BaseException) -> None:
        """After trouble with the disk: nothing more on this connection."""
        if not database.is_damage(self._trouble):
            self._trouble = trouble
        if self._connection is not None:  # else it says already why it cannot be opened
            self.why_unusable = str(trouble)

    async def announce(self, destination: int) -> None:
        """As `Session.announce`: nobody shares this store."""

    async def tidy(self, until: float) -> None:
        """As `Session.tidy`. The file is shortened a little if much of it is unused, and the -wal
        file is looked at once this transaction is done."""
        self._wants_tidying = True
        (unused,) = self._run("PRAGMA freelist_count").fetchone()
        (pages,) = self._run("PRAGMA page_count").fetchone()
        if unused <= max(_FREE_PAGES, pages // 4):
            return
        # One at a time: the statement gives back a page a step, and Python's cursor takes one
        # step of a statement without columns.
        for number in range(_GIVEN_BACK):
            self._run("PRAGMA incremental_vacuum(1)")
            if number and time.monotonic() >= until:
                break

    def shorten_wal(self) -> None:
        """Give back a -wal file that a long read made large, if that was asked for. Outside of
        transactions; waits for nobody and raises nothing."""
        if not self._wants_tidying:
            return
        self._wants_tidying = False
        try:
            if wal.beside(self.path).stat().st_size > _WAL_LARGE:
                database.shorten_wal(self._run)
        except (sqlite3.Error, OSError) as error:
            self.distrust(error)

    def close(self) -> None:
        """Let go of the file."""
        self._connection, self._run = None, _closed
        self.why_unusable = "the store is closed"
        self._access.close()


def _parts(rows: Sequence[Any]) -> Iterator[Sequence[Any]]:
    """The rows in parts whose lengths are multiples of eight, and the rest: few parts, and SQLite
    need not compile a statement for each length there is."""
    start = 0
    while start < len(rows):
        left = len(rows) - start
        size = min(_MOST_ROWS, left - left % 8 or left)
        yield rows[start : start + size]
        start += size


def _closed(*_: Any) -> sqlite3.Cursor:
    raise StoreUnavailable("the store is closed")
