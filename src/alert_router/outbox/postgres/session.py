"""One connection's transactions: statements by their names, in PostgreSQL's form."""

import json
import re
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from typing import Any

import asyncpg

from alert_router.outbox.model import Destination
from alert_router.outbox.session import SHARED, Parameters, Session, statements

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
    "known_delivery": "FOR UPDATE",
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
