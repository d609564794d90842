"""The deliveries: filtered, and replayed or discarded after a confirmation."""

import structlog
from aiohttp import web

from alert_router.outbox.base import StoreUnavailable
from alert_router.outbox.model import Destination, State
from alert_router.server.context import SITE
from alert_router.server.pages.context import PAGES
from alert_router.server.pages.episodes import clock
from alert_router.server.pages.people import (
    ActionRefused,
    may_administrate,
    person,
    read_form,
    remember,
)
from alert_router.server.pages.render import answer, page, top

log = structlog.get_logger(__name__)

_ON_A_PAGE = 100
_VERBS = ("replay", "discard")
_NOT_ALLOWED = (
    "To replay and discard here, set http.auth with `actions` in `protect`, http.people, or users"
    " of the web configuration."
)


async def show(request: web.Request) -> web.Response:
    """GET /deliveries: newest first, by `state`, and by `receiver` with `notifier`."""
    site, query, who = request.app[SITE], request.query, person(request)
    names = sorted(site.runtime().notifiers, key=lambda it: (it.receiver, it.notifier))
    chosen = query.get("to", "")
    destination = next((it for it in names if _name(it) == chosen), None)
    text = query.get("before", "")
    before = int(text) if text.isascii() and text.isdigit() and len(text) < 19 else None
    state = next((it for it in State if it.value == query.get("state")), None)
    try:
        rows = await site.ask(
            lambda store: store.deliveries(
                state=state, destination=destination, limit=_ON_A_PAGE, before=before
            )
        )
    except StoreUnavailable:
        return answer(page("error.html", top(request), text="The store cannot be read."), 503)
    made = page(
        "deliveries.html",
        top(request),
        rows=rows,
        more=rows[-1].id if len(rows) == _ON_A_PAGE else None,
        states=[it.value for it in State],
        state=state.value if state else "",
        names=[_name(it) for it in names],
        to=_name(destination) if destination else "",
        may=may_administrate(request, who, request.app[PAGES].is_guarded()),
        not_allowed=_NOT_ALLOWED,
        who=who,
        clock=clock,
        live="",
    )
    found = answer(made, scripts=True)
    remember(request, found, who)
    return found


def _name(destination: Destination) -> str:
    return f"{destination.receiver}/{destination.notifier}"


async def act(request: web.Request) -> web.Response:
    """POST /deliveries: `do` is `replay ID` or `discard ID`; without `sure` it asks first."""
    site, who = request.app[SITE], person(request)
    try:
        form = await read_form(request, who)
        if not may_administrate(request, who, request.app[PAGES].is_guarded()):
            raise ActionRefused(_NOT_ALLOWED)
        verb, _, number = form.get("do", "").partition(" ")
        if verb not in _VERBS or not (number.isascii() and number.isdigit() and len(number) < 19):
            raise ActionRefused("There is no such action.")
        delivery = int(number)
        if not form.get("sure"):
            text = page(
                "confirm.html", top(request), verb=verb, delivery=delivery, who=who, live=""
            )
            return answer(text, scripts=True)
        now = site.outbox.now()
        found = await site.ask(lambda store: store.show(delivery))
        if verb == "discard":
            await site.ask(lambda store: store.discard(delivery, now=now))
        else:
            await site.ask(lambda store: store.replay(delivery, now=now))
            if found is not None:
                site.wake(found[0].destination, 1)
        fields = {"group_id": found[0].group} if found else {}
        log.info(
            "delivery changed on a page", action=verb, id=str(delivery), who=who.name, **fields
        )
    except ActionRefused as error:
        return answer(page("error.html", top(request), text=str(error)), 403)
    except (LookupError, ValueError) as error:
        return answer(page("error.html", top(request), text=str(error.args[0])), 409)
    except StoreUnavailable:
        return answer(page("error.html", top(request), text="The store cannot be written."), 503)
    return web.Response(status=303, headers={"Location": "./deliveries"})
