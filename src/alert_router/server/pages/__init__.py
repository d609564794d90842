"""The pages: everything that people look at in a browser."""

from collections.abc import Awaitable, Callable

from aiohttp import web

from alert_router.server.pages import group, render, runbooks
from alert_router.server.pages.context import PAGES, Pages

Handle = Callable[[web.Request], Awaitable[web.StreamResponse]]


def add(app: web.Application, prefix: str, guarded: Callable[..., Handle]) -> None:
    """Add the pages below `prefix`. `guarded` makes a handler that asks for the credentials of the
    endpoints that follow it."""
    app[render.PREFIX] = prefix
    app[runbooks.RENDERED] = runbooks.Rendered()
    app[PAGES] = Pages()
    app.on_cleanup.append(_close)
    get = app.router.add_get
    get(f"{prefix}/static/{render.SCRIPT_NAME}", render.script)
    get(prefix + "/groups/{id:[0-9a-f-]{1,64}}", guarded(group.show, "pages"))
    get(f"{prefix}/runbooks", runbooks.to_index)
    get(f"{prefix}/runbooks/", guarded(runbooks.index, "pages"))
    get(prefix + "/runbooks/{id:.+}", guarded(runbooks.show, "pages"))


async def _close(app: web.Application) -> None:
    app[PAGES].aside.close()
