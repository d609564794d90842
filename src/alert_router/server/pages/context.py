"""What the pages keep while the router runs."""

from dataclasses import dataclass, field

from aiohttp import web

from alert_router.aside import Aside


@dataclass(slots=True)
class Pages:
    """Threads in which pages are made: a long runbook takes a while."""

    aside: Aside = field(default_factory=lambda: Aside("pages", 2))


PAGES: web.AppKey[Pages] = web.AppKey("pages", Pages)
