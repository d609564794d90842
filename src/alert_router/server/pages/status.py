"""The state of the router: destinations, store, reloads, problems of the configuration."""

from dataclasses import dataclass
from importlib.metadata import version

from aiohttp import web

from alert_router.outbox.base import StoreUnavailable
from alert_router.outbox.model import Backlog, Destination
from alert_router.server.context import SITE, Site
from alert_router.server.pages.episodes import clock
from alert_router.server.pages.render import answer, page, top


@dataclass(frozen=True, slots=True)
class ShownDestination:
    """A destination's state in words; `last` is when it last took a message."""

    destination: Destination
    state: str
    tone: str
    last: str
    waiting: int
    dead: int
    is_configured: bool


async def show(request: web.Request) -> web.Response:
    """GET /status."""
    site = request.app[SITE]
    runtime = site.runtime()
    backlog: list[Backlog] = []
    successes: dict[Destination, float] = {}
    try:
        backlog = await site.ask(lambda store: store.backlog())
        successes = await site.ask(lambda store: store.last_successes())
        spooled = await site.ask(lambda store: store.spooled())
        trouble = site.store_trouble()
    except StoreUnavailable as error:
        trouble, spooled = str(error), 0
    known = {row.destination: row for row in backlog}
    names = sorted({*known, *runtime.notifiers}, key=lambda it: (it.receiver, it.notifier))
    last = site.last_reload
    text = page(
        "status.html",
        top(request),
        destinations=[
            _destination(it, known.get(it), successes.get(it), it in runtime.notifiers)
            for it in names
        ],
        trouble=trouble,
        store=site.storage.shown,
        spool=spool_state(site, spooled),
        heartbeats={name: clock(at) for name, at in site.missing_heartbeats().items()},
        has_heartbeats=bool(runtime.config.heartbeats),
        started=clock(site.started_at),
        reloaded=clock(last.at) if last else "",
        last=last.result if last else None,
        runbooks=len(runtime.catalogue.runbooks),
        broken=sorted(runtime.catalogue.broken),
        problems=runtime.problems,
        version=version("alert-router"),
        live="",
    )
    return answer(text, scripts=True)


def spool_state(site: Site, spooled: int) -> str:
    """How the spool beside a shared store is; "" where there is none."""
    if not site.storage.url:
        return ""
    state = "in use, since the store cannot be used" if site.outbox.is_spooling else "not in use"
    hint = ": on its machine, `alert-router deliveries list --storage sqlite:////FILE` lists them"
    text = f"{state}; {spooled} pending in it" + hint * (spooled > 0)
    if reasons := list(site.outbox.unmovable.values()):
        text += f"; {len(reasons)} alert groups cannot be moved into the store: {reasons[0]}"
    return text


def _destination(
    to: Destination, row: Backlog | None, success: float | None, is_configured: bool
) -> ShownDestination:
    last = f"{clock(success)} UTC" if success is not None else ""
    if row is None:
        return ShownDestination(to, "nothing was sent yet", "", last, 0, 0, is_configured)
    state, tone = "working", "good"
    if row.health.is_failing:
        since = clock(row.health.failing_since)
        state = f"failing since {since} UTC: {row.health.reason} {row.health.message}"
        tone = "bad"
    return ShownDestination(to, state, tone, last, row.waiting, row.dead, is_configured)
