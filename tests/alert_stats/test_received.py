"""Received alerts are counted by what they are, in batches."""

from alert_router.alert_stats import AlertCounters, ReceivedAlerts
from alert_router.enrich import Choice
from alert_router.metrics import Metrics
from alert_router.model import Alert, AlertGroup


def choose(alert: Alert) -> Choice:
    return Choice(alert.labels.get("to"), "table")


def group(*tos: str) -> AlertGroup:
    """Alerts with the same fingerprint, as a sender may send them."""
    alerts = [
        {"status": "firing", "labels": {"alertname": "A", "to": to}, "fingerprint": "same"}
        for to in tos
    ]
    return AlertGroup.model_validate({"groupKey": "k", "status": "firing", "alerts": alerts})


async def test_alerts_are_counted_by_their_labels_whatever_their_fingerprints_say() -> None:
    metrics = Metrics()
    received = ReceivedAlerts(metrics, AlertCounters())
    received.add(group("redis", "api"), choose, 0.0)
    received.add(group("redis"), choose, 0.0)
    received.flush()
    text = metrics.text().decode()
    assert 'alert_router_alerts_matched_total{runbook="redis"} 2.0' in text
    assert 'alert_router_alerts_matched_total{runbook="api"} 1.0' in text
