"""What the HTTP surface needs of the service, and the application made of its parts.

Listening and stopping is the service's.
"""

from collections.abc import Awaitable, Callable, Coroutine
from dataclasses import dataclass, field
from typing import Any

from aiohttp import web

from alert_router.alert_stats.counters import AlertCounters
from alert_router.aside import Aside
from alert_router.enrich import Choice
from alert_router.fields import Secret
from alert_router.metrics import Metrics
from alert_router.model import Alert, BodyLimits
from alert_router.model.problem import Problem
from alert_router.outbox.base import Outbox
from alert_router.outbox.model import Destination
from alert_router.pipeline import Receivers
from alert_router.runbook import Catalogue
from alert_router.web.body import Budget
from alert_router.web.quiet import QuietLog


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
    """Whether a reload took effect, and everything that was found."""

    successful: bool
    problems: tuple[Problem, ...]


@dataclass(slots=True)
class Site:
    """The service as the HTTP surface sees it."""

    state: Callable[[], State]
    outbox: Outbox
    metrics: Metrics
    tally: AlertCounters
    wake: Callable[[Destination, int], None]
    reload: Callable[[], Awaitable[ReloadResult]]
    has_room: Callable[[], bool]
    refresh_metrics: Callable[[], Awaitable[None]]
    is_late: Callable[[], bool]
    budget: Budget
    aside: Aside
    later: Callable[[Coroutine[Any, Any, None]], None]
    quiet: QuietLog = field(default_factory=QuietLog)
    serving: bool = True  # false once stopping: the intake is closed


SITE: web.AppKey[Site] = web.AppKey("site", Site)
