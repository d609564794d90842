"""What the pages keep while the router runs."""

from collections.abc import Callable, Hashable
from dataclasses import dataclass, field

from aiohttp import web

from alert_router.aside import Aside
from alert_router.server.context import SITE
from alert_router.server.pages.board import Board
from alert_router.server.pages.live import Live, Make
from alert_router.server.requests import Budget
from alert_router.server.rule_coverage import RuleCoverage

_EXPLAINED = 4 * 1024 * 1024  # bytes of bodies to be explained, at a time


@dataclass(slots=True)
class Pages:
    """`is_guarded` says whether every client needs a password or a certificate. Pages are made in
    the threads `aside`, since a long runbook takes a while; explanations, which may take longer, in
    one of their own. What they are asked about has memory of its own, so that it takes none from
    webhooks."""

    is_guarded: Callable[[], bool]
    aside: Aside = field(default_factory=lambda: Aside("pages", 2))
    explaining: Aside = field(default_factory=lambda: Aside("explain"))
    budget: Budget = field(default_factory=lambda: Budget(_EXPLAINED))
    board: Board = field(default_factory=Board)
    _spooled: Board = field(default_factory=Board)
    live: Live = field(default_factory=Live)
    rule_coverage: RuleCoverage = field(default_factory=RuleCoverage)

    def spooled_in(self, outage: int) -> Board:
        """What fires by what is in the spool since this outage. What an earlier one left there and
        was moved may have been resolved since in the shared store."""
        if self._spooled.outage != outage:
            self._spooled.close()
            self._spooled = Board(outage=outage)
        return self._spooled

    def close(self) -> None:
        """End the streams, and read and make nothing more."""
        self.live.close()
        self.board.close()
        self._spooled.close()
        self.aside.close()
        self.explaining.close()
        self.rule_coverage.close()


PAGES: web.AppKey[Pages] = web.AppKey("pages", Pages)


async def stream(request: web.Request, key: Hashable, make: Make) -> web.StreamResponse:
    """The stream of the page `key`. Streams have at most half of the connections, so that webhooks
    find some."""
    most = request.app[SITE].runtime().config.http.max_connections // 2
    return await request.app[PAGES].live.stream(request, key, make, most)
