"""The HTTP surface: which path is answered by what."""

import asyncio
from collections.abc import Awaitable, Callable

from aiohttp import web

from alert_router.server import pages, status
from alert_router.server.api import (
    RECENT,
    RESOLVING,
    Recent,
    deliveries,
    description,
    observed,
    resolve,
    runbooks,
    show_group,
    show_runbook,
    usage,
)
from alert_router.server.context import SITE, Site
from alert_router.server.requests import refusal
from alert_router.server.web import WebServer
from alert_router.server.webhook import known_paths, receive


def build(site: Site, server: WebServer) -> web.Application:
    """The application, ready to be run."""
    app = web.Application(middlewares=[server.middleware(), known_paths])
    app.on_response_prepare.append(server.add_headers)
    app[SITE] = site
    app[status.EXPOSITION] = status.Exposition()
    app[RECENT] = Recent()
    app[RESOLVING] = asyncio.Lock()
    prefix = server.flags.route_prefix
    for method in ("POST", "PUT"):
        app.router.add_route(method, f"{prefix}/webhook", receive)
        # Slashes too many are tolerated: Alertmanager drops what is answered 404.
        slashes = "/{slashes:/*}webhook{receiver:(?s:(?:/.*)?)}"
        app.router.add_route(method, prefix + slashes, receive)
        app.router.add_route(method, f"{prefix}/-/reload", guarded(status.reload, "reload"))
    app.router.add_get(f"{prefix}/-/healthy", status.healthy)
    app.router.add_get(f"{prefix}/-/ready", status.ready)
    app.router.add_get(f"{prefix}/metrics", guarded(status.metrics, "metrics"))
    api = f"{prefix}/api/v1"
    app.router.add_get(f"{api}/openapi.json", description)
    app.router.add_get(f"{api}/coverage", guarded(observed, "api"))
    app.router.add_get(f"{api}/resolve", guarded(resolve, "api"))
    app.router.add_get(f"{api}/runbooks", guarded(runbooks, "api"))
    app.router.add_get(api + "/runbooks/{id:(?s:.+)}/usage", guarded(usage, "api"))
    app.router.add_get(api + "/runbooks/{id:(?s:.+)}", guarded(show_runbook, "api"))
    # What destinations answered is for those who may post, as well as for those who may read.
    app.router.add_get(f"{api}/deliveries", guarded(deliveries, "api", "webhook"))
    app.router.add_get(api + "/groups/{id:(?s:.+)}", guarded(show_group, "api", "webhook"))
    pages.add(app, prefix, guarded, lambda: server.is_guarded)
    return app


Handle = Callable[[web.Request], Awaitable[web.StreamResponse]]


def guarded(handle: Handle, *endpoints: str) -> Handle:
    """The handler for those only who have the credentials, where one of these is protected."""

    async def checked(request: web.Request) -> web.StreamResponse:
        if refused := refusal(request, request.app[SITE].runtime().config.http.auth, *endpoints):
            return refused
        return await handle(request)

    return checked
