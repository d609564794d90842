"""Accepting a group: its last word, its body and its deliveries, in the caller's transaction.

Lookups and writes are apart instead of `ON CONFLICT ... RETURNING`, which takes longer than both.
"""

import json

from alert_router.outbox.model import Accepted, NewGroup
from alert_router.outbox.sqlite.queries import query
from alert_router.outbox.sqlite.session import Session

_LAST_WORD = query("last_word")
_ADD_IDENTITY = query("add_identity")
_SAY_LAST_WORD = query("say_last_word")
_ADD_GROUP = query("add_group")
_FIND_LANE = query("find_lane")
_ADD_LANE = query("add_lane")
_WAKE_LANE = query("wake_lane")
_HASTEN_LANE = query("hasten_lane")
_ADD_DELIVERY = query("add_delivery")


def accept(session: Session, group: NewGroup, window: float) -> Accepted:
    """As `Outbox.accept`. A group that nobody is to get leaves its word only."""
    known = session.execute(_LAST_WORD, (group.identity,)).fetchone()
    word = (group.content, group.id, group.accepted_at)
    if known is None:
        identity = session.insert(_ADD_IDENTITY, (group.identity, *word))
    else:
        identity, content, earlier, accepted_at = known
        # Absolute, so that a clock set back does not make everything a duplicate.
        age = abs(group.accepted_at - accepted_at)
        if content == group.content and age <= window and window > 0 and not group.is_repeat:
            return Accepted(earlier, duplicate=True)
        session.execute(_SAY_LAST_WORD, (*word, identity))
    if group.targets:
        _add_deliveries(session, group, identity, is_new=known is None)
    return Accepted(group.id, duplicate=False)


def _add_deliveries(session: Session, group: NewGroup, identity: int, is_new: bool) -> None:
    now = group.accepted_at
    key = session.insert(_ADD_GROUP, (group.id, now, group.body))
    for target in group.targets:
        destination = session.key(target.destination)
        if is_new:
            place = (identity, destination, target.priority, now, now)
            lane = session.insert(_ADD_LANE, place)
        else:
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
