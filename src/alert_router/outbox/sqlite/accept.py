"""Accepting a group: its last word, its body and its deliveries, in the caller's transaction."""

import json

from alert_router.outbox.base import Accepted, NewGroup
from alert_router.outbox.sqlite.queries import query
from alert_router.outbox.sqlite.session import Session

_SAY_LAST_WORD = query("say_last_word")
_LAST_WORD = query("last_word")
_ADD_GROUP = query("add_group")
_ENTER_LANE = query("enter_lane")
_ADD_DELIVERY = query("add_delivery")


def accept(session: Session, group: NewGroup, window: float) -> Accepted:
    """As `Outbox.accept`. A group that nobody is to get leaves its word only."""
    said = session.execute(
        _SAY_LAST_WORD,
        {
            "identity": group.identity,
            "content": group.content,
            "id": group.id,
            "now": group.accepted_at,
            "is_repeat": group.is_repeat,
            "window": window,
        },
    )
    if not said.rowcount:
        (earlier,) = session.execute(_LAST_WORD, (group.identity,)).fetchone()
        return Accepted(earlier, duplicate=True)
    if group.targets:
        _add_deliveries(session, group)
    return Accepted(group.id, duplicate=False)


def _add_deliveries(session: Session, group: NewGroup) -> None:
    key = session.execute(_ADD_GROUP, (group.id, group.accepted_at, group.body)).lastrowid
    for target in group.targets:
        destination = session.key(target.destination)
        lane = enter_lane(session, destination, group.identity, target.priority, group.accepted_at)
        fingerprints = json.dumps(target.fingerprints)
        session.execute(
            _ADD_DELIVERY,
            (lane, destination, key, target.priority, group.accepted_at, fingerprints),
        )


def enter_lane(
    session: Session, destination: int, identity: bytes, priority: int, now: float
) -> int:
    """The key of the lane in which a new delivery is about to wait."""
    values = {
        "destination": destination,
        "identity": identity,
        "priority": priority,
        "now": now,
    }
    (lane,) = session.execute(_ENTER_LANE, values).fetchone()
    return int(lane)
