"""Accepting groups: their last words, bodies and deliveries, in the caller's transaction.

A storm is many groups that were never heard of: these are written together, a few statements
for all. The others are few, and looked at one by one.
"""

import json
from collections import Counter
from collections.abc import Collection, Sequence

from alert_router.outbox.model import Accepted, NewGroup
from alert_router.outbox.sqlite.queries import query
from alert_router.outbox.sqlite.session import Session

_LAST_WORD = query("last_word")
_KNOWN = query("known")
_LAST_IDENTITY = query("last_identity")
_LAST_GROUP = query("last_group")
_LAST_LANE = query("last_lane")
_ADD_IDENTITIES = query("add_identities")
_ADD_GROUPS = query("add_groups")
_ADD_LANES = query("add_lanes")
_SAY_LAST_WORD = query("say_last_word")
_ADD_GROUP = query("add_group")
_FIND_LANE = query("find_lane")
_ADD_LANE = query("add_lane")
_WAKE_LANE = query("wake_lane")
_HASTEN_LANE = query("hasten_lane")
_ADD_DELIVERY = query("add_delivery")


def accept(session: Session, asked: Sequence[tuple[NewGroup, float]]) -> list[Accepted]:
    """As `Outbox.accept`, for each of the groups with its window, in order. A group that nobody
    is to get leaves its word only."""
    known = set(session.among(_KNOWN, [group.identity for group, _ in asked]))
    often = Counter(group.identity for group, _ in asked)
    new = {
        group.identity: group
        for group, _ in asked
        if group.identity not in known and often[group.identity] == 1
    }
    _add_new(session, new.values())
    return [
        Accepted(group.id, duplicate=False)
        if group.identity in new
        else _accept_one(session, group, window)
        for group, window in asked
    ]


def _add_new(session: Session, groups: Collection[NewGroup]) -> None:
    """Groups of identities that were never heard of, one of each."""
    if not groups:
        return
    identity = session.last(_LAST_IDENTITY)
    key, lane = session.last(_LAST_GROUP), session.last(_LAST_LANE)
    words, bodies, lanes, deliveries = [], [], [], []
    for group in groups:
        identity += 1
        now = group.accepted_at
        words.append((identity, group.identity, group.content, group.id, now))
        if not group.targets:
            continue
        key += 1
        bodies.append((key, group.id, now, group.body))
        for target in group.targets:
            lane += 1
            destination = session.key(target.destination)
            lanes.append((lane, identity, destination, target.priority, now, now))
            fingerprints = json.dumps(target.fingerprints)
            deliveries.append((lane, destination, key, target.priority, now, fingerprints))
    session.insert_rows(_ADD_IDENTITIES, words)
    session.insert_rows(_ADD_GROUPS, bodies)
    session.insert_rows(_ADD_LANES, lanes)
    session.insert_rows(_ADD_DELIVERY, deliveries)


def _accept_one(session: Session, group: NewGroup, window: float) -> Accepted:
    known = session.execute(_LAST_WORD, (group.identity,)).fetchone()
    if known is None:  # the first of several of the same identity
        _add_new(session, [group])
        return Accepted(group.id, duplicate=False)
    identity, content, earlier, accepted_at = known
    # Absolute, so that a clock set back does not make everything a duplicate.
    age = abs(group.accepted_at - accepted_at)
    if content == group.content and age <= window and window > 0 and not group.is_repeat:
        return Accepted(earlier, duplicate=True)
    session.execute(_SAY_LAST_WORD, (group.content, group.id, group.accepted_at, identity))
    if group.targets:
        _add_deliveries(session, group, identity)
    return Accepted(group.id, duplicate=False)


def _add_deliveries(session: Session, group: NewGroup, identity: int) -> None:
    now = group.accepted_at
    key = session.insert(_ADD_GROUP, (group.id, now, group.body))
    for target in group.targets:
        destination = session.key(target.destination)
        lane = enter_lane(session, identity, destination, target.priority, now)
        fingerprints = json.dumps(target.fingerprints)
        session.execute(_ADD_DELIVERY, (lane, destination, key, target.priority, now, fingerprints))


def enter_lane(session: Session, identity: int, destination: int, priority: int, now: float) -> int:
    """The key of the lane in which a new delivery is about to wait, due at once if it was
    idle."""
    found = session.execute(_FIND_LANE, (identity, destination)).fetchone()
    if found is None:
        return session.insert(_ADD_LANE, (identity, destination, priority, now, now))
    lane, phase = found
    if phase == 0:
        session.execute(_WAKE_LANE, (priority, now, now, lane))
    else:
        session.execute(_HASTEN_LANE, (priority, lane, priority))
    return int(lane)
