"""The exposition, as Prometheus' own tools judge it."""

import subprocess

from alert_router.metrics import DestinationGauges, Metrics
from tests.programs import need


def full() -> Metrics:
    """Metrics in which every series has been touched."""
    metrics = Metrics()
    metrics.webhooks.labels("accepted").inc()
    metrics.webhook_duration.observe(0.01)
    metrics.alerts.labels("firing").inc(4)
    metrics.alerts_matched.labels("alerts/high-error-rate").inc()
    metrics.firing_alerts.labels("covered").inc()
    destination = ("oncall", "slack")
    metrics.notifications.labels(*destination).inc()
    metrics.notifications_failed.labels(*destination, "timeout").inc()
    metrics.notifications_degraded.labels(*destination).inc()
    metrics.folded.labels(*destination).inc(2)
    metrics.send_duration.labels(*destination).observe(0.2)
    metrics.latency.labels(*destination).observe(1.5)
    metrics.paused.labels(*destination).set(1)
    metrics.show_backlog([DestinationGauges("oncall", "slack", 3, 12.5, 1, 0.0, False)])
    return metrics


def test_promtool_has_nothing_to_say() -> None:
    result = subprocess.run(
        [need("promtool"), "check", "metrics"],
        input=full().text(),
        capture_output=True,
        check=False,
    )
    complaints = [
        line
        for line in (result.stdout + result.stderr).decode().splitlines()
        if "alert_router_" in line
    ]
    assert complaints == []
    assert result.returncode == 0, result.stderr


def test_a_destination_that_went_is_gone_from_the_gauges() -> None:
    metrics = full()
    metrics.show_backlog([])
    assert b'alert_router_deliveries_pending{notifier="slack"' not in metrics.text()
