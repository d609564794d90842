"""What each destination would be sent: routed, enriched and rendered by the router's own code.

How it looks there is `looks`'.
"""

import time
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from alert_router.deliver import compose
from alert_router.deliver.compose import fold, wanted
from alert_router.model import Alert, AlertGroup
from alert_router.notify.base import Notifier
from alert_router.notify.registry import NOTIFIERS
from alert_router.outbox.model import Claim, Destination, WaitingGroup
from alert_router.receive import Source, to_store
from alert_router.server.runtime import Runtime


@dataclass(frozen=True, slots=True)
class Preview:
    """What one destination would be sent; `payload` is None where it would be sent nothing,
    since the notifier's key `unwanted` leaves nothing."""

    destination: Destination
    notifier: Notifier
    payload: Any
    unwanted: str = ""

    @property
    def readable(self) -> Any:
        """The payload as text or data; None where there is none."""
        return None if self.payload is None else self.notifier.readable(self.payload)


def make(
    raw: bytes, snapshot: Runtime, receiver: str, chosen: tuple[str, ...] = ()
) -> list[Preview]:
    """The previews of a body, in the order of its receivers; as if each receiver had a notifier
    of each of the chosen types, if there are any. Raises PayloadError."""
    group, raw = AlertGroup.within(snapshot.state.limits.body, raw)
    stored = to_store(group, raw, Source(receiver), snapshot.state.receivers, time.time())
    targets = {target.destination: target.fingerprints for target in stored.targets}
    notifiers: dict[Destination, Notifier] = dict(snapshot.notifiers)
    if chosen:
        routed = snapshot.state.receivers.choose(group, receiver)
        notifiers = {
            Destination(name, type_): _of_type(type_) for name in routed for type_ in chosen
        }
        targets = {to: _fingerprints(routed[to.receiver]) for to in notifiers}
    return [
        _preview(
            Claim(
                id=stored.id,
                lane=0,
                fence=0,
                destination=destination,
                groups=(WaitingGroup(0, stored.id, raw, fingerprints, stored.accepted_at),),
                attempt=1,
            ),
            notifiers[destination],
            snapshot,
        )
        for destination, fingerprints in targets.items()
    ]


def _fingerprints(alerts: Iterable[Alert]) -> tuple[str, ...]:
    return tuple(alert.fingerprint for alert in alerts)


def _preview(claim: Claim, notifier: Notifier, snapshot: Runtime) -> Preview:
    group = wanted(fold(claim.groups, snapshot.desk.limits), notifier, snapshot.desk.scale)
    if isinstance(group, str):
        return Preview(claim.destination, notifier, None, group)
    notification = compose.write(claim, group, notifier, snapshot.desk)
    notification, _ = compose.word(notification, notifier)
    payload, _ = compose.render(notification, notifier, compose.most_detail(claim))
    return Preview(claim.destination, notifier, payload)


def _of_type(type_: str) -> Notifier:
    """A notifier of that type with its defaults: never validated, so that it needs no secret
    and no address; it renders, and cannot send."""
    return NOTIFIERS[type_].model_construct(type=type_)
