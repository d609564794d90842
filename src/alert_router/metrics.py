"""Every series the router exports, declared once, over a registry of its own.

No label ever comes from an alert: receivers, notifiers and runbook ids are the configuration's,
outcomes and reasons are closed sets. What counts when is decided where it happens.
"""

import platform
from collections.abc import Iterable
from contextlib import suppress
from typing import NamedTuple

from prometheus_client import (
    GC_COLLECTOR,
    CollectorRegistry,
    Counter,
    Gauge,
    Histogram,
    ProcessCollector,
    disable_created_metrics,
)
from prometheus_client.exposition import generate_latest

from alert_router import __version__

_PREFIX = "alert_router"
_SEND_BUCKETS = (0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30)
_LAG_BUCKETS = (0.001, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10)
_LATENCY_BUCKETS = (0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 15, 60, 300, 1800, 3600, 21600, 86400)


class DestinationGauges(NamedTuple):
    """The state of one destination. `oldest` (0 when nothing is pending) and `failing` (how long it
    has been failing) are in seconds."""

    receiver: str
    notifier: str
    pending: int
    oldest: float
    dead: int
    failing: float
    held: bool


class Metrics:
    """The series, each an attribute; one object a process, or one a test."""

    def __init__(self) -> None:
        disable_created_metrics()  # type: ignore[no-untyped-call]  # `_created` series double the exposition and nobody reads them
        self.registry = CollectorRegistry()
        ProcessCollector(registry=self.registry)
        self.registry.register(GC_COLLECTOR)
        self._shown: set[tuple[str, str]] = set()  # destinations with gauges of the backlog
        self._intake()
        self._notifications()
        self._destinations()
        self._store()
        self._service()

    def _intake(self) -> None:
        self.webhooks = self._counter("webhooks", "Webhook requests by outcome.", "outcome")
        self.webhook_duration = self._histogram(
            "webhook_duration_seconds", "Time to answer a webhook.", _SEND_BUCKETS
        )
        self.body_cut = self._counter(
            "body_cut",
            "Alerts, labels with annotations, and values cut from bodies by `http.limits`.",
            "what",
        )
        self.connections = self._gauge("http_connections", "Open connections to this server.")
        self.connections_allowed = self._gauge(
            "http_connections_allowed",
            "Connections accepted at a time: `http.max_connections`, or what the limit of open"
            " files leaves.",
        )
        self.connections_refused = self._counter(
            "http_connections_refused", "Connections closed at once because too many were open."
        )
        self.loop_lag = self._histogram(
            "event_loop_lag_seconds", "Delay of the event loop.", _LAG_BUCKETS
        )
        self.alerts = self._counter("alerts_received", "Accepted alerts by status.", "status")
        self.alerts_matched = self._counter(
            "alerts_matched", "Accepted alerts by runbook.", "runbook"
        )
        self.alerts_unmatched = self._counter(
            "alerts_unmatched", "Accepted alerts without a runbook."
        )
        self.firing_alerts = self._counter(
            "firing_alerts_received",
            "Accepted firing alerts by runbook coverage.",
            "coverage",
        )
        self.unknown_receivers = self._counter(
            "unknown_receiver_webhooks",
            "Webhooks for an unknown receiver, sent to the default receiver instead.",
        )

    def _notifications(self) -> None:
        by_destination = ("receiver", "notifier")
        self.notifications = self._counter(
            "notifications", "Notifications that a destination accepted.", *by_destination
        )
        self.notifications_failed = self._counter(
            "notifications_failed",
            "Attempts that failed, by reason; `expired`: deliveries.",
            *by_destination,
            "reason",
        )
        self.notifications_degraded = self._counter(
            "notifications_degraded",
            "Notifications sent in a plainer form because the full one could not be rendered.",
            *by_destination,
        )
        self.template_failures = self._counter(
            "template_failures",
            "Notifier templates that failed and were replaced by the built-in text.",
            *by_destination,
        )
        self.folded = self._counter(
            "folded_groups",
            "Accepted groups sent within a newer group's notification.",
            *by_destination,
        )
        self.send_duration = self._histogram(
            "notification_duration_seconds", "Time of one attempt.", _SEND_BUCKETS, *by_destination
        )
        self.latency = self._histogram(
            "notification_latency_seconds",
            "Time from acceptance of a group to its delivery.",
            _LATENCY_BUCKETS,
            *by_destination,
        )

    def _destinations(self) -> None:
        by_destination = ("receiver", "notifier")
        self.pending = self._gauge("deliveries_pending", "Pending deliveries.", *by_destination)
        self.oldest_pending = self._gauge(
            "oldest_pending_seconds", "Age of the oldest pending delivery.", *by_destination
        )
        self.dead = self._gauge("dead_letters", "Dead letters kept.", *by_destination)
        self.paused = self._gauge(
            "destination_held",
            "1 while a destination is paused, because it is misconfigured or asked for it.",
            *by_destination,
        )
        self.failing = self._gauge(
            "destination_failing_seconds",
            "Time since when every attempt at a destination has failed; 0 while it is healthy.",
            *by_destination,
        )
        self.unreachable = self._gauge(
            "destination_unreachable",
            "1 if a destination's name did not resolve to an allowed address at the last reload.",
            *by_destination,
        )
        self.diverted = self._counter(
            "diverted_deliveries",
            "Deliveries also sent to the fallback, because their destination is failing.",
            *by_destination,
        )

    def _store(self) -> None:
        self.unsettled = self._gauge(
            "unsettled_deliveries", "Outcomes kept in memory because the store cannot be written."
        )
        self.store_usable = self._gauge(
            "store_usable", "1 while the store can be read and written, as far as was tried."
        )
        self.store_spooling = self._gauge(
            "store_spooling", "1 while the shared store cannot be used and the spool is."
        )
        self.spooled = self._gauge("spooled_deliveries", "Deliveries pending in the spool.")
        self.unmovable = self._gauge(
            "unmovable_groups",
            "Alert groups that stay in the spool: they cannot be moved into the shared store.",
        )
        self.store_faults = self._counter(
            "store_faults", "Faults found in the store, by kind: see the log.", "kind"
        )
        self.store_rows_lost = self._counter(
            "store_rows_lost", "Rows of a damaged store that could not be saved.", "table"
        )
        self.store_answer_age = self._gauge(
            "store_answer_age_seconds",
            "Seconds since the store last answered; the gauges of deliveries are as old.",
        )

    def _service(self) -> None:
        self.heartbeat_age = self._gauge(
            "heartbeat_age_seconds",
            "Time since a heartbeat was received, or the start.",
            "heartbeat",
        )
        self.heartbeat_missing = self._gauge(
            "heartbeat_missing", "1 while a heartbeat is missing.", "heartbeat"
        )
        self.runbooks_loaded = self._gauge("runbooks_loaded", "Runbooks in the catalogue.")
        self.runbooks_broken = self._gauge(
            "runbooks_broken", "Runbook files that could not be loaded."
        )
        self.config_problems = self._gauge(
            "config_problems", "Problems found when the configuration was last read."
        )
        self.reload_successful = self._gauge(
            "config_last_reload_successful", "1 if the last reload was successful."
        )
        self.reload_time = self._gauge(
            "config_last_reload_success_timestamp_seconds", "Time of the last successful reload."
        )
        build = self._gauge("build_info", "The running version; always 1.", "version", "python")
        build.labels(__version__, platform.python_version()).set(1)

    def show_backlog(self, rows: Iterable[DestinationGauges]) -> None:
        """Replace the gauges by destination, so that a destination that went is gone. Those of the
        others are never missing, whoever reads them meanwhile."""
        before, self._shown = self._shown, set()
        for row in rows:
            self._shown.add((row.receiver, row.notifier))
            self.pending.labels(row.receiver, row.notifier).set(row.pending)
            self.oldest_pending.labels(row.receiver, row.notifier).set(row.oldest)
            self.dead.labels(row.receiver, row.notifier).set(row.dead)
            self.failing.labels(row.receiver, row.notifier).set(row.failing)
            self.paused.labels(row.receiver, row.notifier).set(row.held)
        for names in before - self._shown:
            for gauge in (self.pending, self.oldest_pending, self.dead, self.failing, self.paused):
                gauge.remove(*names)

    def forget_heartbeat(self, name: str) -> None:
        """A heartbeat is not configured any more."""
        for gauge in (self.heartbeat_age, self.heartbeat_missing):
            with suppress(KeyError):
                gauge.remove(name)

    def count_fault(self, kind: str, lost: dict[str, int]) -> None:
        """Count a fault found in the store, and how many rows of each table it cost."""
        self.store_faults.labels(kind).inc()
        for table, rows in lost.items():
            self.store_rows_lost.labels(table).inc(rows)

    def text(self) -> bytes:
        """The exposition, in Prometheus' text format."""
        return generate_latest(self.registry)

    def _counter(self, name: str, help_: str, *labels: str) -> Counter:
        return Counter(f"{_PREFIX}_{name}", help_, labels, registry=self.registry)

    def _gauge(self, name: str, help_: str, *labels: str) -> Gauge:
        return Gauge(f"{_PREFIX}_{name}", help_, labels, registry=self.registry)

    def _histogram(
        self, name: str, help_: str, buckets: tuple[float, ...], *labels: str
    ) -> Histogram:
        return Histogram(
            f"{_PREFIX}_{name}", help_, labels, buckets=buckets, registry=self.registry
        )
