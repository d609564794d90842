"""Claiming: the lanes of a destination that are due, most urgent first, each with a lease."""

import json
import os
import time
from collections.abc import AsyncIterator, Collection, Sequence
from dataclasses import dataclass, replace
from typing import Any, NamedTuple
from uuid import UUID

from alert_router.fields import Rate
from alert_router.outbox.model import Claim, Destination, Probe, WaitingGroup
from alert_router.outbox.operations import health, maintenance
from alert_router.outbox.operations.session import Session
from alert_router.outbox.operations.settle import free


def webhook_id() -> str:
    """A UUID of version 7 (RFC 9562): 48 bits of unix milliseconds, then randomness."""
    milliseconds = time.time_ns() // 1_000_000
    number = milliseconds << 80 | int.from_bytes(os.urandom(10))
    number = number & ~(0xF << 76) | 0x7 << 76
    return str(UUID(int=number & ~(0b11 << 62) | 0b10 << 62))


MOST_ROWS = 1000  # of a batch
MOST_BYTES = 4 * 1024 * 1024  # of bodies in a batch, and in all batches of one call
_NO_END = 2**63 - 1
_NO_PRIORITY = -(2**15)

# Of those that a back-off has just made due, so many more than wanted are looked at for the
# oldest; where more become due at once, it is the oldest of these.
_SPARE = 64

# Lanes among which a probe may choose, so that one message that is always refused does not keep
# a destination from being found well.
_FEW = 16


@dataclass(frozen=True, slots=True)
class Wanted:
    """What a caller of `Outbox.claim` asks for."""

    owner: str
    limit: int
    now: float
    lease: float
    fold: bool
    probe: Probe | None = None
    rate: Rate | None = None
    changes: bool = False


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
    change_due: float
    changed_at: float


async def claim(session: Session, destination: Destination, wanted: Wanted) -> list[Claim]:
    """As `Outbox.claim`. Writes nothing where nothing is due."""
    key = await session.find(destination)
    if key is None or wanted.limit <= 0:
        return []
    if session.is_shared:
        wanted = await _permitted(session, destination, key, wanted)
    limit, probe, now = wanted.limit, wanted.probe, wanted.now
    if limit <= 0 or (probe is None and now < (await health.of(session, key)).next_at):
        return []
    lanes = await _next_lanes(session, key, _FEW if probe else limit, now)
    if not lanes:
        may_change = wanted.changes and probe is None
        return await _changes(session, destination, key, wanted) if may_change else []
    most_urgent = lanes[0].priority
    if probe is Probe.OTHER:
        lanes.sort(key=lambda lane: lane.attempts)
    if probe is not None:
        lanes = lanes[:1]
        if session.is_shared:
            await session.run("begin_probe", (now + wanted.lease, lanes[0].id, key))
    claims: list[Claim] = []
    leases: list[tuple[Any, ...]] = []
    room = MOST_BYTES
    asked = [_asked(lane, wanted.fold) for lane in lanes]
    small = await session.small_batches(asked, room)
    for lane, values in zip(lanes, asked, strict=True):
        rows = _each_of(small[lane.id]) if lane.id in small else None
        found = rows or session.each("waiting_in_lane", values)
        groups = await _batch(session, lane, room, found)
        size = sum(len(group.body) for group in groups)
        if claims and size > room:  # it alone is larger than what the others leave
            break
        room -= size
        claims.append(_claim(session, destination, lane, groups, most_urgent))
        leases.append(_lease(claims[-1], wanted))
        if room <= 0:
            break
    await session.run_all("take_lease", leases)
    taken = {claim.lane for claim in claims}
    changed = [(now, lane.id) for lane in lanes if lane.id in taken and lane.change_due]
    await session.run_all("take_change", changed)
    return claims


async def _changes(
    session: Session, destination: Destination, key: int, wanted: Wanted
) -> list[Claim]:
    """Claims of lanes whose messages do not say yet what people did."""
    claims: list[Claim] = []
    room, now = MOST_BYTES, wanted.now
    for row in await session.rows("lanes_to_change", (key, now, wanted.limit)):
        lane = _Lane(*row)
        rows = session.each("last_batch", (lane.id, lane.id, MOST_ROWS))
        groups = await _batch(session, lane, _NO_END, rows)  # all: the newest is the last
        if not groups:  # something newer could not be sent, or was not to be: it stays as it is
            await session.run("take_change", (lane.changed_at, lane.id))
            continue
        room -= sum(len(group.body) for group in groups)
        if claims and room < 0:
            break
        claims.append(replace(_claim(session, destination, lane, groups, 1), only_change=True))
    await session.run_all("take_lease", [_lease(claim, wanted) for claim in claims])
    await session.run_all("take_change", [(now, claim.lane) for claim in claims])
    return claims


async def _permitted(
    session: Session, destination: Destination, key: int, wanted: Wanted
) -> Wanted:
    """What of it is allowed, where services that share the store ask one after the other about a
    destination that is failing or has a rate. The caller may not know yet that it is failing."""
    known = await health.of(session, key)
    if wanted.probe is None and wanted.rate is None and not known.is_failing:
        return wanted
    (probing_until,) = await session.one("lock_destination", (key,))
    known, now = await health.of(session, key), wanted.now
    probe, limit = wanted.probe, wanted.limit
    if probe is None and known.is_failing and now >= known.next_at:
        probe = Probe.URGENT
    if probe is not None and max(probing_until, known.asked_until) > now:
        limit = 0
    if limit > 0 and wanted.rate is not None:
        sent = await maintenance.sent(session, destination, now - wanted.rate.seconds, now)
        limit = min(limit, wanted.rate.messages - len(sent))
    return replace(wanted, probe=probe, limit=limit)


async def _next_lanes(session: Session, destination: int, limit: int, now: float) -> list[_Lane]:
    """The lanes that are due, the most urgent first, then the oldest; at most `limit`."""
    found = [*await session.rows("ready_lanes", (destination, limit))]
    (priority,) = await session.one("next_priority", (destination, _NO_PRIORITY))
    while priority is not None:
        values = (destination, priority, now, limit + _SPARE)
        found += await session.rows("later_lanes", values)
        (priority,) = await session.one("next_priority", (destination, priority))
    found.sort(key=lambda row: tuple(row[:3]))
    lanes = [_Lane(*row) for row in found[:limit]]
    # A change of a message that nobody settled says nothing about what is pending.
    left = [lane for lane in lanes if lane.batch is not None and not lane.batch_end]
    for lane in left:
        await free(session, lane.id, now, crashes=lane.crashes + lane.leased)
        await session.run("change_later", (now, lane.id))
    return await _next_lanes(session, destination, limit, now) if left else lanes


def _asked(lane: _Lane, fold: bool) -> tuple[int, int, int]:
    """The lane, the last delivery that its claim may cover, and how many it may."""
    again = lane.batch is not None
    most = MOST_ROWS if fold or again else 1
    return lane.id, lane.batch_end if again else _NO_END, most


async def _each_of(rows: Sequence[Sequence[Any]]) -> AsyncIterator[Sequence[Any]]:
    for row in rows:
        yield row


async def _batch(
    session: Session, lane: _Lane, room: int, rows: AsyncIterator[Sequence[Any]]
) -> tuple[WaitingGroup, ...]:
    """What the claim of a lane covers: all that waits, within bounds, or the batch that is in
    doubt, whatever its size."""
    groups: list[WaitingGroup] = []
    async for delivery, group, body, fingerprints, accepted_at, origin in rows:
        room -= len(body)
        if groups and room < 0 and lane.batch is None:
            break
        names = tuple(json.loads(fingerprints))
        instead_of = await session.named(origin) if origin is not None else None
        shared = session.same_body(group, body)
        groups.append(WaitingGroup(delivery, group, shared, names, accepted_at, instead_of))
    return tuple(groups)


def _lease(claim: Claim, wanted: Wanted) -> tuple[Any, ...]:
    until = wanted.now + wanted.lease
    end = 0 if claim.only_change else claim.groups[-1].delivery
    return until, claim.id, end, claim.crashes, wanted.owner, claim.lane


def _claim(
    session: Session,
    destination: Destination,
    lane: _Lane,
    groups: tuple[WaitingGroup, ...],
    most_urgent: int,
) -> Claim:
    """The claim of a lane. A lease found on it has run out: nobody settled it."""
    return Claim(
        id=lane.batch or session.new_id(),
        lane=lane.id,
        fence=lane.fence + 1,
        destination=destination,
        groups=groups,
        attempt=lane.attempts + 1,
        crashes=lane.crashes + lane.leased,
        resent=lane.batch is not None,
        smaller=bool(lane.smaller),
        reference=lane.reference,
        most_urgent=most_urgent,
        has_actions=bool(lane.change_due or lane.changed_at),
    )


async def recover(session: Session, owner: str, keep: Collection[int]) -> int:
    """As `Outbox.recover`."""
    found = await session.rows("leased_lanes", (owner,))
    lanes = [(lane, owner) for (lane,) in found if lane not in keep]
    await session.run_all("recover", lanes)
    return len(lanes)
