"""The open port: aiohttp's server behind the patience that closes slow clients.

What is served is `web`'s; when the port opens and closes is the router's to say.
"""

import asyncio

from aiohttp import web

from alert_router.config.model import Http
from alert_router.web.app import build
from alert_router.web.patience import Patience
from alert_router.web.protocol import Handler
from alert_router.web.site import Site


class Listener:
    """Serves a site at one address."""

    def __init__(self, site: Site, http: Http, connections: int) -> None:
        self.addresses: list[tuple[str, int]] = []
        self._listen = http.listen
        self._idle_timeout = http.idle_timeout
        self._quiet = site.quiet
        self._patience = Patience(http.header_timeout, connections, site.metrics)
        self._server: asyncio.Server | None = None
        self._runner = web.AppRunner(
            build(site, self._patience),
            access_log=None,
            shutdown_timeout=0.3,  # the deadline of a stop is for the sends
            handle_signals=False,
        )

    async def open(self) -> None:
        """Raises OSError if the address cannot be listened on."""
        await self._runner.setup()
        server = self._runner.server
        assert server is not None
        # Not web.TCPSite: it offers no way to put a protocol of ours around aiohttp's.
        self._server = await asyncio.get_running_loop().create_server(
            lambda: self._patience.protocol(
                Handler(
                    server,
                    self._quiet,
                    loop=asyncio.get_running_loop(),
                    access_log=None,
                    keepalive_timeout=self._idle_timeout,
                )
            ),
            self._listen.host,
            self._listen.port,
            backlog=1024,
        )
        self.addresses = [made.getsockname()[:2] for made in self._server.sockets]

    async def close(self) -> None:
        """Take no more connections and finish the requests that are being answered."""
        if self._server is not None:
            self._server.close()
        self._patience.close()
        await self._runner.cleanup()
