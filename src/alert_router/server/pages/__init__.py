"""The pages: everything that people look at in a browser."""

import asyncio
from collections.abc import Awaitable, Callable

import structlog
from aiohttp import web

from alert_router.outbox.base import StoreUnavailable
from alert_router.server.context import SITE
from alert_router.server.pages import actions, deliveries, group, now, render, runbooks
from alert_router.server.pages.context import PAGES, Pages

log = structlog.get_logger(__name__)

_FOLLOW_EVERY = 5.0  # seconds

Handle = Callable[[web.Request], Awaitable[web.StreamResponse]]


def add(
    app: web.Application,
    prefix: str,
    guarded: Callable[..., Handle],
    is_guarded: Callable[[], bool],
) -> None:
    """Add the pages below `prefix`. `guarded` makes a handler that asks for the credentials of the
    endpoints that follow it; `is_guarded` says whether everybody needs some anyway."""
    app[render.PREFIX] = prefix
    app[runbooks.RENDERED] = runbooks.Rendered()
    app[PAGES] = Pages(is_guarded)
    app.on_startup.append(_start)
    app.on_shutdown.append(_close)
    get, post = app.router.add_get, app.router.add_post
    get(f"{prefix}/", guarded(now.show, "pages"))
    get(f"{prefix}/live", guarded(now.live, "pages"))
    get(f"{prefix}/status", guarded(now.status, "pages"))
    get(f"{prefix}/deliveries", guarded(deliveries.show, "pages"))
    post(f"{prefix}/deliveries", guarded(deliveries.act, "pages", "actions"))
    get(f"{prefix}/static/{render.SCRIPT_NAME}", render.script)
    at_group = prefix + "/groups/{id:[0-9a-f-]{1,64}}"
    get(at_group, guarded(group.show, "pages"))
    get(f"{at_group}/live", guarded(group.live, "pages"))
    post(f"{at_group}/actions", guarded(actions.act, "pages", "actions"))
    get(f"{prefix}/runbooks", runbooks.to_index)
    get(f"{prefix}/runbooks/", guarded(runbooks.index, "pages"))
    get(prefix + "/runbooks/{id:.+}", guarded(runbooks.show, "pages"))


async def _start(app: web.Application) -> None:
    app[PAGES].following = asyncio.create_task(_follow(app))


async def _follow(app: web.Application) -> None:
    """Keep the board up to date, so that nobody who looks waits for it."""
    pages = app[PAGES]
    while True:
        try:
            await pages.board.catch_up(app[SITE], pages.aside)
        except StoreUnavailable:
            pass  # the status says so
        except Exception:
            log.exception("the page of what fires could not be brought up to date")
        await asyncio.sleep(_FOLLOW_EVERY)


async def _close(app: web.Application) -> None:
    if (following := app[PAGES].following) is not None:
        following.cancel()
    app[PAGES].live.close()
    app[PAGES].aside.close()
