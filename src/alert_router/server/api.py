"""The JSON API: runbooks, which an alert gets, deliveries, and what came in. `openapi.json`
describes it."""

import asyncio
import re
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from importlib import resources
from urllib.parse import quote

from aiohttp import web

from alert_router.alert_stats import AlertCounters, Observed, read_observed
from alert_router.enrich import enrich
from alert_router.markdown import plain
from alert_router.model import Alert, AlertGroup, BodyLimits, Status
from alert_router.notification import Notification
from alert_router.notify.base import Notifier
from alert_router.notify.webhook import runbook_data
from alert_router.outbox.base import Outbox, StoreUnavailable
from alert_router.outbox.model import KEPT_DAYS, DeliveryFilter, State, iso, row_as_json
from alert_router.runbook import Runbook
from alert_router.runtime import Runtime
from alert_router.server.context import SITE, Site
from alert_router.server.requests import refuse, unavailable

_LISTED = 1000  # alerts in an answer
_SECONDS = 2.0  # how long an answer is believed


@dataclass(slots=True)
class Recent:
    """The last report, so that asking often reads seldom, and never twice at a time."""

    found: Observed | None = None
    until: float = 0.0
    reading: asyncio.Lock = field(default_factory=asyncio.Lock)

    async def read(self, site: Site, days: int = KEPT_DAYS) -> Observed:
        """The report of so many days. Raises StoreUnavailable."""
        async with self.reading:
            if self.found is None or self.found.days != days or time.monotonic() > self.until:
                site.received.flush()
                self.found = await site.ask(lambda store: _read(site.counters, store, days))
                self.until = time.monotonic() + _SECONDS
            return self.found


async def _read(counters: AlertCounters, store: Outbox, days: int) -> Observed:
    # Shielded: what is being written when nobody waits any more would not be counted again.
    await asyncio.shield(counters.write(store))
    return await read_observed(store, days, time.time())


RECENT: web.AppKey[Recent] = web.AppKey("recent", Recent)


async def observed(request: web.Request) -> web.Response:
    """The alerts of the last `days` days, 30 if not said."""
    try:
        days = _number(request.query.get("days", str(KEPT_DAYS)), "days", 1, KEPT_DAYS)
    except ValueError as error:
        return refuse(400, str(error))
    try:
        found = await request.app[RECENT].read(request.app[SITE], days)
    except StoreUnavailable:
        return unavailable("the store cannot be read")
    return web.json_response(found.as_json(_LISTED))


_HEADERS = {"Cache-Control": "no-store"}
_ID = re.compile("[0-9a-f-]{1,64}")  # of a group
_ROWS = 1000  # deliveries in an answer
_DESCRIPTION = resources.files("alert_router.server").joinpath("openapi.json").read_bytes()


async def description(_: web.Request) -> web.Response:
    """The OpenAPI document."""
    return web.Response(body=_DESCRIPTION, content_type="application/json")


async def runbooks(request: web.Request) -> web.Response:
    """All runbooks, without their text."""
    runtime = request.app[SITE].runtime()
    rows = sorted(runtime.catalogue.runbooks.items())
    found = [_summary(id_, runbook, runtime.external_url) for id_, runbook in rows]
    return _answer(200, {"runbooks": found})


async def show_runbook(request: web.Request) -> web.Response:
    """One runbook with the names of its sections."""
    runtime = request.app[SITE].runtime()
    id_ = request.match_info["id"]
    runbook = runtime.catalogue.get(id_)
    if runbook is None:
        return _answer(404, {"status": "unknown", "error": "there is no such runbook"})
    sections = [
        {"name": section.name, "title": plain(section.title), "steps": len(section.steps)}
        for section in runbook.sections
    ]
    return _answer(200, _summary(id_, runbook, runtime.external_url) | {"sections": sections})


async def usage(request: web.Request) -> web.Response:
    """How often the steps of a runbook were ticked, and whether it helped."""
    site, id_ = request.app[SITE], request.match_info["id"]
    try:
        rows = await site.ask(lambda store: store.usage(id_))
    except StoreUnavailable:
        return unavailable("the store cannot be read")
    if not rows and site.runtime().catalogue.get(id_) is None:
        return _answer(404, {"status": "unknown", "error": "there is no such runbook"})
    counts = [
        {
            "revision": row.revision,
            "step": row.step,
            "title": row.title,
            "kind": row.kind.value,
            "count": row.count,
            "after_seconds": round(row.after, 1),
            "last_at": iso(row.last_at),
        }
        for row in rows
    ]
    return _answer(200, {"id": id_, "counts": counts})


def _summary(id_: str, runbook: Runbook, base: str) -> dict[str, object]:
    return {
        "id": id_,
        "title": runbook.title or id_,
        "url": f"{base}/runbooks/{quote(id_, errors='replace')}",
        "owner": str(runbook.metadata.get("owner", "")),
        "severity": str(runbook.metadata.get("severity", "")),
        "last_updated": str(runbook.metadata.get("last_updated", "")),
    }


async def deliveries(request: web.Request) -> web.Response:
    """Deliveries, newest first."""
    site, query = request.app[SITE], request.query
    try:
        limit = _number(query.get("limit", "100"), "limit", 1, _ROWS)
        before = query.get("before")
        last = None if before is None else _number(before, "before", 0, 2**62)
        wanted = DeliveryFilter(State(query["state"]) if "state" in query else None)
    except ValueError as error:
        return refuse(400, str(error))
    try:
        rows = await site.ask(lambda store: store.deliveries(wanted, limit=limit, before=last))
    except StoreUnavailable:
        return unavailable("the store cannot be read")
    return _answer(200, {"deliveries": [row_as_json(row) for row in rows]})


def _number(text: str, name: str, least: int, most: int) -> int:
    value = int(text) if text.isascii() and text.isdigit() and len(text) < 20 else least - 1
    if not least <= value <= most:
        raise ValueError(f"{name}: expected a whole number from {least} to {most}")
    return value


async def resolve(request: web.Request) -> web.Response:
    """Which receivers and which runbook an alert with these labels gets, its steps filled."""
    site = request.app[SITE]
    runtime, query = site.runtime(), request.query
    try:
        labels = pairs(query.getall("label", ()), "label", runtime.limits)
        annotations = pairs(query.getall("annotation", ()), "annotation", runtime.limits)
        status = Status(query.get("status", "firing"))
        if not labels:
            raise ValueError("label: expected at least one, such as label=alertname=HighErrorRate")
    except ValueError as error:
        return refuse(400, str(error))
    alert = Alert(status=status, labels=labels, annotations=annotations, fingerprint="resolve")
    async with request.app[RESOLVING]:
        answer = await asyncio.to_thread(_resolved, alert, runtime)
    return _answer(200, answer)


RESOLVING: web.AppKey[asyncio.Lock] = web.AppKey("resolving", asyncio.Lock)  # one at a time


def pairs(texts: Sequence[str], what: str, limits: BodyLimits) -> dict[str, str]:
    """The `NAME=VALUE` of a query. Raises ValueError."""
    if len(texts) > limits.labels:
        raise ValueError(f"{what}: expected at most {limits.labels}")
    pairs = dict[str, str]()
    for text in texts:
        name, equals, value = text.partition("=")
        if not name or not equals:
            raise ValueError(f"{what}: expected NAME=VALUE")
        pairs[name] = value
    return pairs


def _resolved(alert: Alert, runtime: Runtime) -> dict[str, object]:
    """The answer for one alert. The same code decides as for a notification."""
    group = AlertGroup(groupKey="resolve", status=alert.status, alerts=(alert,))
    defaults = Notifier.model_fields
    found = enrich(
        Notification("resolve", (), "", "", group, external_url=runtime.external_url),
        choose=runtime.choose,
        runbook=runtime.catalogue.get,
        firing_sections=defaults["firing_sections"].default,
        resolved_sections=defaults["resolved_sections"].default,
        rules=runtime.label_rules,
    )
    choice = runtime.choose(alert)
    part = found.runbooks[0] if found.runbooks else None
    shown = ("id", "title", "url", "owner", "last_updated", "sections")
    data = runbook_data(part) if part else {}
    return {
        "receivers": list(runtime.tree.match(alert.labels)),
        "runbook": {name: data[name] for name in shown} if part else None,
        "chosen_by": choice.way,
        "notes": list(found.notes),
    }


async def show_group(request: web.Request) -> web.Response:
    """The deliveries of the group with the id that the intake answered."""
    site = request.app[SITE]
    id_ = request.match_info["id"]
    try:
        rows = await site.ask(lambda store: store.of_group(id_)) if _ID.fullmatch(id_) else []
    except StoreUnavailable:
        return unavailable("the store cannot be read")
    if not rows:
        why = "there are no deliveries of such a group, or they were deleted after their time"
        return _answer(404, {"status": "unknown", "error": why})
    return _answer(200, {"id": id_, "deliveries": [row_as_json(row) for row in rows]})


def _answer(status: int, data: dict[str, object]) -> web.Response:
    return web.json_response(data, status=status, headers=_HEADERS)
