"""Accepting groups: their latest contents, bodies and deliveries, in the caller's transaction.

A storm is many groups that were never heard of: these are written together, a few statements
for all. The others are few, and looked at one by one.
"""

import json
from collections import Counter
from collections.abc import Sequence

from alert_router.outbox.model import Accepted, NewGroup
from alert_router.outbox.operations.session import Session


async def accept(session: Session, asked: Sequence[tuple[NewGroup, float]]) -> list[Accepted]:
    """As `Outbox.accept`, for each of the groups with its window, in order. A group without
    targets leaves its latest content only."""
    known = set(await session.among("known", [group.identity for group, _ in asked]))
    often = Counter(group.identity for group, _ in asked)
    new = [
        group for group, _ in asked if group.identity not in known and often[group.identity] == 1
    ]
    added = await session.add_new(new) if new else set()
    answers = [Accepted(group.id, duplicate=False) for group, _ in asked]
    rest = [number for number, (group, _) in enumerate(asked) if group.identity not in added]
    if session.is_shared:  # services that lock in one order do not wait for each other in a circle
        rest.sort(key=lambda number: asked[number][0].identity)
    for number in rest:
        answers[number] = await _accept_one(session, *asked[number])
    return answers


async def _accept_one(session: Session, group: NewGroup, window: float) -> Accepted:
    known = await session.row("last_content", (group.identity,))
    if known is None and await session.add_new([group]):  # the first of several of one identity
        return Accepted(group.id, duplicate=False)
    identity, content, earlier, accepted_at = known or await session.one(
        "last_content", (group.identity,)
    )
    # Absolute, so that a clock set back does not make everything a duplicate.
    age = abs(group.accepted_at - accepted_at)
    if content == group.content and age <= window and window > 0 and not group.is_repeat:
        return Accepted(earlier, duplicate=True)
    values = (group.content, group.id, group.accepted_at, identity)
    await session.run("set_last_content", values)
    if group.targets:
        await _add_deliveries(session, group, identity)
    return Accepted(group.id, duplicate=False)


async def _add_deliveries(session: Session, group: NewGroup, identity: int) -> None:
    now = group.accepted_at
    key = await session.insert("add_group", (group.id, now, group.body))
    for target in group.targets:
        destination = await session.key(target.destination)
        lane = await enter_lane(session, identity, destination, target.priority, now)
        fingerprints = json.dumps(target.fingerprints)
        values = (lane, destination, key, target.priority, now, fingerprints)
        await session.insert("add_delivery", values)


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
