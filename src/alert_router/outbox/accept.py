"""Accepting in SQL: a group, its deliveries and its lanes, or the group it repeats.

Plain functions over a connection, run inside a transaction of the writer's.
"""

import json
import sqlite3

from alert_router.outbox.base import Accepted, Destination, NewGroup, Target

_LAST_WORD = "SELECT content, name, accepted_at FROM last_word WHERE identity = ?"
_REMEMBER = """
    INSERT INTO last_word (identity, content, name, accepted_at) VALUES (?, ?, ?, ?)
    ON CONFLICT (identity) DO UPDATE
    SET content = excluded.content, name = excluded.name, accepted_at = excluded.accepted_at
"""
_GROUP = "INSERT INTO alert_group (name, identity, body, accepted_at) VALUES (?, ?, ?, ?)"
_DESTINATION = """
    INSERT INTO destination (receiver, notifier) VALUES (?, ?)
    ON CONFLICT (receiver, notifier) DO UPDATE SET receiver = excluded.receiver RETURNING id
"""
_LANE = """
    INSERT INTO lane (destination, identity, priority, ready_at, touched_at) VALUES (?, ?, ?, ?, ?)
    ON CONFLICT (destination, identity) DO UPDATE SET
        priority = CASE WHEN ready_at IS NULL THEN excluded.priority
                   ELSE min(priority, excluded.priority) END,
        ready_at = coalesce(ready_at, excluded.ready_at),
        touched_at = excluded.touched_at
    RETURNING id
"""
_DELIVERY = """
    INSERT INTO delivery (alert_group, lane, destination, fingerprints, priority, accepted_at)
    VALUES (?, ?, ?, ?, ?, ?)
"""


def accept(connection: sqlite3.Connection, group: NewGroup, dedup_window: float) -> Accepted:
    """Store the group, or name the accepted one it repeats."""
    if not group.is_repeat:
        last = connection.execute(_LAST_WORD, (group.identity,)).fetchone()
        if last is not None:
            content, name, accepted_at = last
            if content == group.content and group.accepted_at - accepted_at <= dedup_window:
                return Accepted(name, duplicate=True)
    connection.execute(_REMEMBER, (group.identity, group.content, group.id, group.accepted_at))
    if group.targets:
        row = (group.id, group.identity, group.body, group.accepted_at)
        number = connection.execute(_GROUP, row).lastrowid
        assert number is not None
        for target in group.targets:
            add(connection, number, group.identity, target, group.accepted_at)
    return Accepted(group.id, duplicate=False)


def add(
    connection: sqlite3.Connection, group: int, identity: bytes, target: Target, now: float
) -> int:
    """A delivery at the end of its lane; its id."""
    destination = destination_id(connection, target.destination)
    lane = connection.execute(_LANE, (destination, identity, target.priority, now, now)).fetchone()[
        0
    ]
    fingerprints = json.dumps(target.fingerprints)
    row = (group, lane, destination, fingerprints, target.priority, now)
    number = connection.execute(_DELIVERY, row).lastrowid
    assert number is not None
    return number


def destination_id(connection: sqlite3.Connection, destination: Destination) -> int:
    """The destination's number, new if need be."""
    found = connection.execute(
        "SELECT id FROM destination WHERE receiver = ? AND notifier = ?",
        (destination.receiver, destination.notifier),
    ).fetchone()
    if found is None:
        names = (destination.receiver, destination.notifier)
        found = connection.execute(_DESTINATION, names).fetchone()
    number: int = found[0]
    return number
