"""Alerts for trying things: made from labels, or taken from what Prometheus, Alertmanager and
Grafana answer, in the group that Alertmanager would post."""

import json
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from typing import Any

from alert_router.model import Alert, AlertGroup, Status, common, fingerprint
from alert_router.model.normalize import parse_json

ZERO_TIME = "0001-01-01T00:00:00Z"  # what Alertmanager writes for a missing time


def make_alert(
    labels: Mapping[str, str],
    annotations: Mapping[str, str] | None = None,
    *,
    resolved: bool = False,
) -> Alert:
    """The alert with these labels, firing or resolved since now."""
    moment = datetime.now(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
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


# Where alerts are in the answers of the APIs of Prometheus, Alertmanager and Grafana.
_CONTAINERS = ("data", "groups", "rules", "alerts", "result")
_RESOLVED = frozenset(("inactive", "normal", "ok", "resolved"))


def as_group(raw: bytes) -> bytes:
    """The webhook body for a payload of another shape: one alert, a list of alerts, an API's
    answer, Grafana's legacy webhook. Webhook bodies, and what contains no alert, stay as they are.
    Raises PayloadError if it is not JSON."""
    data = parse_json(raw)
    if isinstance(data, dict) and ("groupKey" in data or "alerts" in data):
        return raw
    alerts = list(_alerts_in(data))
    if not alerts:
        return raw
    by_name = {
        name: value
        for name, value in common([alert["labels"] for alert in alerts]).items()
        if name == "alertname"
    }
    group = {"groupKey": f"{{}}:{json.dumps(by_name)}", "groupLabels": by_name, "alerts": alerts}
    return json.dumps(group).encode()


def _alerts_in(data: Any) -> Iterator[dict[str, Any]]:
    if isinstance(data, list):
        for item in data:
            yield from _alerts_in(item)
    if not isinstance(data, dict):
        return
    inner = [data[name] for name in _CONTAINERS if isinstance(data.get(name), dict | list)]
    labels = data.get("labels") or data.get("metric")
    if inner:
        yield from _alerts_in(inner)
    elif isinstance(labels, dict) and labels:
        yield _alert(data, labels)
    elif isinstance(data.get("ruleName"), str):  # Grafana before 8
        tags = data["tags"] if isinstance(data.get("tags"), dict) else {}
        texts = {"summary": data.get("title"), "description": data.get("message")}
        yield _alert({**data, "annotations": texts}, {"alertname": data["ruleName"], **tags})


def _alert(data: dict[str, Any], labels: dict[str, Any]) -> dict[str, Any]:
    state = data.get("state") or data.get("status")
    state = state.get("state") if isinstance(state, dict) else state  # Alertmanager's API
    is_resolved = str(state).lower() in _RESOLVED
    return {
        **data,
        "status": Status.RESOLVED if is_resolved else Status.FIRING,
        "labels": {
            name: value for name, value in labels.items() if name not in ("__name__", "alertstate")
        },
        "startsAt": data.get("startsAt") or data.get("activeAt"),
        "endsAt": data.get("endsAt") if is_resolved else None,
        "generatorURL": data.get("generatorURL") or data.get("ruleUrl"),
    }
