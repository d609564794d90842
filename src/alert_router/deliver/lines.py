"""What every destination's loop shares. A value only: who replaces what at a reload is the
service's to say."""

from collections.abc import Callable
from dataclasses import dataclass, field

import aiohttp

from alert_router.alert_stats.counters import AlertCounters
from alert_router.deliver.attempt import Calm, Desk
from alert_router.deliver.large import Room
from alert_router.deliver.policy import Schedule
from alert_router.metrics import Metrics
from alert_router.notify.egress import Guard, Resolve
from alert_router.outbox.base import Outbox


@dataclass(frozen=True, slots=True)
class Lines:
    """What every loop shares: the store, the HTTP session, and how things stand now."""

    outbox: Outbox
    session: aiohttp.ClientSession
    metrics: Metrics
    counters: AlertCounters
    schedule: Callable[[], Schedule]
    desk: Callable[[], Desk]
    guard: Callable[[], Guard]
    resolve: Resolve
    calm: Calm = field(default_factory=Calm)
    room: Room = field(default_factory=Room)
