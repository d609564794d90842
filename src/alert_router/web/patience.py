"""How long a client may take: header and idle limits, which aiohttp's server does not have.

A protocol around aiohttp's own that sees bytes come in and closes the connection when a
request's head is not complete in time. Limits on bodies are the intake's.
"""

import asyncio
from typing import Any
from weakref import WeakKeyDictionary

from aiohttp import web


class PatientProtocol(asyncio.Protocol):
    """Hands everything to aiohttp's protocol and keeps the time until a request's head is in."""

    def __init__(self, inner: asyncio.Protocol, patience: "Patience") -> None:
        self._inner = inner
        self._patience = patience
        self._timer: asyncio.TimerHandle | None = None
        self._busy = False
        self._transport: asyncio.Transport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport) or hasattr(transport, "write")
        self._transport = transport  # type: ignore[assignment]  # uvloop has its own class
        self._patience.protocols[transport] = self
        self._inner.connection_made(transport)
        self._start()

    def data_received(self, data: bytes) -> None:
        if not self._busy and self._timer is None:
            self._start()
        self._inner.data_received(data)

    def eof_received(self) -> bool | None:
        return self._inner.eof_received()

    def connection_lost(self, exc: Exception | None) -> None:
        self._stop()
        self._inner.connection_lost(exc)

    def pause_writing(self) -> None:
        self._inner.pause_writing()

    def resume_writing(self) -> None:
        self._inner.resume_writing()

    def request_began(self) -> None:
        """The head of a request is in: its handler runs now."""
        self._busy = True
        self._stop()

    def request_ended(self) -> None:
        """The answer is on its way; aiohttp's keep-alive timeout rules until new bytes come."""
        self._busy = False

    def _start(self) -> None:
        loop = asyncio.get_running_loop()
        self._timer = loop.call_later(self._patience.header_timeout, self._expire)

    def _stop(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _expire(self) -> None:
        self._timer = None
        if self._transport is not None:
            self._transport.abort()


class Patience:
    """The limit, in seconds, and the connections it holds for."""

    def __init__(self, header_timeout: float) -> None:
        self.header_timeout = header_timeout
        self.protocols: WeakKeyDictionary[Any, PatientProtocol] = WeakKeyDictionary()

    def protocol(self, server: web.Server) -> PatientProtocol:
        """A protocol for a new connection of the server."""
        return PatientProtocol(server(), self)

    def middleware(self) -> Any:
        """Tells the connection when a request's head is in and when it is answered."""

        @web.middleware
        async def patient(request: web.Request, handler: Any) -> web.StreamResponse:
            protocol = self.protocols.get(request.transport)
            if protocol is None:
                return await handler(request)  # type: ignore[no-any-return]
            protocol.request_began()
            try:
                return await handler(request)  # type: ignore[no-any-return]
            finally:
                protocol.request_ended()

        return patient
