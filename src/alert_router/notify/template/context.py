"""What a template can speak of: the notification as plain data, the words Alertmanager's."""

from typing import Any

from alert_router.model import Alert
from alert_router.notification import Notification
from alert_router.notify import summary

_MAX_VALUE = 16 * 1024  # characters of a label's or annotation's value


def context(notification: Notification) -> dict[str, Any]:
    """The names of a template. Values longer than 16 KiB are cut."""
    group = notification.group
    runbook_of = {
        alert.fingerprint: {"id": part.id, "title": part.title, "url": part.url}
        for part in notification.runbooks
        for alert in part.alerts
    }
    alerts = [_alert(alert, runbook_of.get(alert.fingerprint)) for alert in group.alerts]
    return {
        "status": str(group.status),
        "severity": summary.grade(notification).word,
        "title": summary.title(notification),
        "receiver": notification.receiver,
        "group_labels": _cut(group.group_labels),
        "common_labels": _cut(group.common_labels),
        "common_annotations": _cut(group.common_annotations),
        "external_url": group.external_url,
        "alerts": alerts,
        "firing": [alert for alert in alerts if alert["status"] == "firing"],
        "resolved": [alert for alert in alerts if alert["status"] == "resolved"],
        "truncated_alerts": group.truncated_alerts,
        "runbooks": [
            {
                "id": part.id,
                "title": part.title,
                "url": part.url,
                "owner": part.owner,
                "last_updated": part.last_updated,
            }
            for part in notification.runbooks
        ],
    }


def _alert(alert: Alert, runbook: dict[str, str] | None) -> dict[str, Any]:
    return {
        "status": str(alert.status),
        "name": alert.name,
        "summary": summary.headline(alert),
        "labels": _cut(alert.labels),
        "annotations": _cut(alert.annotations),
        "starts_at": alert.starts_at,
        "ends_at": alert.ends_at,
        "lasted": summary.duration(alert.started, alert.ended),
        "generator_url": alert.generator_url,
        "fingerprint": alert.fingerprint,
        "runbook": runbook,
    }


def _cut(values: dict[str, str]) -> dict[str, str]:
    return {name: value[:_MAX_VALUE] for name, value in values.items()}
