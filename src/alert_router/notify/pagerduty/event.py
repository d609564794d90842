"""A notification as events of PagerDuty's Events API v2, without the routing key: one for the
group, or one for each alert. Pure.

How events get there is `notifier`'s.
"""

import hashlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any, Literal
from urllib.parse import urlsplit

from alert_router.alert import Alert, AlertGroup
from alert_router.markdown import visible
from alert_router.notification import Detail, Notification
from alert_router.notify.links import encoded, is_web, links
from alert_router.notify.outline import AlertLine, Title, outline
from alert_router.notify.pagerduty.details import Entries, details, sections
from alert_router.notify.pagerduty.severity import Severities
from alert_router.notify.summary import one_line

Event = dict[str, Any]
Field = Literal["source", "component", "group", "class"]

# developer.pagerduty.com, Events API v2, "Send an event": characters, and for a whole event bytes.
MAX_SUMMARY = 1024
# No limits are documented for these.
_MAX_FIELD = 255
_MAX_LINK_TEXT = 200
_MAX_RUNBOOK_LINKS = 10

FIELDS: Mapping[Field, tuple[str, ...]] = {
    "source": ("instance", "node", "host", "hostname", "pod", "service", "job", "cluster"),
    "component": ("component", "service", "app", "deployment", "statefulset", "container", "job"),
    "group": ("namespace", "environment", "cluster"),
    "class": ("alertname",),
}


@dataclass(frozen=True, slots=True)
class Form:
    """How events are filled in: whether one stands for an alert or for the group, the labels
    that each field is taken from, and who is named as the sender."""

    each: bool
    severity: Severities
    labels: Mapping[Field, tuple[str, ...]]
    client: str
    client_url: str


def events(notification: Notification, detail: Detail, form: Form) -> list[Event]:
    """The events, firing ones first."""
    told = {part.id: sections(notification, part, detail) for part in notification.runbooks}
    return [_event(one, detail, form, told) for one in _split(notification, form)]


def _split(notification: Notification, form: Form) -> Iterator[Notification]:
    """The notification, or what it is for each of its alerts."""
    group = notification.group
    if not form.each:
        yield notification
        return
    # Where two alerts say they are the same one, it fires if either does.
    alerts = {alert.fingerprint: alert for alert in (*group.resolved, *group.firing)}
    for alert in sorted(alerts.values(), key=lambda alert: not alert.firing):
        parts = tuple(
            replace(
                part,
                alerts=(alert,),
                commands_for=None if part.commands_for == alert else part.commands_for,
            )
            for part in notification.runbooks
            if alert in part.alerts
        )
        alone = group.with_alerts((alert,)).model_copy(update={"truncated_alerts": 0})
        without = tuple(one for one in notification.without_runbook if one == alert)
        yield replace(notification, group=alone, runbooks=parts, without_runbook=without)


def _event(
    notification: Notification, detail: Detail, form: Form, told: Mapping[str, Entries]
) -> Event:
    group = notification.group
    alerts = group.firing or group.alerts
    payload = {
        "summary": _summary(notification),
        "severity": form.severity.worst(alerts, notification.scale),
        **_fields(notification, alerts, form),
        "custom_details": details(notification, detail, told),
    }
    if moment := _moment(alerts):
        payload["timestamp"] = moment.isoformat(timespec="milliseconds")
    event = {
        "event_action": "trigger" if group.firing else "resolve",
        "dedup_key": _dedup_key(notification, alerts[0] if form.each else None),
        "payload": payload,
        "links": _links(notification),
    }
    if form.client:
        event["client"] = form.client
        pages = [form.client_url, *(part.url for part in notification.runbooks)]
        if page := next(filter(is_web, [*pages, notification.external_url]), ""):
            event["client_url"] = encoded(page)
    return event


def _dedup_key(notification: Notification, alert: Alert | None) -> str:
    """What PagerDuty knows the incident by: of 64 characters (it takes 255), and the same for
    whatever is told of that group, or of that alert, by this notifier."""
    what = ("alert", alert.fingerprint) if alert else ("group", notification.group.group_key)
    parts = (notification.receiver, notification.notifier, *what)
    # Lengths in front, so that no two identities are the same text.
    text = "".join(f"{len(part)}:{part}" for part in parts)
    return hashlib.sha256(text.encode(errors="backslashreplace")).hexdigest()


def _summary(notification: Notification) -> str:
    """What is read out on the phone: the title, then what the alert says of itself."""
    title, lines = "", []
    for piece in outline(replace(notification, runbooks=()), Detail.MINIMAL):
        if isinstance(piece, Title):
            title = str(piece)
        elif isinstance(piece, AlertLine):
            lines.append(piece)
    said = list(dict.fromkeys(line.text.removeprefix("resolved: ") for line in lines))
    text = title
    if said and said[0] != notification.group.alerts[0].name:
        text += f": {said[0]}" + ("; ..." if len(said) > 1 else "")
    if len(notification.group.alerts) == 1 and lines and lines[0].labels:
        text += f" ({lines[0].pairs(', ')})"
    return one_line(visible(text), MAX_SUMMARY)


def _fields(notification: Notification, alerts: Sequence[Alert], form: Form) -> dict[str, str]:
    found = {}
    for field, usual in FIELDS.items():
        names = form.labels.get(field, usual)
        values = dict.fromkeys(filter(None, (_first(alert, names) for alert in alerts)))
        if values:
            more = f" and {len(values) - 1} more" if len(values) > 1 else ""
            first = next(iter(values))
            found[field] = one_line(visible(first), _MAX_FIELD - len(more)) + more
    return {"source": _sender(notification.group)} | found


def _first(alert: Alert, names: Sequence[str]) -> str:
    """The first of these labels that the alert has."""
    return next((value for name in names if (value := alert.labels.get(name, "").strip())), "")


def _sender(group: AlertGroup) -> str:
    """Where an alert without any telling label comes from; PagerDuty wants a source."""
    host = urlsplit(group.external_url).hostname if is_web(group.external_url) else None
    return (host or "Alertmanager")[:_MAX_FIELD]


def _moment(alerts: Sequence[Alert]) -> datetime | None:
    """When the first of the alerts began, or the last was over."""
    if alerts[0].firing:
        return min(filter(None, (alert.started for alert in alerts)), default=None)
    return max(filter(None, (alert.ended for alert in alerts)), default=None)


def _links(notification: Notification) -> list[dict[str, str]]:
    pages = [
        (f"Runbook: {one_line(visible(part.title), _MAX_LINK_TEXT)}", part.url)
        for part in notification.runbooks[:_MAX_RUNBOOK_LINKS]
        if is_web(part.url)
    ]
    return [{"href": encoded(url), "text": text} for text, url in (*pages, *links(notification))]
