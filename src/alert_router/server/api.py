"""The JSON API: what came in and its coverage, and the deliveries of a group."""

import asyncio
import time
from dataclasses import dataclass, field

from aiohttp import web

from alert_router.alert_stats.counters import AlertCounters
from alert_router.alert_stats.report import Observed, read_observed
from alert_router.outbox.alert_stats import KEPT_DAYS
from alert_router.outbox.base import Outbox, StoreUnavailable
from alert_router.outbox.serialize import row_as_json
from alert_router.server.context import SITE, Site
from alert_router.server.errors import refuse, unavailable

_LISTED = 1000  # alerts in an answer
_SECONDS = 2.0  # how long an answer is believed


@dataclass(slots=True)
class Recent:
    """The last answer, so that asking often reads seldom, and never twice at a time."""

    days: int = 0
    until: float = 0.0
    answer: dict[str, object] = field(default_factory=dict)
    reading: asyncio.Lock = field(default_factory=asyncio.Lock)

    async def read(self, site: Site, days: int) -> dict[str, object]:
        """The answer for so many days. Raises StoreUnavailable."""
        async with self.reading:
            if self.days != days or time.monotonic() > self.until:
                site.received.flush()
                found = await site.ask(lambda store: _read(site.counters, store, days))
                self.answer = found.as_json(_LISTED)
                self.days, self.until = days, time.monotonic() + _SECONDS
            return self.answer


async def _read(counters: AlertCounters, store: Outbox, days: int) -> Observed:
    # Shielded: what is being written when nobody waits any more would not be counted again.
    await asyncio.shield(counters.write(store))
    return await read_observed(store, days, time.time())


RECENT: web.AppKey[Recent] = web.AppKey("recent", Recent)


async def observed(request: web.Request) -> web.Response:
    """The alerts of the last `days` days, 30 if not said."""
    text = request.query.get("days", str(KEPT_DAYS))
    days = int(text) if text.isascii() and text.isdigit() and len(text) < 4 else 0
    if not 1 <= days <= KEPT_DAYS:
        return refuse(400, f"days: expected a whole number from 1 to {KEPT_DAYS}")
    try:
        answer = await request.app[RECENT].read(request.app[SITE], days)
    except StoreUnavailable:
        return unavailable("the store cannot be read")
    return web.json_response(answer)


_HEADERS = {"Cache-Control": "no-store"}


async def show_group(request: web.Request) -> web.Response:
    """The deliveries of the group with the id that the intake answered."""
    site = request.app[SITE]
    id_ = request.match_info["id"]
    try:
        rows = await site.ask(lambda store: store.of_group(id_))
    except StoreUnavailable:
        return unavailable("the store cannot be read")
    if not rows:
        why = "there are no deliveries of such a group, or it is not among the latest"
        return _answer(404, {"status": "unknown", "error": why})
    return _answer(200, {"id": id_, "deliveries": [row_as_json(row) for row in rows]})


def _answer(status: int, data: dict[str, object]) -> web.Response:
    return web.json_response(data, status=status, headers=_HEADERS)
