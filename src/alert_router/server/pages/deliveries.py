"""The deliveries: filtered, each with its message; and replayed or discarded, once confirmed."""

import asyncio
from collections import Counter
from collections.abc import Mapping
from contextlib import suppress
from datetime import UTC, datetime
from urllib.parse import urlencode

import structlog
from aiohttp import web

from alert_router.notify.base import Reason
from alert_router.outbox.base import StoreUnavailable
from alert_router.outbox.model import (
    Claim,
    DeliveryFilter,
    DeliveryRow,
    State,
    WaitingGroup,
)
from alert_router.preview.messages import ShownMessage, preview_claim, shown_message
from alert_router.runtime import Runtime
from alert_router.server.context import SITE, Site
from alert_router.server.pages.context import PAGES
from alert_router.server.pages.episodes import clock
from alert_router.server.pages.people import (
    ActionRefused,
    Person,
    clean_name,
    may_administrate,
    person,
    read_form,
    remember,
)
from alert_router.server.pages.render import answer, page, top
from alert_router.server.pages.status import spool_state
from alert_router.server.requests import basic_credentials

log = structlog.get_logger(__name__)

_ON_A_PAGE = 100
_AT_ONCE = 500  # deliveries that one confirmation replays or discards
_MOST_FOUND = 10_000  # deliveries that a filter may choose for that
_LISTED = 50  # of them, before the question
_MESSAGE_SECONDS = 10.0
_LATEST = 32_503_680_000.0  # the year 3000
_TEXT_FIELDS = ("receiver", "notifier", "reason")
NOT_ALLOWED = (
    "To replay and discard here, add actions to http.auth.protect, set http.people, or name users"
    " in the web configuration."
)
# The states of what can be replayed or discarded.
VERBS = {
    "replay": (State.DEAD, State.DELIVERED),
    "discard": (State.DEAD, State.WAITING),
}
_REASONS = [*(it.value for it in Reason), "send_resolved", "min_severity"]
_NO_STORE = "The store cannot be read."


async def show(request: web.Request) -> web.Response:
    """GET /deliveries: newest first, by `state`, `receiver`, `notifier`, `reason`, and accepted
    `from` and `until`."""
    site, query, who = request.app[SITE], request.query, person(request)
    text = query.get("before", "")
    before = int(text) if is_number(text) else None
    try:
        wanted = read_filter(query)
        rows = await site.ask(
            lambda store: store.deliveries(wanted, limit=_ON_A_PAGE, before=before)
        )
        backlog = await site.ask(lambda store: store.backlog())
        spooled = await site.ask(lambda store: store.spooled())
    except ValueError as error:
        return answer(page("error.html", top(request), text=str(error)), 400)
    except StoreUnavailable:
        return answer(page("error.html", top(request), text=_NO_STORE), 503)
    known = {*site.runtime().notifiers, *(row.destination for row in backlog)}
    fields = fields_of(wanted)
    made = page(
        "deliveries.html",
        top(request),
        rows=rows,
        spool=spool_state(site, spooled) if spooled or site.outbox.is_spooling else "",
        older=urlencode(fields | {"before": rows[-1].id}) if len(rows) == _ON_A_PAGE else "",
        choices={
            "state": [it.value for it in State],
            "receiver": sorted({it.receiver for it in known}),
            "notifier": sorted({it.notifier for it in known}),
            "reason": _REASONS,
        },
        fields=fields,
        verbs=[verb for verb, states in VERBS.items() if wanted.state in states and rows],
        **management(request, who),
    )
    found = answer(made, scripts=True)
    remember(request, found, who)
    return found


async def show_one(request: web.Request) -> web.Response:
    """GET /deliveries/{id}: a delivery, and its message as it would be made now."""
    site, who, number = request.app[SITE], person(request), int(request.match_info["id"])
    try:
        found = await site.ask(lambda store: store.show(number))
    except StoreUnavailable:
        return answer(page("error.html", top(request), text=_NO_STORE), 503)
    if found is None:
        text = "There is no such delivery, or it was deleted after its time."
        return answer(page("error.html", top(request), text=text), 404)
    row, body = found
    message, why_none = None, ""
    try:
        async with asyncio.timeout(_MESSAGE_SECONDS):
            message = await request.app[PAGES].aside.run(_message, row, body, site.runtime())
            why_none = "" if message else "Its destination is not configured any more."
    except TimeoutError:
        why_none = "The message takes too long to be made."
    except Exception as error:  # a template or a body of an earlier version
        log.exception("the message of a delivery could not be made", delivery=number)
        why_none = f"The message cannot be made: {type(error).__name__}."
    made = page(
        "delivery.html",
        top(request),
        row=row,
        message=message,
        why_none=why_none,
        **management(request, who),
    )
    answered = answer(made, scripts=True)
    remember(request, answered, who)
    return answered


def management(request: web.Request, who: Person) -> dict[str, object]:
    """What each page that offers to replay and discard needs besides."""
    return {
        "may": may_administrate(request, who, request.app[PAGES].is_guarded()),
        "not_allowed": NOT_ALLOWED,
        "who": who,
        "clock": clock,
        "verbs_of": lambda row: [verb for verb, states in VERBS.items() if row.state in states],
        "live": "",
    }


# Filters


def read_filter(query: Mapping[str, object]) -> DeliveryFilter:
    """The filter that a query or a form has. Raises ValueError for an invalid time."""
    texts = {name: str(query.get(name, ""))[:1000] for name in _TEXT_FIELDS}
    state = next((it for it in State if it.value == query.get("state")), None)
    since, until = (_time(str(query.get(name, "")), name) for name in ("from", "until"))
    return DeliveryFilter(state, **texts, since=since, until=until)


def _time(text: str, name: str) -> float | None:
    if not text:
        return None
    with suppress(ValueError, OverflowError):
        moment = datetime.fromisoformat(text)
        at = (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp()
        if 0 <= at < _LATEST:
            return at
    raise ValueError(f"{name}: expected a time such as 2026-11-23T10:00, in UTC")


def fields_of(wanted: DeliveryFilter) -> dict[str, str]:
    """The fields of a form or query that `read_filter` reads."""
    moments = {
        name: datetime.fromtimestamp(at, UTC).strftime("%Y-%m-%dT%H:%M:%S")
        if at is not None
        else ""
        for name, at in (("from", wanted.since), ("until", wanted.until))
    }
    texts = {name: getattr(wanted, name) for name in _TEXT_FIELDS}
    return {"state": wanted.state.value if wanted.state else "", **texts, **moments}


def is_number(text: str) -> bool:
    return text.isascii() and text.isdigit() and len(text) < 19


# Messages


def _message(row: DeliveryRow, body: bytes, runtime: Runtime) -> ShownMessage | None:
    """The message of a delivery as it would be made now, of its group alone; None where its
    destination is not configured."""
    notifier = runtime.notifiers.get(row.destination)
    if notifier is None:
        return None
    group = WaitingGroup(row.id, row.group, body, row.fingerprints, row.accepted_at)
    claim = Claim(row.group, 0, 0, row.destination, (group,), attempt=1)
    return shown_message(preview_claim(claim, notifier, runtime))


async def act(request: web.Request) -> web.Response:
    """POST /deliveries: `do` is `replay ID`, `discard ID`, or the verb with `matching` for what the
    filter in the form chooses. That is asked first; `do` is then `replay`, with `ids`."""
    site, who = request.app[SITE], person(request)
    try:
        form = await read_form(request, who)
        if not may_administrate(request, who, request.app[PAGES].is_guarded()):
            raise ActionRefused(NOT_ALLOWED)
        verb, _, which = form.get("do", "").partition(" ")
        if verb not in VERBS:
            raise ActionRefused("There is no such action.")
        wanted = read_filter(form)
        if form.get("sure"):
            ids = form.get("ids", "").split()
            if which or not ids or len(ids) > _AT_ONCE or not all(map(is_number, ids)):
                raise ActionRefused("There is no such action.")
            return await _carry_out(request, verb, list(map(int, ids)), who, wanted)
        return await _confirm(request, verb, await _chosen(site, verb, which, wanted), who, wanted)
    except ActionRefused as error:
        return answer(page("error.html", top(request), text=str(error)), 403)
    except (LookupError, ValueError) as error:
        return answer(page("error.html", top(request), text=str(error.args[0])), 409)
    except StoreUnavailable:
        return answer(page("error.html", top(request), text="The store cannot be written."), 503)


async def _chosen(site: Site, verb: str, which: str, wanted: DeliveryFilter) -> list[DeliveryRow]:
    """The deliveries to ask about, oldest first: a lane is replayed in its order."""
    if site.outbox.is_spooling:  # its ids are not those of the shared store
        raise StoreUnavailable("the shared store cannot be used")
    if which == "matching":
        if wanted.state not in VERBS[verb]:
            raise ValueError("Choose a state first.")
        rows = await site.ask(lambda store: store.deliveries(wanted, limit=_MOST_FOUND + 1))
        if not rows:
            raise LookupError("No delivery matches any more.")
        if len(rows) > _MOST_FOUND:
            raise ValueError(
                f"More than {_MOST_FOUND:,} deliveries match: choose a shorter time, or use"
                " `alert-router deliveries`."
            )
        return rows[::-1]
    if not is_number(which):
        raise ActionRefused("There is no such action.")
    found = await site.ask(lambda store: store.show(int(which)))
    if found is None:
        raise LookupError(f"there is no delivery {which}")
    return [found[0]]


async def _confirm(
    request: web.Request, verb: str, rows: list[DeliveryRow], who: Person, wanted: DeliveryFilter
) -> web.Response:
    chosen = rows[:_AT_ONCE]
    counts = Counter(row.destination for row in chosen)
    text = page(
        "confirm.html",
        top(request),
        verb=verb,
        matching=len(rows),
        ids=" ".join(str(row.id) for row in chosen),
        count=len(chosen),
        counts=counts.most_common(_LISTED),
        rows=chosen[:_LISTED],
        fields=fields_of(wanted),
        back=_back(wanted),
        **management(request, who),
    )
    return answer(text, scripts=True)


async def _carry_out(
    request: web.Request, verb: str, ids: list[int], who: Person, wanted: DeliveryFilter
) -> web.Response:
    site, failed = request.app[SITE], dict[int, str]()
    for delivery in ids:
        try:
            if verb == "discard":
                await _discard(site, delivery)
            else:
                await _replay(site, delivery)
        except (LookupError, ValueError) as error:
            failed[delivery] = str(error.args[0])
        except StoreUnavailable as error:
            failed[delivery] = f"the store cannot be written: {error}"
            break
    tried = ids[: ids.index(delivery) + 1]
    done = [delivery for delivery in tried if delivery not in failed]
    user = clean_name(basic_credentials(request)[0])  # checked before, if any is asked for
    name = who.name if who.is_certain else user or who.name
    log.info(
        "deliveries changed on a page", action=verb, deliveries=done, failed=[*failed], who=name
    )
    if len(ids) == 1 and not failed:
        return web.Response(status=303, headers={"Location": _back(wanted)})
    text = page(
        "changed.html",
        top(request),
        verb=verb,
        done=len(done),
        failed=failed,
        untried=len(ids) - len(tried),
        back=_back(wanted),
        live="",
    )
    return answer(text, 200 if done else 409)


def _back(wanted: DeliveryFilter) -> str:
    """The way back to the list, relative to it."""
    fields = {name: value for name, value in fields_of(wanted).items() if value}
    return f"./deliveries?{urlencode(fields)}" if fields else "./deliveries"


async def _discard(site: Site, delivery: int) -> None:
    await site.ask(lambda store: store.discard(delivery, now=site.outbox.now()))


async def _replay(site: Site, delivery: int) -> None:
    found = await site.ask(lambda store: store.show(delivery))
    if found is None:
        raise LookupError(f"there is no delivery {delivery}")
    to = found[0].destination
    if to not in site.runtime().notifiers:
        raise ValueError(
            f"{to.receiver}/{to.notifier} is not configured; choose another notifier with"
            " `alert-router deliveries replay --to`"
        )
    await site.ask(lambda store: store.replay(delivery, now=site.outbox.now()))
    site.wake(to, 1)
