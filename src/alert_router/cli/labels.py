"""LABEL=VALUE arguments, and the alert they stand for."""

from collections.abc import Mapping
from datetime import UTC, datetime

import click

from alert_router.model import Alert, AlertGroup, Status, fingerprint

ZERO_TIME = "0001-01-01T00:00:00Z"  # what Alertmanager writes where there is no time


def pairs(
    _ctx: click.Context, parameter: click.Parameter, values: tuple[str, ...]
) -> dict[str, str]:
    """A click callback: NAME=VALUE arguments as a dict. A usage error names what is none."""
    found: dict[str, str] = {}
    for text in values:
        name, equals, value = _utf8(text).partition("=")
        if not equals or not name:
            raise click.BadParameter(
                f"{text!r}: expected NAME=VALUE, as in severity=critical", param=parameter
            )
        if name in found:
            raise click.BadParameter(f"{name!r} is given twice", param=parameter)
        found[name] = value
    return found


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
    """The group of one alert, as Alertmanager would post it: grouped by the alert's name."""
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


def _utf8(text: str) -> str:
    """The argument as UTF-8; bytes that are none become U+FFFD, as in a posted body."""
    return text.encode("utf-8", "surrogateescape").decode("utf-8", "replace")
