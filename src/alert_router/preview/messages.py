"""What each destination would receive, rendered with the router's own code and drawn."""

import json
import time
from collections.abc import Iterable
from dataclasses import dataclass
from math import inf
from typing import Any

from alert_router.deliver import compose
from alert_router.deliver.compose import fold, wanted
from alert_router.model import Alert, AlertGroup
from alert_router.notify.base import Notifier
from alert_router.notify.registry import NOTIFIERS
from alert_router.outbox.model import Claim, Destination, WaitingGroup
from alert_router.preview.drawing import Drawing, code_block, draw
from alert_router.receive import Source, by_receiver, to_store
from alert_router.runtime import Runtime

_MOST_RAW = 20_000  # characters of a payload as data
_GROUP = "00000000-0000-7000-8000-000000000000"  # no group has this id; links look as they do


# Why a notifier was sent nothing, by the key that filtered every alert of the group.
SKIP_REASONS = {
    "send_resolved": "skipped: `send_resolved` is false",
    "min_severity": "skipped: below `min_severity`",
    "time": "not rendered: the others took too long",
}


@dataclass(frozen=True, slots=True)
class Preview:
    """What one destination would receive. `payload` is None if the notifier's key `skipped_by`
    filters every alert of the group, or if there was not enough time."""

    destination: Destination
    notifier: Notifier
    payload: Any
    skipped_by: str = ""

    @property
    def readable(self) -> Any:
        """The payload as text or data; None if there is none."""
        return None if self.payload is None else self.notifier.readable(self.payload)


@dataclass(frozen=True, slots=True)
class ShownMessage:
    """What a destination would receive; `skipped` says why it would receive nothing."""

    to: str
    type: str
    skipped: str = ""
    drawing: Drawing | None = None
    raw: str = ""


def make_previews(
    raw: bytes,
    runtime: Runtime,
    receiver: str,
    chosen: tuple[str, ...] = (),
    seconds: float = inf,
) -> list[Preview]:
    """The previews for a webhook body, in the order of its receivers. With `chosen`, as if each
    receiver had one notifier of each of these types. No message is begun after so many seconds.
    Raises PayloadError."""
    deadline = time.monotonic() + seconds
    group, raw = AlertGroup.within(runtime.limits, raw)
    stored = to_store(group, raw, Source(receiver), runtime, time.time())
    targets = {target.destination: target.fingerprints for target in stored.targets}
    notifiers: dict[Destination, Notifier] = dict(runtime.notifiers)
    if chosen:
        routed = by_receiver(group, receiver, runtime)
        notifiers = {
            Destination(name, type_): _of_type(type_) for name in routed for type_ in chosen
        }
        targets = {to: _fingerprints(routed[to.receiver]) for to in notifiers}
    found = []
    for destination, fingerprints in targets.items():
        notifier = notifiers[destination]
        if time.monotonic() > deadline:
            found.append(Preview(destination, notifier, None, "time"))
            continue
        claim = Claim(
            id=stored.id,
            lane=0,
            fence=0,
            destination=destination,
            groups=(WaitingGroup(0, _GROUP, raw, fingerprints, stored.accepted_at),),
            attempt=1,
        )
        found.append(preview_claim(claim, notifier, runtime))
    return found


def _fingerprints(alerts: Iterable[Alert]) -> tuple[str, ...]:
    return tuple(alert.fingerprint for alert in alerts)


def preview_claim(claim: Claim, notifier: Notifier, runtime: Runtime) -> Preview:
    """What the notifier would send now for a claim."""
    group = wanted(fold(claim.groups, runtime.limits), notifier, runtime.scale)
    if isinstance(group, str):
        return Preview(claim.destination, notifier, None, group)
    notification = compose.write(claim, group, notifier, runtime)
    notification, _ = compose.word(notification, notifier)
    payload, _ = compose.render(notification, notifier, compose.most_detail(claim))
    return Preview(claim.destination, notifier, payload)


def _of_type(type_: str) -> Notifier:
    """A notifier of that type with its defaults. It is not validated and needs neither secret nor
    URL: it can render, but not send."""
    return NOTIFIERS[type_].model_construct(type=type_)


def shown_message(it: Preview) -> ShownMessage:
    """A preview as pages show it."""
    to, type_ = f"{it.destination.receiver}/{it.destination.notifier}", it.notifier.type
    if it.payload is None:
        return ShownMessage(to, type_, SKIP_REASONS.get(it.skipped_by, it.skipped_by))
    drawing, raw = draw(type_, it.readable), _data(it.readable)
    if drawing.theme == "data":  # it may be as large as the payload
        drawing, raw = Drawing((code_block(raw),)), ""
    return ShownMessage(to, type_, drawing=drawing, raw=raw)


def _data(payload: Any) -> str:
    text = payload
    if not isinstance(payload, str):
        text = json.dumps(payload, indent=2, ensure_ascii=False)
    return text if len(text) <= _MOST_RAW else f"{text[:_MOST_RAW]}…"
