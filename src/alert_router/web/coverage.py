"""GET /api/v1/coverage: what came in and whether it had a runbook, for machines.

Open, as the metrics and the pages are: who may reach the port may read the names of alerts.
"""

import asyncio
import time
from dataclasses import dataclass, field

from aiohttp import web

from alert_router.alert_stats.counters import AlertCounters
from alert_router.alert_stats.report import Observed, read_observed
from alert_router.outbox.base import Outbox, StoreUnavailable
from alert_router.outbox.observed import KEPT_DAYS
from alert_router.web.refuse import refuse, unavailable
from alert_router.web.site import SITE, Site

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
                found = await site.ask(lambda store: _read(site.tally, store, days))
                self.answer = found.as_json(_LISTED)
                self.days, self.until = days, time.monotonic() + _SECONDS
            return self.answer


async def _read(tally: AlertCounters, store: Outbox, days: int) -> Observed:
    # Shielded: what is being written when nobody waits any more would not be counted again.
    await asyncio.shield(tally.write(store))
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
