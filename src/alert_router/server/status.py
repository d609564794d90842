"""How the router is: the store, its disk and the event loop, and the endpoints that say so."""

import asyncio
import time
from dataclasses import dataclass, field
from math import inf

import structlog
from aiohttp import web
from prometheus_client import Histogram

from alert_router.deliver.policy import is_held
from alert_router.metrics import DestinationGauges, Metrics
from alert_router.outbox.base import Outbox, StoreEnded, StoreUnavailable
from alert_router.outbox.model import Backlog
from alert_router.server.context import SITE, Site
from alert_router.server.requests import from_other_site, refuse

log = structlog.get_logger(__name__)

# Seconds between questions to the store, at least; so many times as long as an answer took; and at
# most.
_ASK_EVERY, _ASK_REST, _ASK_SELDOM = 1.0, 20.0, 10.0
_STALLED = 5.0  # seconds without an answer after which the store counts as stalled


class StoreStatus:
    """How the store is, asked in the background, so that no request waits for it: what is pending,
    for the metrics, and whether it answers."""

    def __init__(self, outbox: Outbox, metrics: Metrics) -> None:
        self.backlog: list[Backlog] = []
        self._outbox = outbox
        self._metrics = metrics
        self._asked_at = inf  # where it has not answered yet
        self._answered_at = time.monotonic()
        self._unread: bool | None = None  # whether it was the spool that could not be read last
        metrics.store_answer_age.set_function(lambda: time.monotonic() - self._answered_at)

    def is_stalled(self) -> bool:
        """Whether the store has not answered for too long."""
        return time.monotonic() - self._asked_at > _STALLED

    def trouble(self) -> str:
        """Why the store cannot be used now; "" if it can."""
        if self.is_stalled():
            return "it does not answer"
        return "it cannot be read" if self._unread == self._outbox.is_spooling else ""

    async def watch(self) -> None:
        """Ask again and again. Raises StoreEnded once that is of no use any more."""
        while True:
            began = time.monotonic()
            try:
                await self.refresh()
            except StoreEnded:
                raise
            except StoreUnavailable as error:
                log.warning("cannot read the store", error=str(error))
            took = time.monotonic() - began
            await asyncio.sleep(min(max(_ASK_EVERY, _ASK_REST * took), _ASK_SELDOM))

    async def refresh(self) -> None:
        """Ask once, however long the answer takes. Raises StoreUnavailable."""
        is_spooling = self._outbox.is_spooling
        asked_at = self._asked_at = time.monotonic()
        alarm = asyncio.get_running_loop().call_later(_STALLED, self._say_stalled)
        try:
            self.backlog = await self._outbox.backlog()
            self._metrics.spooled.set(await self._outbox.spooled())
        except StoreUnavailable:
            self._unread = is_spooling
            raise
        finally:
            alarm.cancel()
            self._asked_at = inf
        now = self._answered_at = time.monotonic()
        if now - asked_at > _STALLED:
            log.warning("the store answers again", seconds=round(now - asked_at, 1))
        self._unread = None
        wall = self._outbox.now()
        self._metrics.show_backlog(_gauges(row, wall) for row in self.backlog)

    def _say_stalled(self) -> None:
        log.error("the store does not answer; webhooks are rejected", seconds=_STALLED)


def _gauges(row: Backlog, now: float) -> DestinationGauges:
    return DestinationGauges(
        row.destination.receiver,
        row.destination.notifier,
        row.waiting,
        max(0.0, now - row.oldest_accepted_at) if row.oldest_accepted_at else 0.0,
        row.dead,
        max(0.0, now - row.health.failing_since) if row.health.is_failing else 0.0,
        is_held(row.health, now),
    )


_LAG_EVERY = 0.25  # seconds between looks
_LATE = 1.0  # seconds of lag that are too many
_IN_A_ROW = 3  # looks that late before it is more than a passing stall


class LoopLag:
    """Looks again and again how much later than asked it is called."""

    def __init__(self, histogram: Histogram) -> None:
        self._histogram = histogram
        self._late = 0

    def is_late(self) -> bool:
        """Whether the lag has stayed above a second."""
        return self._late >= _IN_A_ROW

    async def watch(self) -> None:
        """Look, for as long as the router runs."""
        loop = asyncio.get_running_loop()
        due = loop.time() + _LAG_EVERY
        while True:
            await asyncio.sleep(due - loop.time())
            self.note(loop.time() - due)
            due = loop.time() + _LAG_EVERY

    def note(self, lag: float) -> None:
        """A look that came so many seconds late."""
        self._histogram.observe(max(0.0, lag))
        self._late = self._late + 1 if lag > _LATE else 0


_REST = 9.0  # times as long as writing the metrics took


@dataclass(slots=True)
class Exposition:
    """The metrics as text. Kept for ten times as long as it took to write, so that asking without
    end costs a tenth of the time, and few destinations never give an old answer."""

    until: float = 0.0
    text: bytes = b""
    writing: asyncio.Lock = field(default_factory=asyncio.Lock)

    async def read(self, site: Site) -> bytes:
        """The text, in a thread: thousands of series take a tenth of a second."""
        async with self.writing:
            if time.monotonic() >= self.until:
                site.received.flush()
                began = time.monotonic()
                self.text = await asyncio.to_thread(site.metrics.text)
                now = time.monotonic()
                self.until = now + _REST * (now - began)
            return self.text


EXPOSITION: web.AppKey[Exposition] = web.AppKey("exposition", Exposition)


async def healthy(_: web.Request) -> web.Response:
    """GET /-/healthy: the process runs and answers."""
    return web.Response(text="Alert Router is healthy.\n")


async def ready(request: web.Request) -> web.Response:
    """GET /-/ready: webhooks are accepted now."""
    site = request.app[SITE]
    if not site.serving:
        return web.Response(status=503, text="Shutting down.\n")
    if site.is_late():
        return web.Response(status=503, text="The event loop lags by more than a second.\n")
    if not site.has_room():
        text = "The disk is full: free space is below delivery.reserve.\n"
        return web.Response(status=503, text=text)
    if why := site.store_trouble():
        return web.Response(status=503, text=f"The store cannot be used: {why}.\n")
    if site.outbox.is_spooling:
        text = "Alert Router is ready. The shared store cannot be used: the spool is.\n"
        return web.Response(text=text)
    return web.Response(text="Alert Router is ready.\n")


async def metrics(request: web.Request) -> web.Response:
    """GET /metrics, in Prometheus' text format."""
    return web.Response(
        body=await request.app[EXPOSITION].read(request.app[SITE]),
        headers={"Content-Type": "text/plain; version=0.0.4; charset=utf-8"},
    )


async def reload(request: web.Request) -> web.Response:
    """POST or PUT /-/reload: read configuration, routing and runbooks again."""
    site = request.app[SITE]
    if why := from_other_site(request, site.runtime().config.http.external_url):
        return refuse(403, why)
    result = await site.reload()
    request.app[EXPOSITION].until = 0.0  # what it set shows at once
    body = {
        "status": result.status,
        "problems": [problem.as_json() for problem in result.problems],
    }
    return web.json_response(body, status=200 if result.successful else 500)
