"""The HTTP surface: which path is answered by what."""

from collections.abc import Awaitable, Callable

from aiohttp import web

from alert_router.server import pages, status
from alert_router.server.api import RECENT, Recent, observed, show_group
from alert_router.server.auth import refusal
from alert_router.server.context import SITE, Site
from alert_router.server.errors import on_prepare
from alert_router.server.webhook import known_paths, receive


def build(site: Site) -> web.Application:
    """The application, ready to be run."""
    app = web.Application(middlewares=[known_paths])
    app.on_response_prepare.append(on_prepare)
    app[SITE] = site
    app[status.EXPOSITION] = status.Exposition()
    app[pages.RENDERED] = pages.Rendered()
    app[RECENT] = Recent()
    for method in ("POST", "PUT"):
        app.router.add_route(method, "/webhook", receive)
        # Slashes too many are tolerated: Alertmanager drops what is answered 404.
        app.router.add_route(method, "/{slashes:/*}webhook{receiver:(?s:(?:/.*)?)}", receive)
        app.router.add_route(method, "/-/reload", guarded(status.reload, "reload"))
    app.router.add_get("/-/healthy", status.healthy)
    app.router.add_get("/-/ready", status.ready)
    app.router.add_get("/metrics", guarded(status.metrics, "metrics"))
    app.router.add_get("/api/v1/coverage", guarded(observed, "api"))
    # What destinations answered is for those who may post, as well as for those who may read.
    app.router.add_get("/api/v1/groups/{id:[0-9a-f-]{1,64}}", guarded(show_group, "api", "webhook"))
    app.router.add_get("/runbooks", pages.to_index)
    app.router.add_get("/runbooks/", guarded(pages.index, "pages"))
    app.router.add_get("/runbooks/{id:.+}", guarded(pages.show, "pages"))
    return app


Handle = Callable[[web.Request], Awaitable[web.StreamResponse]]


def guarded(handle: Handle, *endpoints: str) -> Handle:
    """The handler for those only who have the credentials, where one of these is protected."""

    async def checked(request: web.Request) -> web.StreamResponse:
        if refused := refusal(request, request.app[SITE].runtime().config.http.auth, *endpoints):
            return refused
        return await handle(request)

    return checked
