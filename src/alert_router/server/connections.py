"""Connections: how many, how long a client may take, and the port they come in at."""

import asyncio
import os
import resource
import socket
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from http import HTTPStatus
from pathlib import Path
from typing import Any, cast

import structlog
from aiohttp import web
from aiohttp.web_protocol import RequestHandler

from alert_router.config.model import Http
from alert_router.fields import Listen
from alert_router.metrics import Metrics
from alert_router.server.context import SITE
from alert_router.server.requests import QuietLog, harden
from alert_router.server.web import WebServer

log = structlog.get_logger(__name__)

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


class Connection(RequestHandler):
    """One connection. It remembers since when the head of a request is awaited."""

    __slots__ = ("_busy", "_own", "_patience", "_quiet", "_waiting_since")

    def __init__(
        self, server: web.Server, patience: "Patience", quiet: QuietLog, **settings: Any
    ) -> None:
        super().__init__(server, access_log=None, **settings)  # type: ignore[arg-type]
        self._patience = patience
        self._quiet = quiet
        self._busy = False
        self._waiting_since: float | None = None
        # aiohttp forgets its transport when it begins to close it, which may never end where the
        # client does not read.
        self._own: asyncio.Transport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._own = cast("asyncio.Transport", transport)
        self._waiting_since = self._patience.now()
        super().connection_made(transport)
        self._patience.opened(self)
        if not self._patience.admits(transport):
            self.abort()

    def data_received(self, data: bytes) -> None:
        if not self._busy and self._waiting_since is None:
            self._waiting_since = self._patience.now()
        super().data_received(data)

    def connection_lost(self, exc: BaseException | None) -> None:
        self._patience.closed(self)
        super().connection_lost(exc)

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

    def abort(self) -> None:
        """Close the connection at once. It counts no more."""
        self._patience.closed(self)
        if self._own is not None:
            self._own.abort()

    def abort_if_late(self, began_before: float) -> None:
        """Close the connection if its head is awaited since before that time."""
        if self._waiting_since is not None and self._waiting_since < began_before:
            self.abort()

    def handle_error(
        self,
        request: web.BaseRequest,
        status: int = 500,
        exc: BaseException | None = None,
        message: str | None = None,
    ) -> web.StreamResponse:
        """The answer to what failed: bad HTTP, or a handler of ours."""
        if status < 500:
            kind = type(exc).__name__ if exc else ""
            self._quiet.warning(
                "malformed request", remote=request.remote, status=status, kind=kind
            )
        else:
            log.error("request failed", status=status, exc_info=exc)
        if request.writer.output_size > 0:
            raise ConnectionError("a part of the answer is sent already")
        answer = web.Response(status=status, text=f"{status} {HTTPStatus(status).phrase}\n")
        harden(answer)
        answer.force_close()
        return answer


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
        self._connections: dict[Connection, None] = {}  # the oldest first
        self._sweep_later()

    def admits(self, transport: Any) -> bool:
        """Whether the client of a new connection may go on, by its certificate."""
        tls = transport.get_extra_info("ssl_object")
        return tls is None or self._server.may_connect(tls.getpeercert())

    def opened(self, connection: Connection) -> None:
        """Take note of a new connection. With one too many, the oldest idle one makes room, or the
        new one goes: whoever it is tries again."""
        self._connections[connection] = None
        self._metrics.connections.set(len(self._connections))
        if len(self._connections) > self._most:
            next(it for it in self._connections if it.is_idle).abort()
            self._metrics.connections_refused.inc()

    def closed(self, connection: Connection) -> None:
        """Forget a connection."""
        self._connections.pop(connection, None)
        self._metrics.connections.set(len(self._connections))

    def close(self) -> None:
        """Look no more."""
        self._sweeping.cancel()

    def _sweep_later(self) -> None:
        self._sweeping = self._loop.call_later(self._header_timeout / _SWEEPS, self._sweep)

    def _sweep(self) -> None:
        limit = self.now() - self._header_timeout
        for connection in list(self._connections):
            connection.abort_if_late(limit)
        self._sweep_later()


@web.middleware
async def patient(
    request: web.Request, handler: Callable[[web.Request], Awaitable[web.StreamResponse]]
) -> web.StreamResponse:
    """Tell the connection when a request's head is in and when it is answered."""
    connection = request.protocol
    assert isinstance(connection, Connection)
    connection.request_began()
    try:
        return await handler(request)
    finally:
        connection.request_ended()


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
        app.middlewares.insert(0, patient)
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
        # Not web.SockSite: it offers no way to use a protocol of ours.
        return await loop.create_server(
            lambda: Connection(
                server,
                self._patience,
                self._quiet,
                loop=loop,
                keepalive_timeout=self._idle_timeout,
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
    of IPv6 where there is IPv6, are one socket. Raises OSError with a message for people."""
    try:
        return await _bound(listen)
    except socket.gaierror as error:
        reason = error.strerror
    except OSError as error:  # its own text repeats the address
        reason = os.strerror(error.errno) if error.errno else str(error)
    raise OSError(
        f"cannot listen on {listen}: {reason}; set another address with `http.listen` or"
        " --web.listen-address"
    )


async def _bound(listen: Listen) -> list[socket.socket]:
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
