"""What the HTTP surface needs of the service, and the application made of its parts.

Listening and stopping is the service's.
"""

import asyncio
from collections.abc import Awaitable, Callable, Coroutine
from dataclasses import dataclass, field
from typing import Any, TypeVar

from aiohttp import web

from alert_router.alert_stats.counters import AlertCounters
from alert_router.aside import Aside
from alert_router.enrich import Choice
from alert_router.fields import Secret
from alert_router.metrics import Metrics
from alert_router.model import Alert, BodyLimits
from alert_router.model.problem import Problem
from alert_router.outbox.base import Outbox, StoreUnavailable
from alert_router.outbox.model import Destination
from alert_router.receive import Receivers
from alert_router.runbook import Catalogue
from alert_router.server.body import Budget
from alert_router.server.errors import QuietLog
from alert_router.server.received import ReceivedAlerts

T = TypeVar("T")

_STORE_SECONDS = 10.0  # for an answer of the store to a request


@dataclass(frozen=True, slots=True)
class Credentials:
    """What is asked for: a bearer token, or a user name and a password; and by which endpoints.
    Neither: all are open."""

    bearer: Secret | None = None
    username: str = ""
    password: Secret | None = None
    protect: frozenset[str] = frozenset(("webhook", "reload"))


@dataclass(frozen=True, slots=True)
class Limits:
    """Of a request: its body in bytes, the time its body may take in seconds, and how much of
    what it holds is kept."""

    max_body: int
    body_timeout: float
    body: BodyLimits


@dataclass(frozen=True, slots=True)
class State:
    """One consistent state of the configuration, replaced whole at a reload."""

    receivers: Receivers
    catalogue: Catalogue
    credentials: Credentials
    dedup_window: float
    limits: Limits
    choose: Callable[[Alert], Choice]
    external_url: str = ""


@dataclass(frozen=True, slots=True)
class ReloadResult:
    """Whether a reload took effect as a whole, what it did, and everything that was found."""

    successful: bool
    status: str
    problems: tuple[Problem, ...]


@dataclass(slots=True)
class Site:
    """The service as the HTTP surface sees it."""

    state: Callable[[], State]
    outbox: Outbox
    metrics: Metrics
    counters: AlertCounters
    received: ReceivedAlerts
    wake: Callable[[Destination, int], None]
    reload: Callable[[], Awaitable[ReloadResult]]
    has_room: Callable[[], bool]
    stored: Callable[[int], None]  # so many bytes of a body may have been written just now
    store_trouble: Callable[[], str]  # why the store cannot be used; "" if it can
    is_stalled: Callable[[], bool]  # whether the store has not answered for too long
    is_late: Callable[[], bool]
    budget: Budget
    aside: Aside
    later: Callable[[Coroutine[Any, Any, None]], None]
    quiet: QuietLog = field(default_factory=QuietLog)
    serving: bool = True  # false once stopping: the intake is closed

    async def ask(self, call: Callable[[Outbox], Awaitable[T]]) -> T:
        """What the store answers to a request. Raises StoreUnavailable, also where it does not
        answer in time: what it was to keep may then be kept all the same.

        While it is stalled it is asked nothing, so that no more waits in it than came before."""
        if self.is_stalled():
            raise StoreUnavailable("the store does not answer")
        try:
            async with asyncio.timeout(_STORE_SECONDS):
                return await call(self.outbox)
        except TimeoutError:
            raise StoreUnavailable(
                f"the store has not answered within {_STORE_SECONDS:g} s"
            ) from None


SITE: web.AppKey[Site] = web.AppKey("site", Site)
