"""Groups that come, and claims that end, at about the same time: accepted and settled in few
statements for all, in the caller's transaction. What is locked is locked in one order everywhere,
lanes before destinations, so that routers do not wait for each other in a circle.
"""

import json
from collections.abc import Sequence
from typing import Any, NamedTuple

from alert_router.outbox import lanes
from alert_router.outbox.lanes import (
    FINAL,
    finish_change,
    follow,
    go_on,
    is_duplicate,
    known_answer,
)
from alert_router.outbox.model import (
    HEALTHY,
    Accepted,
    Claim,
    Health,
    NewGroup,
    Settlement,
    Target,
    Verdict,
)
from alert_router.outbox.postgres.pool import PostgresSession

Asked = tuple[NewGroup, float]
# An identity's key, its content, group and time, and `next_since` as in `follow`.
Latest = tuple[int, bytes, str, float, float | None]
_Entering = tuple[NewGroup, int, float]  # a group, its identity's key, and its `since`


async def accept(session: PostgresSession, asked: Sequence[Asked]) -> list[Accepted]:
    """As `Outbox.accept`, for each of the groups with its window, in order."""
    numbers = sorted(range(len(asked)), key=lambda number: asked[number][0].identity)
    groups = [asked[number][0] for number in numbers]
    latest, new = await _latest(session, groups)
    answers: dict[int, Accepted] = {}
    changed: set[bytes] = set()
    entering: list[_Entering] = []
    for number in numbers:
        group, window = asked[number]
        key, content, earlier, accepted_at, next_since = latest[group.identity]
        is_first = new.pop(group.identity, None) is group
        if not is_first and is_duplicate(group, window, content, accepted_at):
            answers[number] = Accepted(earlier, duplicate=True)
            continue
        since, next_since = follow(group, 0.0 if is_first else next_since)
        if not is_first:
            changed.add(group.identity)
            latest[group.identity] = _latest_of(key, group, next_since)
        answers[number] = Accepted(group.id, duplicate=False)
        if group.targets:
            entering.append((group, key, since))
    if changed:
        await session.columns("set_last_contents", [latest[identity] for identity in changed])
    if entering:
        await _add_deliveries(session, entering)
    return [answers[number] for number in range(len(asked))]


async def _latest(
    session: PostgresSession, groups: Sequence[NewGroup]
) -> tuple[dict[bytes, Latest], dict[bytes, NewGroup]]:
    """What each identity said last, its row being locked; and the groups of which that was just
    written, since they are the first of theirs."""
    latest = await _last_contents(session, list({group.identity for group in groups}))
    new: dict[bytes, NewGroup] = {}
    for group in groups:
        if group.identity not in latest:
            new.setdefault(group.identity, group)
    if not new:
        return latest, new
    rows = [
        (group.identity, *_latest_of(0, group, follow(group, 0.0)[1])[1:]) for group in new.values()
    ]
    keys = dict(await session.columns("new_identities", rows))
    late = [identity for identity in new if identity not in keys]
    if late:  # another router has just added them
        latest |= await _last_contents(session, late)
        new = {identity: group for identity, group in new.items() if identity in keys}
    for identity, group in new.items():
        latest[identity] = _latest_of(keys[identity], group, follow(group, 0.0)[1])
    return latest, new


def _latest_of(key: int, group: NewGroup, next_since: float | None) -> Latest:
    return key, group.content, group.id, group.accepted_at, next_since


async def _last_contents(
    session: PostgresSession, identities: Sequence[bytes]
) -> dict[bytes, Latest]:
    rows = await session.rows("last_contents", (identities,))
    return {digest: (key, *latest) for digest, key, *latest in rows}


async def _add_deliveries(session: PostgresSession, entering: Sequence[_Entering]) -> None:
    bodies = [(group.id, group.accepted_at, since, group.body) for group, _, since in entering]
    keys = dict(await session.columns("new_groups", bodies))
    rows = [
        (group, target, (identity, await session.key(target.destination)))
        for group, identity, _ in entering
        for target in group.targets
    ]
    lanes = await _lanes(session, rows)
    deliveries = [
        (
            lanes[place], place[1], keys[group.id], target.priority, group.accepted_at,
            json.dumps(target.fingerprints),
        )
        for group, target, place in rows
    ]  # fmt: skip
    await session.columns("new_deliveries", deliveries)


async def _lanes(
    session: PostgresSession, rows: Sequence[tuple[NewGroup, Target, tuple[int, int]]]
) -> dict[tuple[int, int], int]:
    """The lanes by identity and destination, as `enter_lane` leaves each."""
    urgency: dict[tuple[int, int], tuple[int, float]] = {}  # the most urgent, and the first's time
    for group, target, place in rows:
        priority, now = urgency.get(place, (target.priority, group.accepted_at))
        urgency[place] = min(priority, target.priority), now
    found = await session.columns("lanes_of", list(urgency))
    lanes = {(identity, destination): id_ for id_, identity, destination, *_ in found}
    entered = [
        (id_, *urgency[identity, destination])
        for id_, identity, destination, phase, before in found
        if phase == 0 or urgency[identity, destination][0] < before
    ]
    if entered:
        await session.columns("enter_lanes", entered)
    new = [(*place, *urgency[place]) for place in urgency if place not in lanes]
    if new:
        for identity, destination, id_ in await session.columns("new_lanes", new):
            lanes[identity, destination] = id_
    return lanes


class _Ended(NamedTuple):
    claim: Claim
    settlement: Settlement
    batch_end: int
    attempts: int
    destination: int

    @property
    def health(self) -> Health | None:
        """How the destination is since then, where the attempt says anything about it."""
        is_delivered = self.settlement.verdict is Verdict.DELIVERED
        return self.settlement.health or (HEALTHY if is_delivered else None)


async def settle(session: PostgresSession, asked: Sequence[tuple[Claim, Settlement]]) -> list[bool]:
    """As `Outbox.settle`, for each of the claims."""
    rows = await session.rows("lanes_of_claims", ([claim.lane for claim, _ in asked],))
    lanes = {lane: row for lane, *row in rows}
    answers: list[bool] = []
    ended: dict[int, _Ended] = {}
    changes: dict[int, _Ended] = {}
    for claim, settlement in asked:
        row = lanes.get(claim.lane)
        answer = known_answer(claim, row)
        answers.append(answer is not False)
        if answer is None and row is not None:
            one = _Ended(claim, settlement, *row[3:])
            (ended if one.batch_end else changes).setdefault(claim.lane, one)
    await _note_health(session, list(ended.values()))
    final = [one for one in ended.values() if one.settlement.verdict in FINAL]
    if final:
        await session.columns("settle_batches", [_outcome(session, one) for one in final])
        await session.columns("lanes_go_on", [_lane(session, one) for one in final])
    for one in ended.values():
        if one.settlement.verdict not in FINAL:
            await go_on(session, one.claim, one.settlement, one.destination)
    for lane, one in changes.items():
        await finish_change(session, lane, one.settlement)
    return answers


def _outcome(session: PostgresSession, one: _Ended) -> tuple[Any, ...]:
    settlement = one.settlement
    texts = session.clean(settlement.reason), session.clean(settlement.message)
    state = FINAL[settlement.verdict]
    return one.claim.lane, one.batch_end, state, settlement.now, one.attempts, *texts


def _lane(session: PostgresSession, one: _Ended) -> tuple[Any, ...]:
    settlement = one.settlement
    reference = settlement.reference if settlement.verdict is Verdict.DELIVERED else None
    cleaned = None if reference is None else session.clean(reference)
    return one.claim.lane, settlement.now, cleaned


async def _note_health(session: PostgresSession, ended: Sequence[_Ended]) -> None:
    """Write how the destinations are: the latest attempt that says so counts."""
    said: dict[int, tuple[float, Health]] = {}
    for one in ended:
        now = one.settlement.now
        if one.health is not None and now >= said.get(one.destination, (now,))[0]:
            said[one.destination] = now, one.health
    silent = [(one.destination, one.claim.lane) for one in ended if one.health is None]
    if silent:
        await session.columns("end_probes", silent)
    well = [key for key, (_, known) in said.items() if not known.is_failing]
    recovered = {row[0] for row in await session.rows("failing_among", (well,))} if well else set()
    for key, (now, known) in sorted(said.items()):
        if known.is_failing or key in recovered:
            await lanes.note_health(session, key, known, now)
