"""The one thread that uses the database: it runs all that waits in one transaction, and answers
when that is on disk. Its session is the connection, opened again after trouble with the disk.

What an operation does is its own affair; what an error means to its caller is decided here.
"""

import json
import sqlite3
import time
from asyncio import AbstractEventLoop, Future, get_running_loop
from collections.abc import AsyncIterator, Callable, Collection, Coroutine, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from itertools import groupby
from operator import attrgetter
from pathlib import Path
from queue import Empty, SimpleQueue
from threading import Thread
from typing import Any, TypeVar, TypeVarTuple

import structlog

from alert_router.outbox.base import StoreEnded, StoreRefused, StoreUnavailable
from alert_router.outbox.lanes import follow
from alert_router.outbox.model import NewGroup
from alert_router.outbox.session import Parameters, Session
from alert_router.outbox.sqlite import database, files
from alert_router.outbox.sqlite.database import QUERIES
from alert_router.outbox.sqlite.opening import Access

log = structlog.get_logger(__name__)

T = TypeVar("T")
A = TypeVar("A")
Ts = TypeVarTuple("Ts")

_MOST = 512  # operations, then no more join a transaction: the first must not wait for ever
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
    """One connection's transactions, on the writer's thread. Every method may raise sqlite3.Error;
    the coroutines never wait."""

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
            if files.wal_of(self.path).stat().st_size > _WAL_LARGE:
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


@dataclass(eq=False, slots=True)
class _Job:
    operation: Callable[..., Any]
    arguments: tuple[Any, ...]
    answer: "Future[Any]"
    is_joint: bool = False  # the operation takes the arguments of all jobs beside it at once
    result: Any = None
    error: BaseException | None = None


class Writer:
    """Runs operations for callers on any event loop; made on a session, which it opens again
    where that is not open, and closes in the end."""

    def __init__(self, session: SqliteSession) -> None:
        self._session = session
        self._queue: SimpleQueue[list[_Job] | None] = SimpleQueue()
        self._gathered: dict[AbstractEventLoop, list[_Job]] = {}
        self._unanswered: set[_Job] = set()
        self._is_closed = False
        self._is_over = False  # the thread takes no more
        # Daemonic: a process that ends without closing the store must not hang on it.
        self._thread = Thread(target=self._work, name="outbox-writer", daemon=True)
        self._thread.start()

    def run(
        self, operation: "Callable[[SqliteSession, *Ts], Coroutine[Any, Any, T]]", *arguments: *Ts
    ) -> "Future[T]":
        """Call `operation(session, *arguments)` in the next transaction. The future has its
        result once that is on disk, the error it raised, or StoreUnavailable.

        The operation may run twice (see `_transact`): it changes nothing but the database.
        """
        return self._enter(operation, arguments, is_joint=False)

    def run_jointly(
        self,
        operation: Callable[[SqliteSession, Sequence[A]], Coroutine[Any, Any, Sequence[T]]],
        argument: A,
    ) -> "Future[T]":
        """As `run`, for an operation that does many at once in less time than one by one: it is
        called with the arguments of all that were asked for in a row, in that order, and
        returns as many results."""
        return self._enter(operation, (argument,), is_joint=True)

    def _enter(
        self, operation: Callable[..., Any], arguments: tuple[Any, ...], is_joint: bool
    ) -> "Future[Any]":
        loop = get_running_loop()
        answer = loop.create_future()
        if self._is_closed:
            answer.set_exception(StoreUnavailable("the store is closed"))
            return answer
        if self._is_over:
            answer.set_exception(_ended(self._session))
            return answer
        # What one turn of the loop brings is handed over at once: waking the thread for each
        # would have it begin a transaction for the first alone.
        if loop not in self._gathered:
            self._gathered[loop] = []
            loop.call_soon(self._hand_over, loop)
        job = _Job(operation, arguments, answer, is_joint)
        self._unanswered.add(job)
        self._gathered[loop].append(job)
        return answer

    def _hand_over(self, loop: AbstractEventLoop) -> None:
        self._queue.put(self._gathered.pop(loop))
        if self._is_over:  # the thread ended meanwhile, and may not have seen these
            self._refuse()

    async def close(self) -> None:
        """Finish what waits, then close the session. Again: nothing."""
        if not self._is_closed:
            last = self.run(_nothing)
            self._is_closed = True
            get_running_loop().call_soon(self._queue.put, None)
            with suppress(StoreUnavailable):
                await last
        # Only the closing of the file is left to wait for.
        await get_running_loop().run_in_executor(None, self._thread.join)

    def _work(self) -> None:
        try:
            is_open = True
            while is_open:
                jobs, is_open = self._take()
                self._commit(jobs)
                self._answer(jobs)
                del jobs  # bodies; the next ones may be long in coming
                self._session.shorten_wal()
        except BaseException as error:
            # No memory, a defect: nobody must wait for a thread that is gone.
            log.critical("the thread of the store failed", exc_info=error)
        finally:
            self._is_over = True
            self._refuse()
            self._session.close()

    def _refuse(self) -> None:
        """Answer all whom nobody will answer any more."""
        jobs = list(self._unanswered)
        for job in jobs:
            job.error = _ended(self._session)
        self._answer(jobs)

    def _take(self) -> tuple[list[_Job], bool]:
        """What waits, until it reaches the limit; and whether there may be more."""
        jobs: list[_Job] = []
        try:
            entered = self._queue.get()
            while entered is not None:
                for job in entered:
                    if job.answer.cancelled():  # it has no caller any more
                        self._unanswered.discard(job)
                    else:
                        jobs.append(job)
                if len(jobs) >= _MOST:
                    return jobs, True
                entered = self._queue.get_nowait()
        except Empty:
            return jobs, True
        return jobs, False

    def _answer(self, jobs: list[_Job]) -> None:
        """Wake the callers, with one call for each event loop: as a rule there is one."""
        by_loop: dict[AbstractEventLoop, list[_Job]] = {}
        for job in jobs:
            by_loop.setdefault(job.answer.get_loop(), []).append(job)
        for loop, its in by_loop.items():
            with suppress(RuntimeError):  # the loop is closed: nobody waits there any more
                loop.call_soon_threadsafe(_resolve, its)
        self._unanswered.difference_update(jobs)

    def _commit(self, jobs: list[_Job]) -> None:
        """Run the jobs; each has its result or its error when this returns."""
        if not jobs:
            return
        try:
            self._transact(jobs)
        except Exception as error:
            self._session.rollback()
            if not _is_lock(error):
                self._session.distrust(error)
            reason = str(error)
            if not isinstance(error, StoreUnavailable):
                reason = f"cannot write the store {self._session.path}: {error}"
            for job in jobs:
                job.error = StoreUnavailable(reason)
                job.error.__cause__ = error

    def _transact(self, jobs: list[_Job]) -> None:
        session = self._session
        session.begin()
        try:
            _run_all(session, jobs)
        except Exception as error:
            if is_trouble(error):
                raise
            # One of them failed by its own fault: all again, each undone alone if it fails.
            session.rollback()
            session.begin()
            for job in jobs:
                _run_alone(session, job)
        session.commit()


def _run_all(session: SqliteSession, jobs: list[_Job]) -> None:
    for (operation, is_joint), its in groupby(jobs, key=attrgetter("operation", "is_joint")):
        if is_joint:
            together = list(its)
            results = _finish(operation(session, [job.arguments[0] for job in together]))
            for job, result in zip(together, results, strict=True):
                job.result = result
        else:
            for job in its:
                job.result = _finish(operation(session, *job.arguments))


def _finish(operation: Coroutine[Any, Any, T]) -> T:
    """The result of an operation: on this session it never waits."""
    try:
        operation.send(None)
    except StopIteration as done:
        result: T = done.value
        return result
    operation.close()
    raise RuntimeError("an operation of the store waited")


def _run_alone(session: SqliteSession, job: _Job) -> None:
    session.execute("SAVEPOINT job")
    try:
        _run_all(session, [job])
    except Exception as error:
        if is_trouble(error):
            raise
        job.error = error
        session.execute("ROLLBACK TO job")
        session.forget()
    session.execute("RELEASE job")


def _is_lock(error: Exception) -> bool:
    """Whether another process was in the way, which says nothing about the disk."""
    return isinstance(error, sqlite3.OperationalError) and (
        error.sqlite_errorcode & 0xFF in (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED)
    )


def _resolve(jobs: list[_Job]) -> None:
    for job in jobs:
        if job.answer.done():
            continue
        if job.error is not None:
            job.answer.set_exception(job.error)
        else:
            job.answer.set_result(job.result)


def _ended(session: SqliteSession) -> StoreEnded:
    return StoreEnded(f"the thread that writes the store {session.path} has ended: restart")


async def _nothing(_: SqliteSession) -> None:
    pass
