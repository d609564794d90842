"""The notifier's keys, and how events are sent."""

import asyncio
import hashlib
from collections import OrderedDict
from collections.abc import Iterable, Sequence
from typing import Literal

from pydantic import PrivateAttr
from pydantic_core import to_json

from alert_router.fields import ApiUrl, SecretField
from alert_router.notification import Detail, Notification
from alert_router.notify.base import Delivered, Failed, Outcome, Reason, Remedy, Sending
from alert_router.notify.http_notifier import HttpNotifier
from alert_router.notify.message import fit
from alert_router.notify.pagerduty.events import (
    Event,
    EventForm,
    FieldLabels,
    SeverityRules,
    events,
)
from alert_router.notify.responses import Answer, AnswerRules

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
