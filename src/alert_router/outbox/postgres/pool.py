"""The connections of one router: each transaction on one of them, with statements by their names in
PostgreSQL's form, and callers that come together in one transaction.
"""

import asyncio
import json
import re
from collections import deque
from collections.abc import AsyncIterator, Callable, Coroutine, Mapping, Sequence
from contextlib import suppress
from typing import Any, Generic, TypeVar

import asyncpg
import structlog

from alert_router.outbox.base import StoreUnavailable
from alert_router.outbox.model import Destination
from alert_router.outbox.postgres.database import (
    ERRORS,
    Database,
    is_own_fault,
    is_trouble,
    must_repeat,
    was_idle,
)
from alert_router.outbox.session import SHARED, Parameters, Session, statements

log = structlog.get_logger(__name__)

_CONNECTIONS = 6
_SECONDS = 5.0  # for a transaction, from its beginning
_ATTEMPTS = 8  # where others come between
_MOST = 512  # callers in one transaction
_FLIGHTS = 2  # transactions at once of one kind: more only wait for each other's locks

T = TypeVar("T")
A = TypeVar("A")
Operation = Callable[..., Coroutine[Any, Any, T]]

# What a statement locks until the end of its transaction, so that routers do not come between what
# an operation reads and what it writes; and the key of what it inserts.
_ENDS = {
    "find_lane": "FOR UPDATE",
    "last_content": "FOR UPDATE",
    "ready_lanes": "FOR UPDATE SKIP LOCKED",
    "later_lanes": "FOR UPDATE SKIP LOCKED",
    "lanes_to_change": "FOR UPDATE SKIP LOCKED",
    "lane_of_claim": "FOR UPDATE",
    "to_divert": "FOR UPDATE OF d SKIP LOCKED",
    "to_expire": "FOR UPDATE OF l SKIP LOCKED",
    "to_expire_tried": "FOR UPDATE OF l SKIP LOCKED",
    "to_replay": "FOR UPDATE OF d, l",
    "to_discard": "FOR UPDATE OF d, l",
    "old_contents": "FOR UPDATE SKIP LOCKED",
    "old_references": "FOR UPDATE SKIP LOCKED",
    "add_destination": "RETURNING id",
    "add_group": "RETURNING seq",
    "add_lane": "RETURNING id",
    "add_delivery": "RETURNING id",
    "add_idle_lane": "RETURNING id",
    "add_stored": "RETURNING id",
}
CHANNEL = "alert_router"  # of announcements
_LONGEST = 7_000  # bytes; PostgreSQL takes 8,000
_VALUE = re.compile(r"\?|(?<!:):([a-z_]+)")


def named(destination: Destination) -> str:
    """The destination in an announcement; "" (any) where its names are too long."""
    text = json.dumps([destination.receiver, destination.notifier])
    return text if len(text) <= _LONGEST else ""


def destination_named(text: str) -> Destination | None:
    """The destination of an announcement; None for any, and where the text is not ours."""
    try:
        receiver, notifier = json.loads(text)
    except (ValueError, TypeError, RecursionError):
        return None
    is_ours = isinstance(receiver, str) and isinstance(notifier, str)
    return Destination(receiver, notifier) if is_ours else None


def _numbered(text: str) -> tuple[str, tuple[str, ...]]:
    """A statement with `$1` for its values, and their names where it has names."""
    names: list[str] = []

    def number(found: re.Match[str]) -> str:
        name = found[1]
        if name is None or name not in names:
            names.append(name or "")
            return f"${len(names)}"
        return f"${names.index(name) + 1}"

    return _VALUE.sub(number, text), tuple(names)


_STATEMENTS = {
    name: _numbered(f"{text.rstrip()} {_ENDS.get(name, '')}")
    for name, text in (SHARED | statements(__package__, "statements.sql")).items()
}


class PostgresSession(Session):
    """Of one connection. Every method may raise asyncpg's errors and OSError."""

    is_shared = True

    def __init__(self, connection: "asyncpg.Connection[Any]", new_id: Callable[[], str]) -> None:
        super().__init__(new_id)
        self.connection = connection

    @staticmethod
    def clean(text: str) -> str:
        """As `Session.clean`. Text in PostgreSQL has no zeros."""
        return Session.clean(text).replace("\0", "\N{SYMBOL FOR NULL}")

    async def rows(
        self, name: str, values: Parameters = (), tail: str = ""
    ) -> Sequence[Sequence[Any]]:
        """As `Session.rows`."""
        statement, arguments = _arguments(name, values)
        if tail:
            statement = f"{statement} {_numbered(tail)[0]}"
        return await self.connection.fetch(statement, *arguments)

    async def each(self, name: str, values: Sequence[Any]) -> AsyncIterator[Sequence[Any]]:
        """As `Session.each`."""
        statement, arguments = _arguments(name, values)
        async for row in self.connection.cursor(statement, *arguments, prefetch=20):
            yield row

    async def run(self, name: str, values: Parameters) -> int:
        """As `Session.run`."""
        statement, arguments = _arguments(name, values)
        done = await self.connection.execute(statement, *arguments)
        return int(done.rpartition(" ")[2])

    async def run_all(self, name: str, rows: Sequence[Sequence[Any]]) -> None:
        """As `Session.run_all`, in one round trip."""
        if rows:
            await self.connection.executemany(_STATEMENTS[name][0], rows)

    async def small_batches(
        self, lanes: Sequence[tuple[int, int, int]], room: int
    ) -> Mapping[int, Sequence[Sequence[Any]]]:
        """As `Session.small_batches`."""
        columns = [list(column) for column in zip(*lanes, strict=True)]
        found: dict[int, list[Sequence[Any]]] = {}
        for lane, *row in await self.rows("small_batches", (*columns, room)):
            found.setdefault(lane, []).append(row)
        return found

    async def insert(self, name: str, values: Sequence[Any]) -> int:
        """As `Session.insert`."""
        statement, arguments = _arguments(name, values)
        key: int = await self.connection.fetchval(statement, *arguments)
        return key

    async def insert_all(self, name: str, rows: Sequence[Sequence[Any]]) -> list[int]:
        """As `Session.insert_all`, in one round trip."""
        found = await self.connection.fetchmany(_STATEMENTS[name][0], rows) if rows else []
        return [row[0] for row in found]

    async def columns(self, name: str, rows: Sequence[Sequence[Any]]) -> Any:
        """Run a statement that takes many rows as arrays, one for each column."""
        return await self.rows(name, [list(column) for column in zip(*rows, strict=True)])

    async def announce(self, destination: int) -> None:
        """As `Session.announce`."""
        await self.rows("announce", ([named(await self.named(destination))],))

    async def tidy(self, until: float) -> None:
        """As `Session.tidy`: autovacuum does."""


def _arguments(name: str, values: Parameters) -> tuple[str, Sequence[Any]]:
    statement, names = _STATEMENTS[name]
    if isinstance(values, Mapping):
        return statement, [values[name] for name in names]
    return statement, values


class InDoubt(StoreUnavailable):
    """The answer to a COMMIT is missing: everything or nothing was written."""


class Pool:
    """Runs operations. Connections are made when they are needed, and given up after trouble."""

    def __init__(self, database: Database, new_id: Callable[[], str]) -> None:
        self.database = database
        self._new_id = new_id
        self._idle: list[PostgresSession] = []
        self._places = asyncio.Semaphore(_CONNECTIONS)
        self._is_closed = False

    async def run(
        self,
        operation: Operation[T],
        *arguments: Any,
        seconds: float = _SECONDS,
        is_look: bool = False,
        begin: str = "BEGIN",
    ) -> T:
        """The result of `operation(session, *arguments)` once its transaction is on disk. It may
        run several times. One that `is_look` has no transaction: it only reads, with statements
        of which each may see another state. `begin` begins others. Raises StoreUnavailable and what
        the operation raises by itself."""
        if self._is_closed:
            raise StoreUnavailable("the store is closed")
        try:
            async with asyncio.timeout(seconds), self._places:
                return await self._transact(operation, arguments, "" if is_look else begin)
        except TimeoutError as error:
            raise StoreUnavailable(
                f"the store {self.database.shown} has not answered within {seconds:g} s"
            ) from error

    async def _transact(self, operation: Operation[T], arguments: tuple[Any, ...], begin: str) -> T:
        for attempt in range(_ATTEMPTS):
            session = await self._session()
            is_committing = False
            try:
                if begin:
                    await session.connection.execute(begin)
                result = await operation(session, *arguments)
                if begin:
                    is_committing = not session.connection.is_closed()
                    await session.connection.execute("COMMIT")
            except BaseException as error:
                if must_repeat(error) and attempt + 1 < _ATTEMPTS:
                    await self._undo(session)
                    await asyncio.sleep(0.002 * 2**attempt)
                    continue
                if isinstance(error, Exception) and not is_trouble(error):
                    await self._undo(session)
                    if is_own_fault(error):
                        raise
                    raise self.database.unavailable(error) from error
                is_committing = is_committing and not was_idle(error)
                was_ended = isinstance(error, Exception) and session.connection.is_closed()
                session.connection.terminate()
                if was_ended and not is_committing and attempt + 1 < _ATTEMPTS:
                    continue  # the server ended it, as where it waited for this process for long
                if is_committing:
                    raise InDoubt(f"{self.database.shown} did not answer COMMIT") from error
                if isinstance(error, Exception):
                    raise self.database.unavailable(error) from error
                raise
            self._idle.append(session)
            return result
        raise AssertionError  # the last attempt returns or raises

    async def _undo(self, session: PostgresSession) -> None:
        session.forget()
        try:
            await session.connection.execute("ROLLBACK")
        except ERRORS:
            session.connection.terminate()
        else:
            self._idle.append(session)

    async def _session(self) -> PostgresSession:
        while self._idle:
            session = self._idle.pop()
            if not session.connection.is_closed():
                return session
        try:
            return PostgresSession(await self.database.connect(), self._new_id)
        except ERRORS as error:
            raise self.database.unavailable(error) from error

    def drop(self) -> None:
        """Give up connections that nobody uses: the server may have gone."""
        for session in self._idle:
            session.connection.terminate()
        self._idle.clear()

    async def close(self) -> None:
        """Close the connections once they are free."""
        if self._is_closed:
            return
        self._is_closed = True
        for _ in range(_CONNECTIONS):
            await self._places.acquire()
        with suppress(*ERRORS):
            async with asyncio.timeout(1):
                for session in self._idle:
                    await session.connection.close()
        self.drop()


class Together(Generic[A, T]):
    """Runs an operation for all callers that wait at the same time, in one transaction. The
    operation is called with their arguments and returns as many results."""

    def __init__(self, pool: Pool, operation: Operation[Sequence[T]], seconds: float) -> None:
        self._pool = pool
        self._operation = operation
        self._seconds = seconds
        self._waiting: deque[tuple[A, asyncio.Future[T]]] = deque()
        self._flights: set[asyncio.Task[None]] = set()
        self._is_called = False

    async def run(self, argument: A) -> T:
        """The result for one caller, as `Pool.run`."""
        loop = asyncio.get_running_loop()
        answer: asyncio.Future[T] = loop.create_future()
        self._waiting.append((argument, answer))
        if not self._is_called:  # whoever comes in the same turn of the loop goes with it
            self._is_called = True
            loop.call_soon(self._start)
        return await answer

    def _start(self) -> None:
        self._is_called = False
        while self._waiting and len(self._flights) < _FLIGHTS:
            some = [self._waiting.popleft() for _ in range(min(_MOST, len(self._waiting)))]
            flight = asyncio.create_task(self._fly([one for one in some if not one[1].done()]))
            self._flights.add(flight)
            flight.add_done_callback(self._done)

    def _done(self, flight: asyncio.Task[None]) -> None:
        self._flights.discard(flight)
        self._start()

    async def _fly(self, callers: list[tuple[A, asyncio.Future[T]]]) -> None:
        if not callers:
            return
        arguments = [argument for argument, _ in callers]
        try:
            results = await self._pool.run(self._operation, arguments, seconds=self._seconds)
        except Exception as error:
            if len(callers) > 1 and not isinstance(error, StoreUnavailable):
                for caller in callers:  # one of them failed by its own fault: each alone
                    await self._fly([caller])
                return
            for _, answer in callers:
                if not answer.done():
                    answer.set_exception(error)
            return
        for (_, answer), result in zip(callers, results, strict=True):
            if not answer.done():
                answer.set_result(result)
