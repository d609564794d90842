"""The pages: everything that people look at in a browser."""

from collections.abc import Awaitable, Callable

from aiohttp import web

from alert_router.server.pages import (
    actions,
    coverage,
    deliveries,
    explain,
    group,
    now,
    render,
    runbooks,
    status,
)
from alert_router.server.pages.context import PAGES, Pages

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
    app.on_shutdown.append(_close)
    get, post = app.router.add_get, app.router.add_post
    get(f"{prefix}/", guarded(now.show, "pages"))
    # Not for HEAD: a stream ends only when its reader goes away.
    get(f"{prefix}/live", guarded(now.live, "pages"), allow_head=False)
    get(f"{prefix}/status", guarded(status.show, "pages"))
    get(f"{prefix}/coverage", guarded(coverage.show, "pages"))
    get(f"{prefix}/coverage/rules", guarded(coverage.show_rules, "pages"))
    get(f"{prefix}/coverage/new", guarded(coverage.new, "pages"))
    get(f"{prefix}/explain", guarded(explain.show, "pages"))
    post(f"{prefix}/explain", guarded(explain.ask, "pages"))
    get(f"{prefix}/deliveries", guarded(deliveries.show, "pages"))
    get(prefix + "/deliveries/{id:[0-9]{1,18}}", guarded(deliveries.show_one, "pages"))
    post(f"{prefix}/deliveries", guarded(deliveries.act, "pages", "actions"))
    get(f"{prefix}/static/{render.SCRIPT_NAME}", render.script)
    at_group = prefix + "/groups/{id:[0-9a-f-]{1,64}}"
    get(at_group, guarded(group.show, "pages"))
    get(f"{at_group}/live", guarded(group.live, "pages"), allow_head=False)
    post(f"{at_group}/actions", guarded(actions.act, "pages", "actions"))
    # The link itself is what lets people in.
    get(prefix + "/act/{token}", actions.show_link)
    post(prefix + "/act/{token}", actions.act_by_link)
    get(f"{prefix}/runbooks", runbooks.to_index)
    get(f"{prefix}/runbooks/", guarded(runbooks.index, "pages"))
    get(prefix + "/runbooks/{id:.+}", guarded(runbooks.show, "pages"))


async def unknown(request: web.Request, handler: Handle) -> web.StreamResponse:
    """The answer to a request that no route takes: a page for a browser, else what `handler`
    raises."""
    error = request.match_info.http_exception
    accepts = "text/html" in request.headers.get("Accept", "")
    if error is None or request.method not in ("GET", "HEAD") or not accepts:
        return await handler(request)
    prefix = request.app[render.PREFIX]
    text = "There is no such page."
    if error.status == 405:
        text = "This is not a page. Alertmanager posts alerts to /webhook."
    if not request.path.startswith(f"{prefix}/"):
        text = f"This router serves everything below {prefix}/\n"
        made = web.Response(status=error.status, text=text)
    else:
        shown = render.page("error.html", render.top(request), text=text)
        made = render.answer(shown, error.status)
    if "Allow" in error.headers:
        made.headers["Allow"] = error.headers["Allow"]
    return made


async def _close(app: web.Application) -> None:
    app[PAGES].close()
