"""What changes on pages that are open: a stream of server-sent events for each tab.

Everybody who looks at the same page shares a watch, which makes its parts again after an action and
every few seconds. A stream sends the parts that differ from what it sent last, so that a slow
reader gets fewer events, and is dropped where it takes none.
"""

import asyncio
import json
import time
from collections.abc import Awaitable, Callable, Hashable
from contextlib import suppress
from dataclasses import dataclass, field

import structlog
from aiohttp import web

from alert_router.outbox.base import StoreUnavailable
from alert_router.server.requests import unavailable

log = structlog.get_logger(__name__)

MOST_STREAMS = 250
_EVERY = 1.0  # seconds between two looks, or
_REST = 20  # so many times as long as one took, but
_SELDOM = 15.0  # seconds at most
_SEND_SECONDS = 10.0
_ALIVE_SECONDS = 20.0  # without a change, a line is sent so that proxies keep the stream

Parts = dict[str, str]
Make = Callable[[], Awaitable[Parts]]


@dataclass(eq=False, slots=True)
class _Watch:
    make: Make
    parts: Parts = field(default_factory=dict)  # never changed, but replaced
    before: Parts = field(default_factory=dict)  # the parts before these
    lines: bytes = b""  # the events from `before` to `parts`, for all who have seen `before`
    changed: asyncio.Event = field(default_factory=asyncio.Event)
    again: asyncio.Event = field(default_factory=asyncio.Event)
    readers: int = 0
    task: "asyncio.Task[None] | None" = None

    async def run(self) -> None:
        """Make the parts again and again."""
        while True:
            began = time.monotonic()
            self.again.clear()
            try:
                parts = await self.make()
                if parts != self.parts:
                    self.before, self.lines = self.parts, _events(self.parts, parts)
                    self.parts = parts
                    self.changed.set()
                    self.changed = asyncio.Event()
            except StoreUnavailable:
                pass  # again at the next turn
            except Exception:
                log.exception("a page that is open could not be made again")
            pause = min(max(_EVERY, _REST * (time.monotonic() - began)), _SELDOM)
            with suppress(TimeoutError):
                async with asyncio.timeout(pause):
                    await self.again.wait()


class Live:
    """The streams that are open."""

    def __init__(self) -> None:
        self._watches: dict[Hashable, _Watch] = {}
        self._streams: set[asyncio.Task[object]] = set()

    def touch(self) -> None:
        """Something was done: look now."""
        for watch in self._watches.values():
            watch.again.set()

    def close(self) -> None:
        """End all streams."""
        for task in self._streams:
            task.cancel()

    async def stream(
        self, request: web.Request, key: Hashable, make: Make, most: int
    ) -> web.StreamResponse:
        """Send what changes of the page `key`, whose parts `make` makes, until the reader goes
        away. 503 where `most` streams are open."""
        if len(self._streams) >= min(most, MOST_STREAMS):
            return unavailable("too many pages are open; this one asks now and then instead")
        task = asyncio.current_task()
        assert task is not None
        self._streams.add(task)
        watch = self._watches.setdefault(key, _Watch(make))
        watch.readers += 1
        if watch.task is None:
            watch.task = asyncio.create_task(watch.run())
        try:
            return await _send(request, watch)
        finally:
            self._streams.discard(task)
            watch.readers -= 1
            if not watch.readers:
                watch.task.cancel()
                self._watches.pop(key, None)


async def _send(request: web.Request, watch: _Watch) -> web.StreamResponse:
    response = web.StreamResponse(
        headers={
            "Content-Type": "text/event-stream",
            "Cache-Control": "no-store",
            "X-Accel-Buffering": "no",
        }
    )
    await response.prepare(request)
    sent = watch.parts
    await response.write(b": open\n\n")
    while True:
        changed = watch.changed
        if sent == watch.parts:
            with suppress(TimeoutError):
                async with asyncio.timeout(_ALIVE_SECONDS):
                    await changed.wait()
        lines = watch.lines if sent is watch.before else _events(sent, watch.parts)
        sent = watch.parts
        try:
            async with asyncio.timeout(_SEND_SECONDS):
                await response.write(lines or b": alive\n\n")
        except (TimeoutError, ConnectionError):
            return response


def _events(sent: Parts, parts: Parts) -> bytes:
    """The events for what differs: `part` with its id and HTML; `page` where parts came or went."""
    if not sent or sent == parts:
        return b""
    if sent.keys() != parts.keys():
        return b"event: page\ndata: {}\n\n"
    texts = [
        f"event: part\ndata: {json.dumps({'id': id_, 'html': html})}\n\n"
        for id_, html in parts.items()
        if sent[id_] != html
    ]
    return "".join(texts).encode()
