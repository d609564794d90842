"""The first page: what fires now. And the state of the router: destinations, store, problems."""

from collections import Counter
from dataclasses import dataclass
from importlib.metadata import version
from operator import methodcaller

from aiohttp import web

from alert_router.outbox.actions import Action
from alert_router.outbox.base import StoreUnavailable
from alert_router.outbox.model import Backlog, DeliveryRow, State
from alert_router.server.context import SITE, Site
from alert_router.server.pages.board import FiringGroup
from alert_router.server.pages.context import PAGES, stream
from alert_router.server.pages.episodes import Done, clock
from alert_router.server.pages.render import TONES, answer, page, part, top, unless_known

_ON_A_PAGE = 50
_MOST_ACTIONS = 10_000


@dataclass(frozen=True, slots=True)
class Row:
    """A group on the page, with how many deliveries of its latest notification are in which state,
    and what people did."""

    group: FiringGroup
    tone: str
    began: str
    states: str
    is_dead: bool
    done: str


async def show(request: web.Request) -> web.Response:
    """GET /: with `?page=2` the next fifty."""
    number = _number(request)
    try:
        parts, total = await _parts(request, number)
    except StoreUnavailable:
        return answer(page("error.html", top(request), text="The store cannot be read."), 503)
    text = page(
        "now.html",
        top(request),
        parts=parts,
        total=total,
        number=number,
        last=max(1, -(-total // _ON_A_PAGE)),
        live=f"live?page={number}",
    )
    return unless_known(request, answer(text, scripts=True))


async def live(request: web.Request) -> web.StreamResponse:
    """GET /live: what changes on that page."""
    number = _number(request)

    async def make() -> dict[str, str]:
        return (await _parts(request, number))[0]

    return await stream(request, ("now", number), make)


def _number(request: web.Request) -> int:
    text = request.query.get("page", "1")
    return max(1, int(text)) if text.isascii() and text.isdigit() and len(text) < 6 else 1


async def _parts(request: web.Request, number: int) -> tuple[dict[str, str], int]:
    """The parts of a page by id, and how many groups there are."""
    site, pages = request.app[SITE], request.app[PAGES]
    await pages.board.catch_up(site, pages.aside)
    groups = pages.board.ordered()
    shown = groups[(number - 1) * _ON_A_PAGE : number * _ON_A_PAGE]
    rows = await _rows(site, shown)
    made = {"banners": part("div", "banners", banners=await _banners(site))}
    for row in rows:
        id_ = f"group-{row.group.identity.hex()}"
        made[id_] = part("li", "row", id_=id_, row=row, root=top(request))
    return made, len(groups)


async def _rows(site: Site, shown: list[FiringGroup]) -> list[Row]:
    done: dict[bytes, list[Action]] = {}
    if shown:
        since = min(group.began for group in shown)
        kept = await site.ask(lambda store: store.actions_since(since, _MOST_ACTIONS))
        for identity, action in kept:
            done.setdefault(identity, []).append(action)
    rows = []
    for group in shown:
        sent = await site.ask(methodcaller("of_group", group.id))
        actions = [it for it in done.get(group.identity, ()) if it.at >= group.began]
        states, is_dead = _states(sent)
        rows.append(
            Row(group, TONES[group.level], clock(group.began), states, is_dead, _done(actions))
        )
    return rows


def _states(rows: list[DeliveryRow]) -> tuple[str, bool]:
    words = {State.DELIVERED: "sent", State.WAITING: "pending", State.DEAD: "dead"}
    counts = Counter(row.state for row in rows)
    text = ", ".join(f"{counts[state]} {word}" for state, word in words.items() if counts[state])
    return text, counts[State.DEAD] > 0


def _done(actions: list[Action]) -> str:
    done = Done.of(actions)
    taken = f"{done.taken.who} has it" if done.taken else ""
    return ", ".join(filter(None, (taken, f"{len(done.ticks)} done" if done.ticks else "")))


async def _banners(site: Site) -> list[str]:
    """What is wrong with the router."""
    found = []
    if trouble := site.store_trouble():
        found.append(f"The store cannot be used: {trouble}.")
    if site.runtime().catalogue.unavailable:
        found.append("The runbook directory is unavailable; the old runbooks are in use.")
    for row in await site.ask(lambda store: store.backlog()):
        name = f"{row.destination.receiver}/{row.destination.notifier}"
        if row.health.is_failing:
            since = clock(row.health.failing_since)
            found.append(f"{name} is failing since {since} UTC: {row.health.message}")
        if row.dead:
            found.append(f"{name}: {row.dead} dead letters")
    return found


@dataclass(frozen=True, slots=True)
class Destination:
    """A destination's state in words."""

    name: str
    state: str
    tone: str
    waiting: int
    dead: int
    is_configured: bool


async def status(request: web.Request) -> web.Response:
    """GET /status: destinations, store, problems of the configuration, version."""
    site = request.app[SITE]
    runtime = site.runtime()
    try:
        backlog = await site.ask(lambda store: store.backlog())
        trouble = site.store_trouble()
    except StoreUnavailable as error:
        backlog, trouble = [], str(error)
    known = {row.destination: row for row in backlog}
    names = sorted({*known, *runtime.notifiers}, key=lambda it: (it.receiver, it.notifier))
    text = page(
        "status.html",
        top(request),
        destinations=[
            _destination(f"{it.receiver}/{it.notifier}", known.get(it), it in runtime.notifiers)
            for it in names
        ],
        trouble=trouble,
        runbooks=len(runtime.catalogue.runbooks),
        broken=sorted(runtime.catalogue.broken),
        problems=runtime.problems,
        version=version("alert-router"),
        live="",
    )
    return answer(text, scripts=True)


def _destination(name: str, row: Backlog | None, is_configured: bool) -> Destination:
    if row is None:
        return Destination(name, "nothing was sent yet", "", 0, 0, is_configured)
    if row.health.is_failing:
        since = clock(row.health.failing_since)
        state = f"failing since {since} UTC: {row.health.reason} {row.health.message}"
        return Destination(name, state, "bad", row.waiting, row.dead, is_configured)
    return Destination(name, "working", "good", row.waiting, row.dead, is_configured)
