"""Accepting groups: their latest contents, bodies and deliveries, in the caller's transaction.

A storm is many groups that were never heard of: these are written together, a few statements
for all. The others are few, and looked at one by one.
"""

import json
from collections import Counter
from collections.abc import Sequence

from alert_router.outbox.lanes import enter_lane, follow, is_duplicate
from alert_router.outbox.model import Accepted, NewGroup
from alert_router.outbox.sqlite.session import SqliteSession


async def accept(session: SqliteSession, asked: Sequence[tuple[NewGroup, float]]) -> list[Accepted]:
    """As `Outbox.accept`, for each of the groups with its window, in order. A group without
    targets leaves its latest content only."""
    known = await session.known([group.identity for group, _ in asked])
    often = Counter(group.identity for group, _ in asked)
    new = [
        group for group, _ in asked if group.identity not in known and often[group.identity] == 1
    ]
    if new:
        await session.add_new(new)
    added = {group.identity for group in new}
    answers = [Accepted(group.id, duplicate=False) for group, _ in asked]
    for number, (group, window) in enumerate(asked):
        if group.identity not in added:
            answers[number] = await _accept_one(session, group, window)
    return answers


async def _accept_one(session: SqliteSession, group: NewGroup, window: float) -> Accepted:
    known = await session.row("last_content", (group.identity,))
    if known is None:  # the first of several of one identity
        await session.add_new([group])
        return Accepted(group.id, duplicate=False)
    identity, content, earlier, accepted_at, next_since = known
    if is_duplicate(group, window, content, accepted_at):
        return Accepted(earlier, duplicate=True)
    since, next_since = follow(group, next_since)
    values = (group.content, group.id, group.id, next_since, group.accepted_at, identity)
    await session.run("set_last_content", values)
    if group.targets:
        await _add_deliveries(session, group, identity, since)
    return Accepted(group.id, duplicate=False)


async def _add_deliveries(
    session: SqliteSession, group: NewGroup, identity: int, since: float
) -> None:
    now = group.accepted_at
    key = await session.insert("add_group", (group.id, now, since, group.body))
    for target in group.targets:
        destination = await session.key(target.destination)
        lane = await enter_lane(session, identity, destination, target.priority, now)
        fingerprints = json.dumps(target.fingerprints)
        values = (lane, destination, key, target.priority, now, fingerprints)
        await session.insert("add_delivery", values)
