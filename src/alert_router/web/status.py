"""How the router is: healthy, ready, its metrics, and the reload.

What a reload does is the service's.
"""

import structlog
from aiohttp import web

from alert_router.outbox.base import StoreUnavailable
from alert_router.web.auth import refusal
from alert_router.web.site import SITE

log = structlog.get_logger(__name__)


async def healthy(_: web.Request) -> web.Response:
    """GET /-/healthy: the process runs and answers."""
    return web.Response(text="Alert Router is healthy.\n")


async def ready(request: web.Request) -> web.Response:
    """GET /-/ready: webhooks are accepted now."""
    site = request.app[SITE]
    if not site.serving:
        return web.Response(status=503, text="Shutting down.\n")
    if not site.has_room():
        return web.Response(status=503, text="The disk is full: webhooks are refused.\n")
    try:
        await site.outbox.backlog()
    except StoreUnavailable:
        return web.Response(status=503, text="The store cannot be used.\n")
    return web.Response(text="Alert Router is ready.\n")


async def metrics(request: web.Request) -> web.Response:
    """GET /metrics, in Prometheus' text format."""
    site = request.app[SITE]
    try:
        await site.refresh_metrics()
    except StoreUnavailable as error:
        # The series that need no store are the ones wanted now.
        log.warning("the backlog cannot be read", error=str(error))
    return web.Response(
        body=site.metrics.text(),
        headers={"Content-Type": "text/plain; version=0.0.4; charset=utf-8"},
    )


async def reload(request: web.Request) -> web.Response:
    """POST or PUT /-/reload: read configuration, routing and runbooks anew."""
    site = request.app[SITE]
    if refused := refusal(request, site.state().credentials):
        return refused
    result = await site.reload()
    body = {
        "status": "reloaded" if result.successful else "kept the old configuration",
        "problems": [problem.as_json() for problem in result.problems],
    }
    return web.json_response(body, status=200 if result.successful else 500)
