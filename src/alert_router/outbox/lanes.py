"""Lanes: how a delivery enters one, how what is due in lanes is claimed with leases, and how claims
are settled; and the health of destinations, which decides what is due.
"""

import json
import os
import time
from collections.abc import AsyncIterator, Collection, Sequence
from dataclasses import dataclass, replace
from typing import Any, NamedTuple
from uuid import UUID

from alert_router.fields import Rate
from alert_router.outbox.model import (
    HEALTHY,
    Claim,
    Destination,
    Health,
    NewGroup,
    Probe,
    Settlement,
    Verdict,
    WaitingGroup,
)
from alert_router.outbox.session import Session


def is_duplicate(group: NewGroup, window: float, content: bytes, accepted_at: float) -> bool:
    """Whether a group repeats the latest content of its identity, accepted at that time."""
    # Absolute, so that a clock set back does not make everything a duplicate.
    age = abs(group.accepted_at - accepted_at)
    return content == group.content and age <= window and window > 0 and not group.is_repeat


def follow(group: NewGroup, next_since: float | None) -> tuple[float, float | None]:
    """Since when a group and the next one of its identity belong to what fires until all of it is
    resolved. `next_since` is that of the group before: 0 where the next one begins it, None where
    that is not known, since an earlier version accepted it. An unknown `since` is 0."""
    since = group.accepted_at if next_since == 0 else next_since
    return since or 0.0, 0.0 if group.is_over else since


async def enter_lane(
    session: Session, identity: int, destination: int, priority: int, now: float
) -> int:
    """The key of the lane in which a new delivery is about to wait, due at once if it was
    idle."""
    found = await session.row("find_lane", (identity, destination))
    if found is None:
        return await session.insert("add_lane", (identity, destination, priority, now, now))
    lane, phase = found
    if phase == 0:
        await session.run("wake_lane", (priority, now, now, lane))
    else:
        await session.run("hasten_lane", (priority, lane, priority))
    return int(lane)


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
    if limit <= 0 or (probe is None and now < (await health_of(session, key)).next_at):
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
    known = await health_of(session, key)
    if wanted.probe is None and wanted.rate is None and not known.is_failing:
        return wanted
    (probing_until,) = await session.one("lock_destination", (key,))
    known, now = await health_of(session, key), wanted.now
    probe, limit = wanted.probe, wanted.limit
    if probe is None and known.is_failing and now >= known.next_at:
        probe = Probe.URGENT
    if probe is not None and max(probing_until, known.asked_until) > now:
        limit = 0
    if limit > 0 and wanted.rate is not None:
        times = await sent(session, destination, since=now - wanted.rate.seconds, now=now)
        limit = min(limit, wanted.rate.messages - len(times))
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


async def recover(session: Session, owner: str, keep: Collection[int] = ()) -> int:
    """As `Outbox.recover`."""
    found = await session.rows("leased_lanes", (owner,))
    lanes = [(lane, owner) for (lane,) in found if lane not in keep]
    await session.run_all("recover", lanes)
    return len(lanes)


DELIVERED, DEAD = 1, 2

FINAL = {Verdict.DELIVERED: DELIVERED, Verdict.DROPPED: DELIVERED, Verdict.DEAD: DEAD}


async def settle(session: Session, claim: Claim, settlement: Settlement) -> bool:
    """As `Outbox.settle`."""
    row = await session.row("lane_of_claim", (claim.lane,))
    answer = known_answer(claim, row)
    if row is None or answer is not None:
        return bool(answer)
    *_, batch_end, attempts, destination = row
    if not batch_end:
        await finish_change(session, claim.lane, settlement)
        return True
    if settlement.health is not None:
        await note_health(session, destination, settlement.health, settlement.now)
    elif settlement.verdict is Verdict.DELIVERED:
        await note_health(session, destination, HEALTHY, settlement.now)
    elif session.is_shared:
        await session.run("end_probe", (destination, claim.lane))
    if settlement.verdict in FINAL:
        await _finish(session, claim.lane, settlement, batch_end, attempts)
    else:
        await go_on(session, claim, settlement, destination)
    return True


def known_answer(claim: Claim, row: Sequence[Any] | None) -> bool | None:
    """What `settle` answers without writing anything, by the claim's lane; None if it writes."""
    if row is None:
        return False
    fence, leased, batch, *_ = row
    if fence != claim.fence:
        return False
    if not leased:  # said before, and the answer was lost
        return True
    # Else it is another lane, which has taken the number of one that was pruned.
    return None if batch == claim.id else False


async def go_on(session: Session, claim: Claim, settlement: Settlement, destination: int) -> None:
    """Write how a claim ended that was not the end of its batch."""
    if settlement.verdict is Verdict.RELEASED:
        values = {"lane": claim.lane, "now": settlement.now, "keep": int(claim.resent)}
        await session.run("lane_released", values)
        await session.announce(destination)
    else:
        await _try_again(session, claim.lane, settlement)


async def _finish(
    session: Session, lane: int, settlement: Settlement, batch_end: int, attempts: int
) -> None:
    """The batch is done with; the lane goes on at once with what waits behind it."""
    verdict, now = settlement.verdict, settlement.now
    reason, message = session.clean(settlement.reason), session.clean(settlement.message)
    values = (FINAL[verdict], now, attempts, reason, message, lane, batch_end)
    await session.run("settle_batch", values)
    await free(session, lane, now, settlement.reference if verdict is Verdict.DELIVERED else None)


async def finish_change(session: Session, lane: int, settlement: Settlement) -> None:
    """A change of the lane's message is done with, or is tried again once nothing is pending."""
    verdict, now = settlement.verdict, settlement.now
    await free(session, lane, now, settlement.reference if verdict is Verdict.DELIVERED else None)
    if verdict in (Verdict.RETRY, Verdict.DOUBT, Verdict.RELEASED):
        await session.run("change_later", (max(now, settlement.due_at), lane))


async def free(
    session: Session, lane: int, now: float, reference: str | None = None, crashes: int = 0
) -> None:
    """End what the lane was busy with, so that it goes on with what is pending in it."""
    rest, priority, oldest = await session.one("rest_of_lane", (lane,))
    await session.run(
        "lane_goes_on",
        {
            "lane": lane,
            "crashes": crashes,
            "phase": 1 if rest else 0,
            "rest": rest,
            "priority": priority or 0,
            "oldest": oldest or 0.0,
            "now": now,
            "reference": session.clean(reference) if reference is not None else None,
        },
    )


async def _try_again(session: Session, lane: int, settlement: Settlement) -> None:
    await session.run(
        "lane_tries_again",
        {
            "lane": lane,
            "now": settlement.now,
            "due_at": settlement.due_at,
            "phase": 2 if settlement.due_at > settlement.now else 1,
            "smaller": int(settlement.smaller),
            "reason": session.clean(settlement.reason),
            "message": session.clean(settlement.message),
            "keep": int(settlement.verdict is Verdict.DOUBT),
        },
    )


async def shrink(session: Session, lane: int, now: float) -> None:
    """Put a lane right after waiting deliveries outside a running attempt were taken from it."""
    rest, priority, oldest = await session.one("rest_of_lane", (lane,))
    row = await session.row("lane_of_claim", (lane,))
    is_being_changed = row is not None and row[1] and not row[3]
    if not rest:
        if not is_being_changed:
            await free(session, lane, now)
        return
    (batch_left,) = await session.one("batch_left", (lane,))
    await session.run(
        "lane_shrinks",
        {
            "lane": lane,
            "rest": rest,
            "priority": priority,
            "oldest": oldest,
            "batch_left": int(batch_left or is_being_changed),
        },
    )


async def sent(
    session: Session, destination: Destination, *, since: float, now: float
) -> list[float]:
    """As `Outbox.sent`."""
    key = await session.find(destination)
    if key is None:
        return []
    values = {"destination": key, "since": since, "now": now}
    return [row[0] for row in await session.rows("sent", values)]


async def read_health(session: Session, destination: Destination) -> Health:
    """As `Outbox.health`."""
    key = await session.find(destination)
    return HEALTHY if key is None else await health_of(session, key)


async def health_of(session: Session, key: int) -> Health:
    """The health of the destination with that key."""
    return Health(*await session.one("health", (key,)))


async def note_health(session: Session, key: int, health: Health, now: float) -> None:
    """Write the health of the destination with that key. A pause that it has asked for stays,
    whatever an attempt that began before finds."""
    if not health.is_failing:
        # Lanes that backed off by themselves may have done so because of the destination.
        if await session.run("destination_is_well", (key, now)):
            await session.run("all_is_due", (now, key))
            await session.announce(key)
        return
    if session.is_shared:
        await session.one("lock_destination", (key,))
        known = await health_of(session, key)
        if known.is_failing and known.failing_since < health.failing_since:
            # Another router has found that before, and when to try again. A pause adds to it.
            asked_until = max(known.asked_until, health.asked_until)
            await session.run("extend_pause", (max(known.next_at, asked_until), asked_until, key))
            return
        asked_until = max(known.asked_until, health.asked_until)
        health = replace(health, asked_until=asked_until, next_at=max(health.next_at, asked_until))
    reason, message = session.clean(health.reason), session.clean(health.message)
    values = (
        health.failing_since, health.failures, reason, message, health.next_at, health.asked_until
    )  # fmt: skip
    await session.run("destination_fails", (*values, key))


async def divert(
    session: Session,
    destination: Destination,
    to: tuple[Destination, ...],
    failing_before: float,
    now: float,
    limit: int,
) -> int:
    """Divert at most `limit` deliveries; how many were looked at."""
    source = await session.find(destination)
    if source is None or not to:
        return 0
    since = (await health_of(session, source)).failing_since
    if not since or since > failing_before:
        return 0
    found = await session.rows("to_divert", (source, limit))
    targets = [await session.key(one) for one in to]
    for delivery, group, priority, fingerprints, identity in found:
        for target in targets:
            if (await session.one("group_is_in_lane", (group, target)))[0]:
                continue  # sent there anyway
            lane = await enter_lane(session, identity, target, priority, now)
            values = (lane, target, group, priority, now, fingerprints, source)
            await session.run("add_diverted", values)
        await session.run("mark_diverted", (delivery,))
    for target in targets if found else ():
        await session.announce(target)
    return len(found)
