"""Reading a request's body within its limits: size, time, and what all requests hold together."""

import asyncio
from contextlib import AbstractContextManager

from aiohttp import web


class Busy(Exception):
    """Other bodies take the room there is. Trying again later helps."""


class Share(AbstractContextManager["Share"]):
    """What one request holds of the budget, until the end of the block."""

    def __init__(self, budget: "Budget") -> None:
        self._budget = budget
        self._held = 0

    def add(self, size: int) -> None:
        """Hold so many more bytes. Raises Busy."""
        if self._budget.free < size:
            raise Busy
        self._budget.free -= size
        self._held += size

    def __exit__(self, *_: object) -> None:
        self._budget.free += self._held


class Budget:
    """Bytes of bodies that may be in memory at a time, from their first byte until they are stored.

    Nobody waits for it: who waited while holding a part could keep others from finishing.
    """

    def __init__(self, size: int) -> None:
        self.free = self._size = size

    def held(self) -> int:
        """Bytes that are in memory now."""
        return self._size - self.free

    def share(self) -> Share:
        """A share, to be used in a `with` block."""
        return Share(self)


async def read_body(request: web.Request, max_body: int, seconds: float, share: Share) -> bytes:
    """The body. Raises HTTPRequestEntityTooLarge, TimeoutError, RequestPayloadError or Busy."""
    if request.content_length is not None and request.content_length > max_body:
        raise web.HTTPRequestEntityTooLarge(max_body, request.content_length)
    content = request.content
    if content.is_eof() and request.content_length is not None:  # it came with the head
        whole = content.read_nowait(-1)
        if len(whole) > max_body:  # it was compressed
            raise web.HTTPRequestEntityTooLarge(max_body, len(whole))
        share.add(len(whole))
        return whole
    chunks, size = [], 0
    async with asyncio.timeout(seconds):
        async for chunk in content.iter_any():
            size += len(chunk)
            if size > max_body:  # no length was given, or it was compressed
                raise web.HTTPRequestEntityTooLarge(max_body, size)
            share.add(len(chunk))
            chunks.append(chunk)
    return b"".join(chunks)
