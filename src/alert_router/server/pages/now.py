"""The first page: what fires now, and what is wrong with the router."""

from contextlib import suppress
from dataclasses import dataclass
from itertools import groupby
from operator import methodcaller

from aiohttp import web

from alert_router.deliver.progress import Done
from alert_router.outbox.base import StoreUnavailable
from alert_router.outbox.model import Action, DeliveryRow, State
from alert_router.runbook.model import Runbook
from alert_router.server.context import SITE, Site
from alert_router.server.pages.board import HOURS, Board, FiringGroup, hour_of
from alert_router.server.pages.context import PAGES, stream
from alert_router.server.pages.episodes import clock
from alert_router.server.pages.render import TONES, answer, page, part, steps_of, top, unless_known

_ON_A_PAGE = 50
_MOST_ACTIONS = 10_000
_MOST_NAMES = 3


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
    hours: "Hours"


@dataclass(frozen=True, slots=True)
class Hours:
    """The last 24 hours of a group: blocks as the path of a picture, and in words."""

    path: str
    words: str

    @classmethod
    def of(cls, bits: int, hour: int) -> "Hours":
        """From the bits of FiringHours as of an hour."""
        fired = [bits >> back & 1 for back in reversed(range(HOURS))]
        blocks = ("0h5v10h-5z" if it else "9h5v1h-5z" for it in fired)
        path = "".join(f"M{6 * at} {block}" for at, block in enumerate(blocks))
        spans, at = [], 0
        for is_fired, run in groupby(fired):
            begin, at = at, at + len(list(run))
            if is_fired:
                start, end = ((hour - HOURS + 1 + it) % 24 for it in (begin, at))
                spans.append(
                    f"{start:02}:00 to {end:02}:00" if at < HOURS else f"{start:02}:00 to now"
                )
        return cls(path, f"Fired in the last 24 hours, UTC: {', '.join(spans) or 'not at all'}")


async def show(request: web.Request) -> web.Response:
    """GET /: with `?page=2` the next fifty."""
    number = _number(request)
    parts, total = await _parts(request, number)
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
    """The parts of a page by id, and how many groups there are. While the store cannot be read,
    they are of what was read before."""
    site, pages = request.app[SITE], request.app[PAGES]
    board, banners = pages.board, []
    is_all_read = True
    # First the spool: what is moved meanwhile is found in both.
    is_spooling, left = site.outbox.is_spooling, site.outbox.spooled_identities
    spooled = pages.spooled_in(site.outbox.outages)
    if is_spooling or left:
        with suppress(StoreUnavailable):
            is_all_read = await spooled.catch_up(site, pages.aside)
    try:
        is_all_read &= await board.catch_up(site, pages.aside)
    except StoreUnavailable:
        read_at = f"what is shown is as of {clock(board.read_at)} UTC" if board.read_at else ""
        banners.append(f"The store cannot be read: {read_at or 'nothing was read yet'}.")
    if not is_all_read:
        banners.append("Reading what fires: more groups follow.")
    if is_spooling:
        board = board.with_later(spooled)
    elif left:
        board = board.with_later(spooled.only(left))
    groups = board.ordered()
    shown = groups[(number - 1) * _ON_A_PAGE : number * _ON_A_PAGE]
    try:
        rows = await _rows(site, board, shown)
        banners += await _banners(site)
    except StoreUnavailable:
        rows = [_row(site, board, group, [], []) for group in shown]
        banners += _own_banners(site)
    return await pages.aside.run(_made, banners, rows, top(request)), len(groups)


def _made(banners: list[str], rows: list[Row], root: str) -> dict[str, str]:
    made = {"banners": part("div", "banners", banners=banners, root=root)}
    for row in rows:
        id_ = f"group-{row.group.identity.hex()}"
        made[id_] = part("li", "row", id_=id_, row=row, root=root)
    return made


async def _rows(site: Site, board: Board, shown: list[FiringGroup]) -> list[Row]:
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
        rows.append(_row(site, board, group, sent, actions))
    return rows


def _row(
    site: Site,
    board: Board,
    group: FiringGroup,
    sent: list[DeliveryRow],
    actions: list[Action],
) -> Row:
    hour = hour_of(site.outbox.now())
    hours = board.hours.get(group.identity)
    states, is_dead = _states(sent)
    return Row(
        group=group,
        tone=TONES[group.level],
        began=clock(group.began),
        states=states,
        is_dead=is_dead,
        done=_done(actions, site.runtime().catalogue.get(group.runbook)),
        hours=Hours.of(hours.until(hour).bits if hours else 1, hour),
    )


def _states(rows: list[DeliveryRow]) -> tuple[str, bool]:
    """How many deliveries are in which state, by destination where it is not sent."""
    words = {State.DELIVERED: "sent", State.WAITING: "pending", State.DEAD: "dead"}
    texts = []
    for state, word in words.items():
        names = [
            f"{it.receiver}/{it.notifier}"
            for it in (row.destination for row in rows if row.state is state)
        ]
        if names:
            more = f" and {len(names) - _MOST_NAMES} more" if len(names) > _MOST_NAMES else ""
            where = (
                f" ({', '.join(names[:_MOST_NAMES])}{more})" if state is not State.DELIVERED else ""
            )
            texts.append(f"{len(names)} {word}{where}")
    return ", ".join(texts), any(row.state is State.DEAD for row in rows)


def _done(actions: list[Action], runbook: Runbook | None) -> str:
    """Who has it, and how many steps are done, of how many if all are of the one runbook."""
    done = Done.of(actions)
    taken = f"{done.taken.who} has it" if done.taken else ""
    steps, count = "", len(done.ticks)
    if count:
        keys = {key for key, _ in steps_of(runbook)} if runbook else set()
        total = f" of {len(keys)}" if all(key in keys for _, key in done.ticks) else ""
        steps = f"{count}{total} done"
    return ", ".join(filter(None, (taken, steps)))


async def _banners(site: Site) -> list[str]:
    """What is wrong with the router, and with its destinations. Raises StoreUnavailable."""
    found = _own_banners(site)
    for row in await site.ask(lambda store: store.backlog()):
        name = f"{row.destination.receiver}/{row.destination.notifier}"
        if row.health.is_failing:
            since = clock(row.health.failing_since)
            found.append(f"{name} is failing since {since} UTC: {row.health.message}")
        if row.dead:
            found.append(f"{name}: {row.dead:,} dead letter{'s' if row.dead > 1 else ''}")
    return found


def _own_banners(site: Site) -> list[str]:
    found = []
    if trouble := site.store_trouble():
        found.append(f"The store cannot be used: {trouble}.")
    if site.outbox.is_spooling:
        found.append(
            "The shared store cannot be used. Alerts are accepted and sent from this machine; those"
            " that other routers accept are not listed here until it can be used again."
        )
    if not site.has_room():
        way = "delivered without being stored" if site.outbox.is_shared else "rejected"
        found.append(f"The disk is full: webhooks are {way}.")
    for name, at in site.missing_heartbeats().items():
        found.append(
            f"No heartbeat from Alertmanager {name} since {clock(at)} UTC: alerts may be missing."
        )
    last = site.last_reload
    if last is not None and not last.result.successful:
        found.append(f"The reload at {clock(last.at)} UTC failed: {last.result.status}.")
    elif site.runtime().catalogue.unavailable:
        found.append("The runbook directory is unavailable; the old runbooks are in use.")
    return found
