"""The one thread that writes: everything queued shares one transaction and one fsync.

What an operation does is its caller's; here are only commits, and what their failure means.
"""

import asyncio
import queue
import sqlite3
import threading
from collections.abc import Callable
from contextlib import suppress
from typing import Any, TypeVar

from alert_router.outbox.base import StoreUnavailable

Result = TypeVar("Result")
Operation = Callable[[sqlite3.Connection], Any]

_MOST = 512  # operations in one transaction

# What an operation says no with, to its caller alone; it must not have written anything then.
REFUSALS = (LookupError, ValueError)


class _Job:
    """An operation and who waits for it."""

    __slots__ = ("future", "loop", "operation")

    def __init__(self, operation: Operation, loop: asyncio.AbstractEventLoop) -> None:
        self.operation = operation
        self.loop = loop
        self.future: asyncio.Future[Any] = loop.create_future()


class Writer:
    """Runs operations on a connection of its own, in the order they came."""

    def __init__(self, connect: Callable[[], sqlite3.Connection]) -> None:
        self._connect = connect
        self._jobs: queue.SimpleQueue[_Job | None] = queue.SimpleQueue()
        self._connection: sqlite3.Connection | None = None
        self._closed = False
        self._thread = threading.Thread(target=self._work, name="outbox-writer", daemon=True)
        self._thread.start()

    async def run(self, operation: Callable[[sqlite3.Connection], Result]) -> Result:
        """The operation's result, once it is on disk. Raises StoreUnavailable if nothing could
        be written, or the operation's own refusal."""
        if self._closed:
            raise StoreUnavailable("the store is closed")
        job = _Job(operation, asyncio.get_running_loop())
        self._jobs.put(job)
        result: Result = await job.future
        return result

    async def close(self) -> None:
        """Finish what is queued and end the thread."""
        self._closed = True
        self._jobs.put(None)
        await asyncio.to_thread(self._thread.join)

    def _work(self) -> None:
        ending = False
        while not ending:
            jobs, ending = self._next()
            if jobs:
                answer(jobs, self._commit(jobs))
        self._disconnect()

    def _next(self) -> tuple[list[_Job], bool]:
        """What is queued now, at least one; and whether the end is among it."""
        job = self._jobs.get()
        jobs: list[_Job] = []
        while job is not None:
            jobs.append(job)
            if len(jobs) == _MOST:
                return jobs, False
            try:
                job = self._jobs.get_nowait()
            except queue.Empty:
                return jobs, False
        return jobs, True

    def _commit(self, jobs: list[_Job]) -> list[Any]:
        """The jobs' results, exceptions among them."""
        try:
            return self._transact(jobs)
        except sqlite3.OperationalError as error:  # disk full, I/O, locked: nobody's own fault
            self._disconnect()
            return [StoreUnavailable(f"the store cannot be written: {error}") for _ in jobs]
        except Exception as error:
            self._disconnect()
            if len(jobs) == 1:
                return [StoreUnavailable(f"not stored: {type(error).__name__}: {error}")]
        # One of them is bad by itself: find out which, so that the others do not suffer.
        return [result for job in jobs for result in self._commit([job])]

    def _transact(self, jobs: list[_Job]) -> list[Any]:
        if self._connection is None:
            self._connection = self._connect()
        connection = self._connection
        connection.execute("BEGIN IMMEDIATE")
        results: list[Any] = []
        for job in jobs:
            try:
                results.append(job.operation(connection))
            except REFUSALS as refusal:
                results.append(refusal)
        connection.execute("COMMIT")
        return results

    def _disconnect(self) -> None:
        """Let the connection go, with whatever it had begun. After a failed fsync its pages are
        not to be trusted either: the next transaction begins on a new one."""
        connection, self._connection = self._connection, None
        if connection is not None:
            with suppress(sqlite3.Error):
                connection.close()


def answer(jobs: list[_Job], results: list[Any]) -> None:
    """Tell all who wait, with one wake-up for each event loop."""
    by_loop: dict[asyncio.AbstractEventLoop, list[tuple[asyncio.Future[Any], Any]]] = {}
    for job, result in zip(jobs, results, strict=True):
        by_loop.setdefault(job.loop, []).append((job.future, result))
    for loop, pairs in by_loop.items():
        try:
            loop.call_soon_threadsafe(_resolve, pairs)
        except RuntimeError:  # that loop is closed: nobody waits there
            continue


def _resolve(pairs: list[tuple[asyncio.Future[Any], Any]]) -> None:
    for future, result in pairs:
        if future.done():
            continue
        if isinstance(result, BaseException):
            future.set_exception(result)
        else:
            future.set_result(result)
