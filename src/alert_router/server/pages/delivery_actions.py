"""Replaying and discarding deliveries, after a confirmation."""

from collections import Counter
from urllib.parse import urlencode

import structlog
from aiohttp import web

from alert_router.outbox.base import StoreUnavailable
from alert_router.outbox.model import DeliveryFilter, DeliveryRow
from alert_router.server.context import SITE, Site
from alert_router.server.pages.context import PAGES
from alert_router.server.pages.deliveries import (
    NOT_ALLOWED,
    VERBS,
    fields_of,
    is_number,
    management,
    read_filter,
)
from alert_router.server.pages.people import (
    ActionRefused,
    Person,
    clean_name,
    may_administrate,
    person,
    read_form,
)
from alert_router.server.pages.render import answer, page, top
from alert_router.server.requests import basic_credentials

log = structlog.get_logger(__name__)

_AT_ONCE = 500  # deliveries that one confirmation replays or discards
_MOST_FOUND = 10_000  # deliveries that a filter may choose for that
_LISTED = 50  # of them, before the question


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
