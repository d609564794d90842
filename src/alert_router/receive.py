"""Accepting a group: which receivers get which of its alerts, and what is stored.

Runbooks are decided later, at enrichment, so that a corrected one reaches pending deliveries.
"""

import random
import re
from collections.abc import Iterable
from dataclasses import dataclass
from hashlib import blake2b

from alert_router.model import Alert, AlertGroup
from alert_router.model.severity import STANDARD, Scale
from alert_router.outbox.model import Destination, NewGroup, Target
from alert_router.runtime import Runtime
from alert_router.tracing import valid

_REPEAT = "repeat interval elapsed"  # notification_reason since Alertmanager 0.32


@dataclass(frozen=True, slots=True)
class Source:
    """Where a body was posted: the receiver in the path and the `source` query, or empty."""

    receiver: str = ""
    source: str = ""


def by_receiver(group: AlertGroup, chosen: str, runtime: Runtime) -> dict[str, list[Alert]]:
    """The alerts of each receiver: all for the chosen receiver, or the tree's default if it is
    unknown; without a choice, as the tree routes them."""
    tree = runtime.tree
    if chosen:
        name = chosen if chosen in runtime.names else tree.default
        return {name: list(group.alerts)}
    routed: dict[str, list[Alert]] = {}
    for alert in group.alerts:
        for receiver in tree.match(alert.matching_labels):
            routed.setdefault(receiver, []).append(alert)
    return routed


def identity(group: AlertGroup, source: Source) -> bytes:
    """Identifies a group over its notifications: the receiver in the path, the source, the body's
    receiver and the group key. 16 bytes."""
    return _digest((source.receiver, source.source, group.receiver, group.group_key))


def content(group: AlertGroup) -> bytes:
    """Identifies the content of a group, to detect duplicates: its alerts, their status and times.

    Without URLs, which differ between the Alertmanagers of a pair. 16 bytes.
    """
    return _digest(
        sorted(
            "\0".join(
                (
                    alert.fingerprint,
                    alert.status,
                    alert.starts_at,
                    "" if alert.firing else alert.ends_at,
                )
            )
            for alert in group.alerts
        )
    )


def priority(alerts: Iterable[Alert], scale: Scale = STANDARD) -> int:
    """The priority of a delivery, by its worst alert, firing or not, so that a page does not queue
    behind warnings: 0 for the worst severity of the scale, 2 for the mildest, 1 between."""
    worst = min(map(scale.rank, alerts))
    if worst == 0:
        return 0
    return 2 if worst == len(scale.grades) - 1 else 1


def to_store(
    group: AlertGroup, raw: bytes, source: Source, runtime: Runtime, now: float
) -> NewGroup:
    """The group with a delivery for each notifier of each receiver its alerts are routed to."""
    targets = []
    for receiver, alerts in by_receiver(group, source.receiver, runtime).items():
        fingerprints = tuple(dict.fromkeys([alert.fingerprint for alert in alerts]))
        urgency = priority(alerts, runtime.scale)
        targets += [
            Target(Destination(receiver, notifier), fingerprints, urgency)
            for notifier in runtime.names.get(receiver, ())
        ]
    return NewGroup(
        id=new_id(now),
        identity=identity(group, source),
        content=content(group),
        body=raw,
        targets=tuple(targets),
        accepted_at=now,
        is_repeat=group.notification_reason == _REPEAT,
        is_over=not any(alert.firing for alert in group.alerts),
    )


_STORED = re.compile(rb',"traceparent":"([0-9a-f-]{55})"\}\Z')


def with_trace(body: bytes, traceparent: str) -> bytes:
    """The body, a JSON object, with a `traceparent` header as its last member; the body itself if
    the header is missing or invalid."""
    if not valid(traceparent):
        return body
    return b'%s,"traceparent":"%s"}' % (body.rstrip()[:-1], traceparent.encode())


def trace_of(body: bytes) -> str:
    """The `traceparent` header that was stored with a body; or empty."""
    stored = _STORED.search(body, max(0, len(body) - 100))
    return valid(stored[1].decode()) if stored else ""


def new_id(now: float) -> str:
    """An id for a group that is accepted at `now`, Unix seconds: a UUID of version 7 (RFC 9562),
    whose order is that of time, so that an index over ids grows at its end. It is not a secret, so
    fast randomness is enough."""
    time, noise = int(now * 1000), random.getrandbits(74)
    return (
        f"{time >> 16 & 0xFFFF_FFFF:08x}-{time & 0xFFFF:04x}-7{noise >> 62:03x}"
        f"-{0x8000 | noise >> 48 & 0x3FFF:04x}-{noise & 0xFFFF_FFFF_FFFF:012x}"
    )


def _digest(parts: tuple[str, ...] | list[str]) -> bytes:
    """A digest of parts that cannot run into each other, whatever characters they hold."""
    joined = "".join([f"{len(part)}:{part}" for part in parts])
    return blake2b(joined.encode("utf-8", "replace"), digest_size=16).digest()
