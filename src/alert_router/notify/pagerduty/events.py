"""A notification as PagerDuty events, without the routing key: one for the group, or one for each
alert. PagerDuty shows their details as plain text, without markup that an alert could use."""

import hashlib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Annotated, Any, Literal, get_args
from urllib.parse import urlsplit

from pydantic import AfterValidator, BaseModel, ConfigDict, Field

from alert_router.fields import is_web_url
from alert_router.markdown import Block, visible
from alert_router.model import Alert, AlertGroup
from alert_router.model.severity import Scale
from alert_router.notification import Detail, Notification, RunbookPart
from alert_router.notify import message, wording
from alert_router.notify.links import encoded, links
from alert_router.notify.message import outline
from alert_router.notify.plaintext import PlainTextRenderer
from alert_router.notify.wording import one_line

Event = dict[str, Any]

# developer.pagerduty.com, Events API v2, "Send an event": characters.
MAX_SUMMARY = 1024
# No limits are documented for these.
_MAX_LINK_TEXT = 200
_MAX_RUNBOOK_LINKS = 10
_MAX_FIELD = 255  # characters

EventSeverity = Literal["critical", "error", "warning", "info"]
SEVERITIES: tuple[EventSeverity, ...] = get_args(EventSeverity)  # the worst first


def _lower(values: dict[str, EventSeverity]) -> dict[str, EventSeverity]:
    return {value.lower(): word for value, word in values.items()}


class SeverityRules(BaseModel):
    """Which values of which label mean which of PagerDuty's severities.

    `values` come before the configuration's severities, which decide otherwise. Without a `label`,
    theirs is read. `default` is for values that neither has; without it, that of the configuration.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True)

    label: str = ""
    """The label to read; that of `severities` if not set."""
    values: Annotated[dict[str, EventSeverity], AfterValidator(_lower)] = {}
    """PagerDuty's severity for values of the label."""
    default: EventSeverity | None = None
    """PagerDuty's severity for all other values; that of `severities` if not set."""

    def worst(self, alerts: Iterable[Alert], scale: Scale) -> EventSeverity:
        """The worst severity of these alerts."""
        found = {self._of(alert, scale) for alert in alerts}
        return next(word for word in SEVERITIES if word in found)

    def _of(self, alert: Alert, scale: Scale) -> str:
        value = alert.labels.get(self.label or scale.label, "")
        if own := self.values.get(value.lower()):
            return own
        grade = scale.find(value)
        if grade is None and self.default:
            return self.default
        return (grade or scale.otherwise).level


LabelNames = tuple[str, ...]


class FieldLabels(BaseModel):
    """The labels that each of PagerDuty's fields is taken from, the first one wanted first."""

    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True)

    source: LabelNames = (
        "instance",
        "node",
        "host",
        "hostname",
        "pod",
        "service",
        "job",
        "cluster",
    )
    """Labels for `source`; the first that the alert has."""
    component: LabelNames = (
        *("component", "service", "app", "deployment", "statefulset", "container", "job"),
    )
    """Labels for `component`."""
    group: LabelNames = ("namespace", "environment", "cluster")
    """Labels for `group`."""
    class_: LabelNames = Field(("alertname",), alias="class")
    """Labels for `class`."""

    def values(self, group: AlertGroup, alerts: Sequence[Alert]) -> dict[str, str]:
        """The fields that these alerts have labels for; PagerDuty requires a source."""
        host = urlsplit(group.external_url).hostname if is_web_url(group.external_url) else None
        found = {"source": (host or "Alertmanager")[:_MAX_FIELD]}
        for field, names in self.model_dump(by_alias=True).items():
            values = dict.fromkeys(filter(None, (_first(alert, names) for alert in alerts)))
            if values:
                more = f" and {len(values) - 1} more" if len(values) > 1 else ""
                first = next(iter(values))[: 4 * _MAX_FIELD]  # it may be megabytes
                found[field] = one_line(visible(first), _MAX_FIELD - len(more)) + more
        return found


def _first(alert: Alert, names: LabelNames) -> str:
    """The first of these labels that the alert has."""
    return next((value for name in names if (value := alert.labels.get(name, "").strip())), "")


@dataclass(frozen=True, slots=True)
class EventForm:
    """How events are filled in: whether there is one for each alert or one for the group, the
    labels that fields are taken from, and the name of the sender."""

    each: bool
    severity: SeverityRules
    labels: FieldLabels
    client: str
    client_url: str


def events(notification: Notification, detail: Detail, form: EventForm) -> list[Event]:
    """The events, firing ones first."""
    # The same for every event, and expensive: made once.
    sections = {part.id: _sections(notification, part, detail) for part in notification.runbooks}
    return [_event(one, detail, form, sections) for one in _split(notification, form)]


def _split(notification: Notification, form: EventForm) -> Iterator[Notification]:
    """The notification, or a notification for each of its alerts."""
    group = notification.group
    if not form.each:
        yield notification
        return
    # Where two alerts have one fingerprint, it fires if either does.
    alerts = {alert.fingerprint: alert for alert in (*group.resolved, *group.firing)}
    of = [(part, {alert.fingerprint for alert in part.alerts}) for part in notification.runbooks]
    bare = {alert.fingerprint for alert in notification.without_runbook}
    telling = tuple(wording.differing(group))
    for name, alert in sorted(alerts.items(), key=lambda item: not item[1].firing):
        parts = tuple(_for(part, alert) for part, names in of if name in names)
        alone = group.with_alerts((alert,)).model_copy(update={"truncated_alerts": 0})
        without = (alert,) if name in bare else ()
        yield replace(
            notification, group=alone, runbooks=parts, without_runbook=without, telling=telling
        )


def _for(part: RunbookPart, alert: Alert) -> RunbookPart:
    """The runbook as it is for one alert, without a note that the commands are for this alert."""
    whose = part.commands_for
    own = whose is None or whose.fingerprint == alert.fingerprint
    return replace(part, alerts=(alert,), commands_for=None if own else whose)


Entries = list[tuple[str, str]]  # headings and texts, in order


def _event(
    notification: Notification, detail: Detail, form: EventForm, sections: Mapping[str, Entries]
) -> Event:
    group = notification.group
    alerts = group.firing or group.alerts
    payload = {
        "summary": visible(wording.push(notification, MAX_SUMMARY))[:MAX_SUMMARY],
        "severity": form.severity.worst(alerts, notification.scale),
        **form.labels.values(group, alerts),
        "custom_details": _details(notification, detail, sections),
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
        if page := next(filter(is_web_url, [*pages, notification.external_url]), ""):
            event["client_url"] = encoded(page)
    return event


def _dedup_key(notification: Notification, alert: Alert | None) -> str:
    """The key of PagerDuty's incident: 64 characters (it accepts 255), the same for everything
    about that group, or that alert, by this notifier."""
    what = ("alert", alert.fingerprint) if alert else ("group", notification.group.group_key)
    parts = (notification.receiver, notification.notifier, *what)
    # Lengths in front, so that no two identities are the same text.
    text = "".join(f"{len(part)}:{part}" for part in parts)
    return hashlib.sha256(text.encode(errors="backslashreplace")).hexdigest()


def _moment(alerts: Sequence[Alert]) -> datetime | None:
    """When the first of the alerts began, or the last was resolved."""
    if alerts[0].firing:
        return min(filter(None, (alert.started for alert in alerts)), default=None)
    return max(filter(None, (alert.ended for alert in alerts)), default=None)


def _links(notification: Notification) -> list[dict[str, str]]:
    pages = [
        (f"Runbook: {one_line(visible(part.title), _MAX_LINK_TEXT)}", part.url)
        for part in notification.runbooks[:_MAX_RUNBOOK_LINKS]
        if is_web_url(part.url)
    ]
    others = [(visible(words), url) for words, url in links(notification)]
    return [{"href": encoded(url), "text": text} for text, url in (*pages, *others)]


class EventRenderer(PlainTextRenderer):
    """The title is in the summary, and links are a field of their own."""

    def alert(self, part: message.AlertLine) -> Iterable[str]:
        yield visible("\n    ".join(part.lines()))

    def template_text(self, blocks: Sequence[Block]) -> Iterable[str]:
        yield visible(self.joined_blocks(blocks))


def _sections(notification: Notification, part: RunbookPart, detail: Detail) -> Entries:
    """A runbook's sections with as much of their steps as `detail` allows."""
    # No alerts are shown here, so that there need not be hundreds for each runbook.
    group = notification.group.with_alerts(notification.group.alerts[:1])
    alone = replace(notification, group=group, runbooks=(part,), without_runbook=(), notes=())
    found: list[tuple[str, list[str]]] = []
    for piece in outline(alone, detail):
        texts = EventRenderer().part(piece)
        if isinstance(piece, message.SectionTitle):
            found.append((visible(piece.text), []))
        elif isinstance(piece, message.Body | message.StepLine):
            found[-1][1].extend(texts)
    between = "\n\n" if detail > Detail.TITLES else "\n"
    return [(heading, between.join(texts)) for heading, texts in found]


def _details(
    notification: Notification, detail: Detail, sections: Mapping[str, Entries]
) -> dict[str, str]:
    """The alerts, the notes, and each runbook with its sections, as text under short headings."""
    bare = tuple(replace(part, sections=()) for part in notification.runbooks)
    alerts: list[str] = []
    notes: list[str] = []
    entries: Entries = []
    runbooks = iter(bare)
    for piece in outline(replace(notification, runbooks=bare, resent=False), detail):
        texts = EventRenderer().part(piece)
        match piece:
            case (
                message.CommonFacts()
                | message.AlertLine()
                | message.More()
                | message.TemplateText()
            ):
                alerts += texts
            case message.Note():
                notes += texts
            case message.RunbookTitle():
                entries.append(("Runbook", "".join(texts).strip("\n")))
                entries += sections.get(next(runbooks).id, ())
    top = [("Alerts", "\n".join(alerts)), ("Note", "\n".join(notes))]
    return _numbered([*top, *entries])


def _numbered(entries: Entries) -> dict[str, str]:
    """The texts by heading; one that comes again is numbered."""
    named: dict[str, str] = {}
    for heading, text in entries:
        if not text:
            continue
        key, number = heading, 1
        while key in named:
            number += 1
            key = f"{heading} ({number})"
        named[key] = text
    return named
