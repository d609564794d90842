"""A notification as events of PagerDuty's Events API v2, without the routing key: one for the
group, or one for each alert. Pure.

How events get there is `notifier`'s.
"""

import hashlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from alert_router.markdown import visible
from alert_router.model import Alert
from alert_router.notification import Detail, Notification, RunbookPart
from alert_router.notify.links import encoded, is_web, links
from alert_router.notify.outline import AlertLine, Title, outline
from alert_router.notify.pagerduty.details import Entries, details, sections
from alert_router.notify.pagerduty.fields import Labels, fields
from alert_router.notify.pagerduty.severity import Severities
from alert_router.notify.summary import one_line

Event = dict[str, Any]

# developer.pagerduty.com, Events API v2, "Send an event": characters, and for a whole event bytes.
MAX_SUMMARY = 1024
# No limits are documented for these.
_MAX_LINK_TEXT = 200
_MAX_RUNBOOK_LINKS = 10


@dataclass(frozen=True, slots=True)
class Form:
    """How events are filled in: whether one stands for an alert or for the group, the labels
    that each field is taken from, and who is named as the sender."""

    each: bool
    severity: Severities
    labels: Labels
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
    of = [(part, {alert.fingerprint for alert in part.alerts}) for part in notification.runbooks]
    bare = {alert.fingerprint for alert in notification.without_runbook}
    for name, alert in sorted(alerts.items(), key=lambda item: not item[1].firing):
        parts = tuple(_for(part, alert) for part, names in of if name in names)
        alone = group.with_alerts((alert,)).model_copy(update={"truncated_alerts": 0})
        without = (alert,) if name in bare else ()
        yield replace(notification, group=alone, runbooks=parts, without_runbook=without)


def _for(part: RunbookPart, alert: Alert) -> RunbookPart:
    """The runbook as it is for one alert, which need not be told that the commands are its own."""
    whose = part.commands_for
    own = whose is None or whose.fingerprint == alert.fingerprint
    return replace(part, alerts=(alert,), commands_for=None if own else whose)


def _event(
    notification: Notification, detail: Detail, form: Form, told: Mapping[str, Entries]
) -> Event:
    group = notification.group
    alerts = group.firing or group.alerts
    payload = {
        "summary": _summary(notification),
        "severity": form.severity.worst(alerts, notification.scale),
        **fields(notification.group, alerts, form.labels),
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
