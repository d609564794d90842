"""The notifier `pagerduty`: events of the Events API v2, one for the group, or one for each alert.

PagerDuty shows their details as plain text, without markup that an alert could use.
"""

import asyncio
import hashlib
from collections import OrderedDict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Annotated, Any, Literal, get_args
from urllib.parse import urlsplit

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, PrivateAttr
from pydantic_core import to_json

from alert_router.fields import ApiUrl, SecretField, is_web_url
from alert_router.markdown import Block, visible
from alert_router.model import Alert, AlertGroup
from alert_router.model.severity import Scale
from alert_router.notification import Detail, Notification, RunbookPart
from alert_router.notify import message, wording
from alert_router.notify.base import Delivered, Failed, Outcome, Reason, Remedy, Sending
from alert_router.notify.http import Answer, AnswerRules, HttpNotifier
from alert_router.notify.links import encoded, links
from alert_router.notify.message import fit, outline
from alert_router.notify.render import PlainTextRenderer
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


# 512 KB as sent (developer.pagerduty.com, Events API v2), and room for the routing key.
MAX_EVENT = 512_000
_ROOM = 1_000
_MAX_TOTAL = 8_000_000  # bytes of all events of a notification; beyond, detail is given up
_AT_ONCE = 8  # events on their way
_WAIT = 60.0  # seconds before the next attempt, where PagerDuty does not say
_MAX_SENT = 20_000  # events that are remembered; the oldest are forgotten


class SentEvents:
    """The events that were accepted in an attempt that failed as a whole, so that the next attempt
    goes on from there and ends, however many there are and however few a minute are accepted.

    Kept in the process only: after a restart all are sent again, which is harmless.
    """

    def __init__(self) -> None:
        self._last: OrderedDict[str, bytes] = OrderedDict()

    def add(self, event: Event) -> None:
        """The event was accepted."""
        self._last[event["dedup_key"]] = _digest(event)
        self._last.move_to_end(event["dedup_key"])
        while len(self._last) > _MAX_SENT:
            self._last.popitem(last=False)

    def has(self, event: Event) -> bool:
        """Whether the last event that was accepted under its key is the same, details aside."""
        return self._last.get(event["dedup_key"]) == _digest(event)

    def forget(self, done: Iterable[Event]) -> None:
        """All events of a notification were accepted: the next ones under their keys are new."""
        for event in done:
            self._last.pop(event["dedup_key"], None)


def _digest(event: Event) -> bytes:
    # Without details: there are fewer when it is sent again smaller.
    payload = {name: v for name, v in event["payload"].items() if name != "custom_details"}
    return hashlib.sha256(to_json([event["event_action"], payload, event["links"]])).digest()


def _wrong_key(answer: Answer) -> bool:
    """Whether a 400 is about the routing key, which every event has."""
    text = answer.text.lower()
    return "routing key" in text or "routing_key" in text


class PagerDutyNotifier(HttpNotifier):
    """Triggers and resolves in one service. An event sent twice is the same event to PagerDuty,
    so that a resend is harmless."""

    rules = AnswerRules(
        confirms=lambda answer: answer.data.get("status") == "success",
        is_misconfigured=_wrong_key,
        wait=lambda _: _WAIT,
    )

    type: Literal["pagerduty"] = "pagerduty"
    routing_key: SecretField
    """The integration key of an Events API V2 integration."""
    url: ApiUrl = "https://events.pagerduty.com/v2/enqueue"
    """The Events API, for the EU region or a proxy."""
    dedup: Literal["group", "alert"] = "group"
    """`group` makes one PagerDuty alert of an alert group, `alert` one of each alert."""
    severity: SeverityRules = SeverityRules()
    """Which of PagerDuty's severities an event has."""
    labels: FieldLabels = FieldLabels()
    """The labels that PagerDuty's fields are taken from."""
    client: str = "Alert Router"
    """The name of the sender in PagerDuty."""
    client_url: str = ""
    """Where the link with that name leads; the runbook page if not set."""
    _sent: SentEvents = PrivateAttr(default_factory=SentEvents)

    def render(self, notification: Notification, detail: Detail = Detail.FULL) -> list[Event]:
        """The events, without the routing key."""
        form = EventForm(
            self.dedup == "alert", self.severity, self.labels, self.client, self.client_url
        )
        found = fit(detail, lambda level: events(notification, level, form), _fits)
        return [_cut(event) for event in found]

    async def notify(self, payload: list[Event], sending: Sending) -> Outcome:
        key = self.routing_key.read()
        left = [event for event in payload if not self._sent.has(event)]
        if len(left) == 1:
            outcome = await self._post(left[0], key, sending)
        else:
            outcome = await self._post_all(left, key, sending)
        if isinstance(outcome, Failed):
            return outcome
        self._sent.forget(payload)
        return Delivered()

    async def _post_all(self, left: Sequence[Event], key: str, sending: Sending) -> Outcome:
        """All of these events, some at a time. One that PagerDuty refuses for its content does not
        stop the others; after any other failure the rest waits."""
        refused: Outcome = Delivered()
        try:
            async with asyncio.timeout(self.timeout):
                for start in range(0, len(left), _AT_ONCE):
                    some = left[start : start + _AT_ONCE]
                    for outcome in await asyncio.gather(
                        *(self._post(event, key, sending) for event in some)
                    ):
                        if not isinstance(outcome, Failed):
                            continue
                        if outcome.remedy is not Remedy.SMALLER:
                            return outcome
                        refused = outcome
        except TimeoutError:
            done = sum(map(self._sent.has, left))
            why = f"{done} of {len(left)} events were accepted within {self.timeout:g} s"
            return Failed(Reason.TIMEOUT, why, in_doubt=True)
        return refused

    async def _post(self, event: Event, key: str, sending: Sending) -> Outcome:
        outcome = await self.post(sending, self.url, {"routing_key": key} | event)
        if isinstance(outcome, Delivered):
            self._sent.add(event)
        return outcome


def _fits(found: Sequence[Event]) -> bool:
    sizes = [len(to_json(event)) for event in found]
    return max(sizes) <= MAX_EVENT - _ROOM and sum(sizes) <= _MAX_TOTAL


def _cut(event: Event) -> Event:
    """The event within its limit: the last of its details go first, then its last links."""
    details: dict[str, str] = event["payload"]["custom_details"]
    while len(to_json(event)) > MAX_EVENT - _ROOM:
        if details:
            details.popitem()
        else:
            event["links"].pop()
    return event
