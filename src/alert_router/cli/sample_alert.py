"""An alert made from labels, and its group as Alertmanager would post it."""

from collections.abc import Mapping
from datetime import UTC, datetime

from alert_router.model import Alert, AlertGroup, Status, fingerprint

ZERO_TIME = "0001-01-01T00:00:00Z"  # what Alertmanager writes for a missing time


def make_alert(
    labels: Mapping[str, str],
    annotations: Mapping[str, str] | None = None,
    *,
    resolved: bool = False,
    now: datetime | None = None,
) -> Alert:
    """The alert with these labels, firing or resolved since `now`."""
    moment = (now or datetime.now(UTC)).isoformat(timespec="milliseconds").replace("+00:00", "Z")
    return Alert.model_validate(
        {
            "status": Status.RESOLVED if resolved else Status.FIRING,
            "labels": dict(labels),
            "annotations": dict(annotations or {}),
            "startsAt": moment,
            "endsAt": moment if resolved else ZERO_TIME,
            "generatorURL": "",
            "fingerprint": fingerprint(labels),
        }
    )


def make_group(alert: Alert, receiver: str = "") -> AlertGroup:
    """The group of one alert, grouped by the alert's name."""
    by_name = {"alertname": alert.name} if alert.name else {}
    key = ",".join(f'{name}="{value}"' for name, value in by_name.items())
    return AlertGroup.model_validate(
        {
            "receiver": receiver,
            "groupKey": f"{{}}:{{{key}}}",
            "status": alert.status,
            "groupLabels": by_name,
            "commonLabels": alert.labels,
            "commonAnnotations": alert.annotations,
            "alerts": [alert.model_dump(by_alias=True)],
        }
    )
