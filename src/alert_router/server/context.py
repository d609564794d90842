"""What the HTTP surface needs of the service, and the application made of its parts.

Listening and stopping is the service's.
"""

import asyncio
import time
from collections.abc import Awaitable, Callable, Coroutine, Mapping
from dataclasses import dataclass, field
from typing import Any, TypeVar

from aiohttp import web

from alert_router.alert_stats import AlertCounters, ReceivedAlerts
from alert_router.aside import Aside
from alert_router.deliver.action_links import LinkKey
from alert_router.metrics import Metrics
from alert_router.model import AlertGroup
from alert_router.model.problem import Problem
from alert_router.outbox.base import Outbox, StoreUnavailable
from alert_router.outbox.model import Destination, NewGroup, Storage
from alert_router.runtime import Runtime
from alert_router.server.requests import Budget, QuietLog

T = TypeVar("T")

_STORE_SECONDS = 10.0  # for an answer of the store to a request


@dataclass(frozen=True, slots=True)
class ReloadResult:
    """Whether a reload took effect as a whole, what it did, and everything that was found."""

    successful: bool
    status: str
    problems: tuple[Problem, ...]


@dataclass(frozen=True, slots=True)
class LastReload:
    """When the latest reload ended, Unix seconds, and how."""

    at: float
    result: ReloadResult


@dataclass(slots=True)
class Site:
    """The service as the HTTP surface sees it."""

    runtime: Callable[[], Runtime]
    outbox: Outbox
    metrics: Metrics
    counters: AlertCounters
    received: ReceivedAlerts
    wake: Callable[[Destination, int], None]
    deliver_now: Callable[[NewGroup], Awaitable[bool]]  # what cannot be stored
    reload: Callable[[], Awaitable[ReloadResult]]
    store_trouble: Callable[[], str]  # why the store cannot be used; "" if it can
    is_stalled: Callable[[], bool]  # whether the store has not answered for too long
    is_late: Callable[[], bool]
    budget: Budget
    aside: Aside
    link_key: LinkKey
    later: Callable[[Coroutine[Any, Any, None]], None]
    beat: Callable[[AlertGroup, str], None]  # a group was received, from a source
    storage: Storage  # in use; a reload does not change it
    missing_heartbeats: Callable[[], Mapping[str, float]]  # when they were last received, by name
    started_at: float = field(default_factory=time.time)
    last_reload: LastReload | None = None
    quiet: QuietLog = field(default_factory=QuietLog)
    serving: bool = True  # false once stopping: the intake is closed

    def has_room(self) -> bool:
        """Whether what is being received can be stored."""
        reserve = self.runtime().config.delivery.reserve
        return self.outbox.has_room(reserve=reserve, coming=self.budget.held())

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
