"""How long a client may take: header and idle limits, which aiohttp's server does not have.

A protocol around aiohttp's own that sees bytes come in and closes the connection when a
request's head is not complete in time. Limits on bodies are the intake's.
"""

import asyncio
from typing import Any

from aiohttp import web

_SWEEPS = 4  # looks in one header timeout: a connection may live that much longer at most


class PatientProtocol(asyncio.Protocol):
    """Hands everything to aiohttp's protocol and remembers since when a head is awaited."""

    def __init__(self, inner: asyncio.Protocol, patience: "Patience") -> None:
        self._inner = inner
        self._patience = patience
        self._busy = False
        self._waiting_since: float | None = None
        self._transport: Any = None  # uvloop's transports are no asyncio.Transport

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = transport
        self._waiting_since = self._patience.now()
        self._patience.protocols[transport] = self
        self._inner.connection_made(transport)

    def data_received(self, data: bytes) -> None:
        if not self._busy and self._waiting_since is None:
            self._waiting_since = self._patience.now()
        self._inner.data_received(data)

    def eof_received(self) -> bool | None:
        return self._inner.eof_received()

    def connection_lost(self, exc: Exception | None) -> None:
        self._patience.protocols.pop(self._transport, None)
        self._inner.connection_lost(exc)

    def pause_writing(self) -> None:
        self._inner.pause_writing()

    def resume_writing(self) -> None:
        self._inner.resume_writing()

    def request_began(self) -> None:
        """The head of a request is in: its handler runs now."""
        self._busy = True
        self._waiting_since = None

    def request_ended(self) -> None:
        """The answer is on its way; aiohttp's keep-alive timeout rules until new bytes come."""
        self._busy = False

    def close_if_late(self, began_before: float) -> None:
        """Close the connection if its head is awaited since before that time."""
        if self._waiting_since is not None and self._waiting_since < began_before:
            self._transport.abort()


class Patience:
    """The limit, in seconds, and the connections it holds for.

    One look at all of them now and then costs less than a timer for each request.
    """

    def __init__(self, header_timeout: float) -> None:
        self._header_timeout = header_timeout
        self._loop = asyncio.get_running_loop()
        self.now = self._loop.time
        self.protocols: dict[Any, PatientProtocol] = {}
        self._sweep_later()

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

    def close(self) -> None:
        """Look no more."""
        self._sweeping.cancel()

    def _sweep_later(self) -> None:
        self._sweeping = self._loop.call_later(self._header_timeout / _SWEEPS, self._sweep)

    def _sweep(self) -> None:
        limit = self.now() - self._header_timeout
        for protocol in list(self.protocols.values()):
            protocol.close_if_late(limit)
        self._sweep_later()
