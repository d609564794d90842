"""Claiming: the lanes of a destination that are due, most urgent first, each with a lease."""

import json
import os
import time
from typing import NamedTuple
from uuid import UUID

from alert_router.outbox.model import Claim, Destination, Probe, WaitingGroup
from alert_router.outbox.sqlite import health
from alert_router.outbox.sqlite.queries import query
from alert_router.outbox.sqlite.session import Session


def webhook_id() -> str:
    """A UUID of version 7 (RFC 9562): 48 bits of unix milliseconds, then randomness."""
    milliseconds = time.time_ns() // 1_000_000
    number = milliseconds << 80 | int.from_bytes(os.urandom(10))
    number = number & ~(0xF << 76) | 0x7 << 76
    return str(UUID(int=number & ~(0b11 << 62) | 0b10 << 62))


_READY_LANES = query("ready_lanes")
_LATER_LANES = query("later_lanes")
_NEXT_PRIORITY = query("next_priority")
_WAITING_IN_LANE = query("waiting_in_lane")
_TAKE_LEASE = query("take_lease")

MOST_ROWS = 1000  # of a batch
MOST_BYTES = 4 * 1024 * 1024  # of bodies in a batch, and in all batches of one call
_NO_END = 2**63 - 1

# Of those that a back-off has just made due, so many more than wanted are looked at for the
# oldest; where more become due at once, it is the oldest of these.
_SPARE = 64

# Lanes among which a probe may choose, so that one message that is always refused does not keep
# a destination from being found well.
_FEW = 16


class _Lane(NamedTuple):
    priority: int
    oldest: float
    id: int
    fence: int
    batch: str | None
    batch_end: int
    leased: int
    attempts: int
    crashes: int
    smaller: int
    reference: str | None


def claim(
    session: Session,
    destination: Destination,
    limit: int,
    now: float,
    lease: float,
    fold: bool,
    probe: Probe | None = None,
) -> list[Claim]:
    """As `Outbox.claim`. Writes nothing where nothing is due."""
    key = session.find(destination)
    if key is None or limit <= 0:
        return []
    if probe is None and now < health.of(session, key).next_at:
        return []
    lanes = _next_lanes(session, key, _FEW if probe else limit, now)
    if not lanes:
        return []
    most_urgent = lanes[0].priority
    if probe is Probe.OTHER:
        lanes.sort(key=lambda lane: lane.attempts)
    if probe is not None:
        lanes = lanes[:1]
    claims: list[Claim] = []
    room = MOST_BYTES
    for lane in lanes:
        groups = _batch(session, lane, room, fold)
        size = sum(len(group.body) for group in groups)
        if claims and size > room:  # it alone is larger than what the others leave
            break
        room -= size
        claims.append(_take(session, destination, lane, groups, now + lease, most_urgent))
        if room <= 0:
            break
    return claims


def _next_lanes(session: Session, destination: int, limit: int, now: float) -> list[_Lane]:
    """The lanes that are due, the most urgent first, then the oldest; at most `limit`."""
    found = session.execute(_READY_LANES, (destination, limit)).fetchall()
    (priority,) = session.execute(_NEXT_PRIORITY, (destination, -_NO_END)).fetchone()
    while priority is not None:
        values = (destination, priority, now, limit + _SPARE)
        found += session.execute(_LATER_LANES, values).fetchall()
        (priority,) = session.execute(_NEXT_PRIORITY, (destination, priority)).fetchone()
    found.sort(key=lambda row: row[:3])
    return [_Lane(*row) for row in found[:limit]]


def _batch(session: Session, lane: _Lane, room: int, fold: bool) -> tuple[WaitingGroup, ...]:
    """What the claim of a lane covers: all that waits, within bounds, or the batch that is in
    doubt, whatever its size."""
    again = lane.batch is not None
    most = MOST_ROWS if fold or again else 1
    values = (lane.id, lane.batch_end if again else _NO_END, most)
    groups: list[WaitingGroup] = []
    for delivery, group, body, fingerprints, accepted_at, origin in session.execute(
        _WAITING_IN_LANE, values
    ):
        room -= len(body)
        if groups and room < 0 and not again:
            break
        names = tuple(json.loads(fingerprints))
        instead_of = session.named(origin) if origin is not None else None
        shared = session.shared(group, body)
        groups.append(WaitingGroup(delivery, group, shared, names, accepted_at, instead_of))
    return tuple(groups)


def _take(
    session: Session,
    destination: Destination,
    lane: _Lane,
    groups: tuple[WaitingGroup, ...],
    until: float,
    most_urgent: int,
) -> Claim:
    """Write the claim of a lane down. A lease found on it has run out: nobody settled it."""
    id_ = lane.batch or session.new_id()
    crashes = lane.crashes + lane.leased
    session.execute(_TAKE_LEASE, (until, id_, groups[-1].delivery, crashes, lane.id))
    return Claim(
        id=id_,
        lane=lane.id,
        fence=lane.fence + 1,
        destination=destination,
        groups=groups,
        attempt=lane.attempts + 1,
        crashes=crashes,
        resent=lane.batch is not None,
        smaller=bool(lane.smaller),
        reference=lane.reference,
        most_urgent=most_urgent,
    )
