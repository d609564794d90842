"""What the HTTP surface needs of the service, and the application made of its parts.

Listening and stopping is the service's.
"""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from aiohttp import web

from alert_router.alert import Alert
from alert_router.coverage.tally import Tally
from alert_router.enrich import Choice
from alert_router.metrics import Metrics
from alert_router.outbox.base import Outbox
from alert_router.outbox.model import Destination
from alert_router.pipeline import Receivers
from alert_router.problem import Problem
from alert_router.runbook import Catalogue
from alert_router.secret import Secret


@dataclass(frozen=True, slots=True)
class Credentials:
    """What the intake asks for: a bearer token, or a user name and a password. Neither: open."""

    bearer: Secret | None = None
    username: str = ""
    password: Secret | None = None


@dataclass(frozen=True, slots=True)
class Limits:
    """Of a request: its body in bytes, the time its body may take in seconds."""

    max_body: int
    body_timeout: float


@dataclass(frozen=True, slots=True)
class State:
    """One consistent state of the configuration, replaced whole at a reload."""

    receivers: Receivers
    catalogue: Catalogue
    credentials: Credentials
    dedup_window: float
    limits: Limits
    choose: Callable[[Alert], Choice]


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
    tally: Tally
    wake: Callable[[Destination, int], None]
    reload: Callable[[], Awaitable[ReloadResult]]
    has_room: Callable[[], bool]
    refresh_metrics: Callable[[], Awaitable[None]]
    serving: bool = True  # false once stopping: the intake is closed


SITE: web.AppKey[Site] = web.AppKey("site", Site)
