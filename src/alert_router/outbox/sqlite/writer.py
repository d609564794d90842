"""The one thread that uses the database: it runs all that waits in one transaction, and
answers when that is on disk.

What an operation does is its own affair; what an error means to its caller is decided here.
"""

import sqlite3
from asyncio import AbstractEventLoop, Future, get_running_loop
from collections.abc import Callable, Coroutine, Sequence
from contextlib import suppress
from dataclasses import dataclass
from itertools import groupby
from operator import attrgetter
from queue import Empty, SimpleQueue
from threading import Thread
from typing import Any, TypeVar, TypeVarTuple

import structlog

from alert_router.outbox.base import StoreEnded, StoreUnavailable
from alert_router.outbox.sqlite.session import SqliteSession, is_trouble

log = structlog.get_logger(__name__)

_MOST = 512  # operations, then no more join a transaction: the first must not wait for ever

T = TypeVar("T")
A = TypeVar("A")
Ts = TypeVarTuple("Ts")


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
