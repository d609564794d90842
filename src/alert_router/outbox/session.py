"""What an operation needs of a driver: statements by their names, in a transaction that was begun
for it."""

import re
from abc import ABC, abstractmethod
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from importlib.resources import files
from typing import Any

from alert_router.outbox.model import Destination

Parameters = Sequence[Any] | Mapping[str, Any]

_LARGE = 256 * 1024  # bytes
_LARGE_KEPT = 1


class Session(ABC):
    """One connection's transactions. Every method may raise an error of the database.

    The methods are coroutines for drivers that wait for a server. `is_shared` says that other
    services use the store at the same time.
    """

    is_shared = False

    def __init__(self, new_id: Callable[[], str]) -> None:
        self.new_id = new_id
        self._destinations: dict[Destination, int] = {}
        self._large: dict[str, bytes] = {}

    @abstractmethod
    async def rows(
        self, name: str, values: Parameters = (), tail: str = ""
    ) -> Sequence[Sequence[Any]]:
        """What the statement finds; `tail` is SQL to be added at its end."""

    @abstractmethod
    def each(self, name: str, values: Sequence[Any]) -> AsyncIterator[Sequence[Any]]:
        """As `rows`, one after the other: they may be too large for all to be held."""

    @abstractmethod
    async def run(self, name: str, values: Parameters) -> int:
        """Run the statement; how many rows it changed."""

    @abstractmethod
    async def run_all(self, name: str, rows: Sequence[Sequence[Any]]) -> None:
        """Run the statement once for each of the rows."""

    async def small_batches(
        self, lanes: Sequence[tuple[int, int, int]], room: int
    ) -> Mapping[int, Sequence[Sequence[Any]]]:
        """What is pending in lanes, as `waiting_in_lane` with their values has it: perhaps of those
        with few rows whose bodies together have at most `room` bytes. It saves round trips."""
        return {}

    @abstractmethod
    async def insert(self, name: str, values: Sequence[Any]) -> int:
        """Run an INSERT of one row; its key."""

    @abstractmethod
    async def insert_all(self, name: str, rows: Sequence[Sequence[Any]]) -> list[int]:
        """As `insert`, once for each of the rows."""

    @abstractmethod
    async def tidy(self, until: float) -> None:
        """Give space back after something was deleted, until that monotonic time."""

    @abstractmethod
    async def announce(self, destination: int) -> None:
        """Once the transaction is durable, let other services that share the store look for what
        is due to the destination with that key."""

    @staticmethod
    def clean(text: str) -> str:
        """Text that the database can hold: a destination's answer may have lone surrogates."""
        return text.encode("utf-8", "replace").decode("utf-8")

    async def row(self, name: str, values: Parameters = ()) -> Sequence[Any] | None:
        """The first row that the statement finds."""
        found = await self.rows(name, values)
        return found[0] if found else None

    async def one(self, name: str, values: Parameters = ()) -> Sequence[Any]:
        """The only row of a statement that always finds one."""
        found = await self.rows(name, values)
        return found[0]

    async def find(self, destination: Destination) -> int | None:
        """The key of a destination, None if the store has never seen it."""
        key = self._destinations.get(destination)
        if key is None:
            row = await self.row("find_destination", (destination.receiver, destination.notifier))
            if row is None:
                return None
            key = self._destinations[destination] = row[0]
        return key

    async def key(self, destination: Destination) -> int:
        """The key of a destination, which is added if need be."""
        key = await self.find(destination)
        if key is None:
            names = (destination.receiver, destination.notifier)
            key = self._destinations[destination] = await self.insert("add_destination", names)
        return key

    async def named(self, key: int) -> Destination:
        """The destination of a key."""
        receiver, notifier = await self.one("destination_names", (key,))
        return Destination(receiver, notifier)

    def forget(self) -> None:
        """Remember no keys: one of them may just have been undone."""
        self._destinations.clear()

    def same_body(self, group: str, body: bytes) -> bytes:
        """The same object for the same large body, so that all destinations of a group, which claim
        it at about the same time, hold it once."""
        if len(body) < _LARGE:
            return body
        found = self._large.pop(group, body)
        self._large[group] = found
        if len(self._large) > _LARGE_KEPT:
            del self._large[next(iter(self._large))]
        return found


_NAME = re.compile(r"^-- name: (\w+)$", re.MULTILINE)


def text_of(package: str, name: str) -> str:
    """The text of a file in a package."""
    return files(package).joinpath(name).read_text(encoding="utf-8")


def statements(package: str, name: str) -> dict[str, str]:
    """The statements of a file by the names in the comments before them, without comments and
    without the semicolons at their ends."""
    _, *parts = _NAME.split(text_of(package, name))
    bodies = (re.sub(r"--.*$", "", body, flags=re.MULTILINE).strip() for body in parts[1::2])
    return dict(zip(parts[::2], (body.removesuffix(";") for body in bodies), strict=True))


SHARED = statements(__package__, "statements.sql")
