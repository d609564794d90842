"""The notifier `pagerduty`: Events API v2, a trigger and a resolve with one key per group or alert.

What events say is `event`'s; what a severity means is `severity`'s.
"""

import asyncio
from collections.abc import Sequence
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, PrivateAttr
from pydantic_core import from_json, to_json

from alert_router.fields import Secret, SecretUnavailable
from alert_router.notification import Detail, Notification
from alert_router.notify.answers import Dialect
from alert_router.notify.base import Delivered, Failed, Outcome, Reason, Remedy, Sending
from alert_router.notify.links import is_web
from alert_router.notify.outline import fit
from alert_router.notify.overhttp import HttpNotifier
from alert_router.notify.pagerduty import event
from alert_router.notify.pagerduty.event import Event, Form
from alert_router.notify.pagerduty.fields import Labels
from alert_router.notify.pagerduty.severity import Severities
from alert_router.notify.pagerduty.taken import Taken
from alert_router.notify.secrets import SecretField

URL = "https://events.pagerduty.com/v2/enqueue"
# 512 KB as sent (developer.pagerduty.com, Events API v2), and room for the routing key.
MAX_EVENT = 512_000
_ROOM = 1_000
_MAX_TOTAL = 8_000_000  # bytes of all events of a notification; beyond, less detail is told
_AT_ONCE = 8  # events on their way
_WAIT = 60.0  # seconds before PagerDuty is bothered again, where it does not say


def _address(text: str) -> str:
    if not is_web(text):
        raise ValueError(f"expected an address, as {URL}")
    return text


class PagerDutyNotifier(HttpNotifier):
    """Triggers and resolves in one service. An event sent twice is the same event to PagerDuty,
    so that a resend does no harm."""

    type: Literal["pagerduty"] = "pagerduty"
    routing_key: SecretField
    url: Annotated[str, AfterValidator(_address)] = URL
    dedup: Literal["group", "alert"] = "group"
    severity: Severities = Severities()
    labels: Labels = Labels()
    client: str = "Alert Router"
    client_url: str = ""
    _taken: Taken = PrivateAttr(default_factory=Taken)

    def render(self, notification: Notification, detail: Detail = Detail.FULL) -> bytes:
        """The events as a JSON list, without the routing key."""
        form = Form(self.dedup == "alert", self.severity, self.labels, self.client, self.client_url)
        found = fit(detail, lambda level: event.events(notification, level, form), _fits)
        return to_json([_cut(one) for one in found])

    async def notify(self, payload: bytes, sending: Sending) -> Outcome:
        try:
            key = self.routing_key.read()
        except SecretUnavailable as error:
            return Failed(Reason.MISCONFIGURED, str(error), Remedy.HOLD)
        events = from_json(payload)
        left = [one for one in events if not self._taken.has(one)]
        if len(left) == 1:
            outcome = await self._post(left[0], key, sending)
        else:
            outcome = await self._send(left, key, sending)
        if isinstance(outcome, Failed):
            return outcome
        self._taken.forget(events)
        return Delivered()

    async def _send(self, left: Sequence[Event], key: str, sending: Sending) -> Outcome:
        """All of these events, some at a time. One that PagerDuty refuses for what it says keeps
        no other from being sent; after any other failure the rest waits."""
        refused: Outcome = Delivered()
        try:
            async with asyncio.timeout(self.timeout):
                for start in range(0, len(left), _AT_ONCE):
                    some = left[start : start + _AT_ONCE]
                    for outcome in await asyncio.gather(
                        *(self._post(one, key, sending) for one in some)
                    ):
                        if not isinstance(outcome, Failed):
                            continue
                        if outcome.remedy is not Remedy.SMALLER:
                            return outcome
                        refused = outcome
        except TimeoutError:
            done = sum(map(self._taken.has, left))
            message = f"{done} of {len(left)} events were taken within {self.timeout:g} s"
            return Failed(Reason.TIMEOUT, message, in_doubt=True)
        return refused

    async def _post(self, one: Event, key: str, sending: Sending) -> Outcome:
        outcome = await self.post(
            sending,
            Secret(plain=self.url),
            to_json({"routing_key": key} | one),
            dialect=_DIALECT,
        )
        if isinstance(outcome, Delivered):
            self._taken.add(one)
        return outcome


def _fits(events: Sequence[Event]) -> bool:
    sizes = [len(to_json(one)) for one in events]
    return max(sizes) <= MAX_EVENT - _ROOM and sum(sizes) <= _MAX_TOTAL


def _cut(one: Event) -> Event:
    """The event within its limit: the last of its details, then its last links, go first."""
    told: dict[str, Any] = one["payload"]["custom_details"]
    while len(to_json(one)) > MAX_EVENT - _ROOM:
        if told:
            told.popitem()
        else:
            one["links"].pop()
    return one


def _agrees(answer: bytes) -> str | None:
    """PagerDuty says `"status": "success"`."""
    try:
        data = from_json(answer)
    except ValueError:
        data = None
    if isinstance(data, dict) and data.get("status") == "success":
        return None
    return answer.decode("utf-8", "replace") or "empty answer"


def _wrong_key(answer: bytes) -> bool:
    """Whether a 400 is about the routing key, which every event has."""
    words = answer.decode("utf-8", "replace").lower()
    return "routing key" in words or "routing_key" in words


_DIALECT = Dialect(agrees=_agrees, wait=lambda _: _WAIT, wrong_destination=_wrong_key)
