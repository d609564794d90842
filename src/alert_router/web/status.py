"""How the router is: healthy, ready, its metrics, and the reload.

What a reload does is the service's.
"""

import asyncio
import time
from dataclasses import dataclass, field

from aiohttp import web

from alert_router.web import origin
from alert_router.web.refuse import refuse
from alert_router.web.site import SITE, Site

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
        return web.Response(status=503, text="The disk is full: webhooks are refused.\n")
    if why := site.store_trouble():
        return web.Response(status=503, text=f"The store cannot be used: {why}.\n")
    return web.Response(text="Alert Router is ready.\n")


async def metrics(request: web.Request) -> web.Response:
    """GET /metrics, in Prometheus' text format."""
    return web.Response(
        body=await request.app[EXPOSITION].read(request.app[SITE]),
        headers={"Content-Type": "text/plain; version=0.0.4; charset=utf-8"},
    )


async def reload(request: web.Request) -> web.Response:
    """POST or PUT /-/reload: read configuration, routing and runbooks anew."""
    site = request.app[SITE]
    if why := origin.from_other_site(request, site.state().external_url):
        return refuse(403, why)
    result = await site.reload()
    body = {
        "status": result.status,
        "problems": [problem.as_json() for problem in result.problems],
    }
    return web.json_response(body, status=200 if result.successful else 500)
