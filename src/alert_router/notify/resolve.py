"""Names of hosts to addresses, without occupying threads: by c-ares, which reads /etc/hosts and
/etc/resolv.conf as the system does.

Each name is looked up once at a time, within a time of its own, so that a server that does not
answer for one name delays no other. An answer is kept; where a later look-up fails or hangs, the
last good one is used instead. Whether an address may be connected to is judged in `guard`.
"""

import asyncio
import socket
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from math import inf
from pathlib import Path

import structlog
from aiohttp.abc import AbstractResolver, ResolveResult
from aiohttp.resolver import AsyncResolver, ThreadedResolver

log = structlog.get_logger(__name__)

Resolve = Callable[[str, int], Awaitable[list[ResolveResult]]]

LOOK_UP = 5.0  # seconds for one look-up
_FRESH = 30.0  # seconds an answer is used without asking again
_STALE = 86_400.0  # seconds a good answer is used where there is none better
_RECHECK = 10.0  # seconds after a failed look-up in which the last good answer is used at once
_PATIENCE = 0.5  # seconds to wait for a better answer than the last good one
_MOST_NAMES = 1024

_TRIES = 2
_SETTINGS = Path("/etc/resolv.conf")


@dataclass(slots=True)
class _Known:
    """The last good answer for a name, and since when looking it up again has failed."""

    addresses: list[ResolveResult]
    at: float
    failed_at: float = -inf


class Resolver(AbstractResolver):
    """For aiohttp's connector and for connections of our own. Of one event loop."""

    def __init__(self, look_up: float = LOOK_UP) -> None:
        self._look_up = look_up
        self._cares: AsyncResolver | None = None
        self._settings: tuple[int, int] | None = None
        self._known: dict[tuple[str, socket.AddressFamily], _Known] = {}
        self._asking: dict[tuple[str, socket.AddressFamily], asyncio.Task[list[ResolveResult]]] = {}

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_UNSPEC
    ) -> list[ResolveResult]:
        """The addresses of a host. Raises OSError where there are none."""
        key = (host.lower(), family)
        known, now = self._known.get(key), time.monotonic()
        if known is not None and now - known.at < _FRESH:
            return _with_port(known.addresses, port)
        task = self._asking.get(key)
        if task is None:
            self._asking[key] = task = asyncio.create_task(self._ask(host, family, key))
            task.add_done_callback(lambda task: self._asked(key, task))
        if known is None or now - known.at > _STALE:
            return _with_port(await asyncio.shield(task), port)
        if now - known.failed_at >= _RECHECK:
            await asyncio.wait([task], timeout=_PATIENCE)
        if task.done() and not task.cancelled() and task.exception() is None:
            return _with_port(task.result(), port)
        return _with_port(known.addresses, port)

    async def close(self) -> None:
        """Ask no more."""
        for task in self._asking.values():
            task.cancel()
        if self._cares is not None:
            await self._cares.close()
            self._cares = None

    async def _ask(
        self, host: str, family: socket.AddressFamily, key: tuple[str, socket.AddressFamily]
    ) -> list[ResolveResult]:
        try:
            async with asyncio.timeout(self._look_up):
                addresses = await self._current().resolve(host, 0, family)
        except TimeoutError:
            raise OSError(None, f"no answer about {host} within {self._look_up:g} s") from None
        if len(self._known) >= _MOST_NAMES and key not in self._known:
            self._known.pop(next(iter(self._known)))
        self._known[key] = _Known(addresses, time.monotonic())
        return addresses

    def _asked(
        self, key: tuple[str, socket.AddressFamily], task: "asyncio.Task[list[ResolveResult]]"
    ) -> None:
        self._asking.pop(key, None)
        if task.cancelled() or task.exception() is None:  # also: nobody may wait for it any more
            return
        if known := self._known.get(key):
            known.failed_at = time.monotonic()

    def _current(self) -> AsyncResolver:
        """c-ares, with the settings as they are now: it reads them once."""
        settings = _stamp(_SETTINGS)
        if self._cares is None or settings != self._settings:
            # The old one answers what it was asked, and goes.
            self._cares = AsyncResolver(timeout=self._look_up / (2 * _TRIES), tries=_TRIES)
            self._settings = settings
        return self._cares


async def system(host: str, port: int) -> list[ResolveResult]:
    """By the system's own means, in a thread: for commands, which have nobody to delay."""
    return await ThreadedResolver().resolve(host, port, socket.AF_UNSPEC)


def _with_port(addresses: list[ResolveResult], port: int) -> list[ResolveResult]:
    return [ResolveResult(**{**address, "port": port}) for address in addresses]


def _stamp(path: Path) -> tuple[int, int] | None:
    try:
        status = path.stat()
    except OSError:
        return None
    return status.st_mtime_ns, status.st_ino
