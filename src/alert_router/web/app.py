"""The HTTP surface: which path is answered by what."""

from aiohttp import web

from alert_router.web import coverage, groups, intake, pages, status
from alert_router.web.patience import Patience
from alert_router.web.site import SITE, Site


def build(site: Site, patience: Patience) -> web.Application:
    """The application, ready to be run."""
    app = web.Application(middlewares=[patience.middleware()])
    app[SITE] = site
    app[coverage.RECENT] = coverage.Recent()
    for method in ("POST", "PUT"):
        app.router.add_route(method, "/webhook", intake.receive)
        app.router.add_route(method, "/webhook/{receiver:(?s:.+)}", intake.receive)
        app.router.add_route(method, "/-/reload", status.reload)
    app.router.add_get("/-/healthy", status.healthy)
    app.router.add_get("/-/ready", status.ready)
    app.router.add_get("/metrics", status.metrics)
    app.router.add_get("/api/v1/coverage", coverage.observed)
    app.router.add_get("/api/v1/groups/{id:[0-9a-f-]{1,64}}", groups.show)
    app.router.add_get("/runbooks", pages.to_index)
    app.router.add_get("/runbooks/", pages.index)
    app.router.add_get("/runbooks/{id:.+}", pages.show)
    return app
