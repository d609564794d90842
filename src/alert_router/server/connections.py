"""Connections: how many, how long a client may take, and the port they come in at."""

import asyncio
import resource
import socket
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from aiohttp import web

from alert_router.config.model import Http
from alert_router.config.values import Listen
from alert_router.metrics import Metrics
from alert_router.server.context import SITE
from alert_router.server.errors import Handler
from alert_router.server.web import WebServer

_UNKNOWN = 40  # open files where the system does not list them
_LEAST = 4
_BACKLOG = 1024
_AMPLE = 1024  # free ones from which on nothing needs to be shared out


@dataclass(frozen=True, slots=True)
class Shares:
    """Connections that may be accepted, and that may be opened to destinations, at a time; 0 for
    as many as are wanted. What they leave is the store's and that of files read now and then."""

    accepted: int
    opened: int


def share(wanted: int) -> Shares:
    """Of what is free now under this process's limit; `wanted` connections are accepted at most."""
    limit = resource.getrlimit(resource.RLIMIT_NOFILE)[0]
    if limit == resource.RLIM_INFINITY:
        return Shares(wanted, 0)
    try:
        used = len(list(Path("/proc/self/fd").iterdir()))
    except OSError:
        used = _UNKNOWN
    return _shares(wanted, max(0, limit - used))


def _shares(wanted: int, free: int) -> Shares:
    """A third is for connections that come in, a half for those to destinations."""
    opened = 0 if free >= wanted + _AMPLE else max(_LEAST, free // 2)
    return Shares(min(wanted, max(_LEAST, free // 3)), opened)


_SWEEPS = 4  # looks in one header timeout: a connection may live that much longer at most


class PatientProtocol(asyncio.Protocol):
    """Hands everything to aiohttp's protocol and remembers since when a head is awaited."""

    def __init__(self, inner: asyncio.Protocol, patience: "Patience") -> None:
        self._inner = inner
        self._patience = patience
        self._busy = False
        self._waiting_since: float | None = None
        self._transport: Any = None  # uvloop's transports are not asyncio.Transport

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = transport
        self._waiting_since = self._patience.now()
        self._patience.opened(self, transport)
        self._inner.connection_made(transport)
        if not self._patience.admits(transport):
            self.close()

    def data_received(self, data: bytes) -> None:
        if not self._busy and self._waiting_since is None:
            self._waiting_since = self._patience.now()
        self._inner.data_received(data)

    def eof_received(self) -> bool | None:
        return self._inner.eof_received()

    def connection_lost(self, exc: Exception | None) -> None:
        self._patience.closed(self._transport)
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

    @property
    def is_idle(self) -> bool:
        """Whether no request is being answered."""
        return not self._busy

    def close(self) -> None:
        """Close the connection at once."""
        self._transport.abort()

    def close_if_late(self, began_before: float) -> None:
        """Close the connection if its head is awaited since before that time."""
        if self._waiting_since is not None and self._waiting_since < began_before:
            self._transport.abort()


class Patience:
    """The limits, in seconds and in connections, and the connections they hold for.

    One look at all of them now and then costs less than a timer for each request.
    """

    def __init__(
        self, header_timeout: float, most: int, metrics: Metrics, server: WebServer
    ) -> None:
        self._most = most
        self._server = server
        self._metrics = metrics
        metrics.connections_allowed.set(most)
        self._header_timeout = header_timeout
        self._loop = asyncio.get_running_loop()
        self.now = self._loop.time
        self.protocols: dict[Any, PatientProtocol] = {}
        self._sweep_later()

    def protocol(self, inner: asyncio.Protocol) -> PatientProtocol:
        """A protocol for a new connection, around the server's."""
        return PatientProtocol(inner, self)

    def admits(self, transport: Any) -> bool:
        """Whether the client of a new connection may go on, by its certificate."""
        tls = transport.get_extra_info("ssl_object")
        return tls is None or self._server.may_connect(tls.getpeercert())

    def opened(self, protocol: PatientProtocol, transport: Any) -> None:
        """Take note of a new connection. With one too many, the oldest idle one makes room, or the
        new one goes: whoever it is tries again."""
        if len(self.protocols) >= self._most:
            idle = next((it for it in self.protocols.values() if it.is_idle), protocol)
            idle.close()
            self._metrics.connections_refused.inc()
        self.protocols[transport] = protocol
        self._metrics.connections.set(len(self.protocols))

    def closed(self, transport: Any) -> None:
        """Forget a connection."""
        self.protocols.pop(transport, None)
        self._metrics.connections.set(len(self.protocols))

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


class Listener:
    """Serves an application at some addresses."""

    def __init__(
        self, app: web.Application, http: Http, connections: int, server: WebServer
    ) -> None:
        site = app[SITE]
        self.addresses: list[tuple[str, int]] = []
        self._listen = server.flags.listen or (http.listen,)
        self._header_timeout = http.header_timeout
        self._idle_timeout = http.idle_timeout
        self._quiet = site.quiet
        self._web = server
        self._patience = Patience(http.header_timeout, connections, site.metrics, server)
        app.middlewares.insert(0, self._patience.middleware())
        self._servers: list[asyncio.Server] = []
        self._runner = web.AppRunner(
            app,
            access_log=None,
            shutdown_timeout=0.3,  # the deadline of a stop is for the sends
            handle_signals=False,
        )

    async def open(self) -> None:
        """Raises OSError if an address cannot be listened on."""
        await self._runner.setup()
        made: list[socket.socket] = []
        try:
            for listen in self._listen:
                made += await _sockets(listen)
            self._servers = [await self._serve(each) for each in made]
        except OSError:
            for each in made:
                each.close()
            raise
        self.addresses = [each.getsockname()[:2] for each in made]

    async def _serve(self, made: socket.socket) -> asyncio.Server:
        server = self._runner.server
        assert server is not None
        loop = asyncio.get_running_loop()
        tls = self._web.tls
        # Not web.SockSite: it offers no way to put a protocol of ours around aiohttp's.
        return await loop.create_server(
            lambda: self._patience.protocol(
                Handler(
                    server,
                    self._quiet,
                    loop=loop,
                    access_log=None,
                    keepalive_timeout=self._idle_timeout,
                )
            ),
            sock=made,
            backlog=_BACKLOG,
            ssl=tls,
            ssl_handshake_timeout=self._header_timeout if tls else None,
        )

    async def close(self) -> None:
        """Take no more connections and finish the requests that are being answered."""
        for server in self._servers:
            server.close()
        self._patience.close()
        await self._runner.cleanup()


async def _sockets(listen: Listen) -> list[socket.socket]:
    """Sockets that listen there, one for each address that a name has; all addresses, of IPv4 and
    of IPv6 where there is IPv6, are one socket. Raises OSError."""
    # Without a type uvloop asks libuv even for an address, and so starts libuv's threads: where
    # none can be started later, libuv aborts the process.
    found = await asyncio.get_running_loop().getaddrinfo(
        listen.host or "0.0.0.0",  # noqa: S104 - what is written in the configuration
        listen.port,
        flags=socket.AI_PASSIVE,
    )
    if listen.host in ("", "::") and socket.has_dualstack_ipv6():
        return [
            socket.create_server(
                ("", listen.port), family=socket.AF_INET6, dualstack_ipv6=True, backlog=_BACKLOG
            )
        ]
    made: list[socket.socket] = []
    try:
        for family, address in dict.fromkeys((each[0], each[4]) for each in found):
            made.append(socket.create_server(address[:2], family=family, backlog=_BACKLOG))
    except OSError:
        for each in made:
            each.close()
        raise
    return made
