"""Looking after what is stored, in SQL: lists, replays, discards, expiry, pruning, counts.

Plain functions over a connection, run inside a transaction of the writer's.
"""

import json
import sqlite3
from typing import Any

from alert_router.outbox.accept import add
from alert_router.outbox.base import Backlog, DeliveryRow, Destination, State, Target
from alert_router.outbox.claim import after_removal

_COLUMNS = """
    SELECT d.id, g.name, t.receiver, t.notifier, d.state, d.accepted_at, d.settled_at,
           max(d.attempts, coalesce(CASE WHEN d.state = 'waiting' THEN l.attempts END, 0)),
           CASE WHEN d.state = 'waiting' THEN l.ready_at END, d.reason, d.message, d.fingerprints
    FROM delivery AS d
    JOIN alert_group AS g ON g.id = d.alert_group
    JOIN destination AS t ON t.id = d.destination
    LEFT JOIN lane AS l ON l.id = d.lane
"""
_BACKLOG = """
    SELECT t.receiver, t.notifier,
        (SELECT count(*) FROM delivery WHERE destination = t.id AND state = 'waiting'),
        (SELECT min(accepted_at) FROM delivery WHERE destination = t.id AND state = 'waiting'),
        (SELECT count(*) FROM delivery WHERE destination = t.id AND state = 'dead')
    FROM destination AS t
"""
_EXPIRE = """
    UPDATE delivery SET state = 'dead', settled_at = ?, reason = 'expired',
        message = 'waited longer than max_age'
    WHERE state = 'waiting' AND accepted_at < ?
        AND NOT EXISTS (SELECT 1 FROM lane WHERE lane.id = delivery.lane AND leased = 1)
    RETURNING lane
"""


def backlog(connection: sqlite3.Connection) -> list[Backlog]:
    """Counts for each destination that there ever was."""
    return [
        Backlog(Destination(receiver, notifier), waiting, oldest, dead)
        for receiver, notifier, waiting, oldest, dead in connection.execute(_BACKLOG)
    ]


def rows(
    connection: sqlite3.Connection,
    state: State | None,
    destination: Destination | None,
    limit: int,
    before: int | None,
) -> list[DeliveryRow]:
    """Deliveries, newest first."""
    conditions: list[str] = []
    values: list[object] = []
    if state is not None:
        conditions.append("d.state = ?")
        values.append(state.value)
    if destination is not None:
        conditions.append("t.receiver = ? AND t.notifier = ?")
        values += [destination.receiver, destination.notifier]
    if before is not None:
        conditions.append("d.id < ?")
        values.append(before)
    where = f" WHERE {' AND '.join(conditions)}" if conditions else ""
    found = connection.execute(f"{_COLUMNS}{where} ORDER BY d.id DESC LIMIT ?", [*values, limit])
    return [_row(row) for row in found]


def show(connection: sqlite3.Connection, delivery: int) -> tuple[DeliveryRow, bytes] | None:
    """A delivery and the body of its group."""
    row = connection.execute(f"{_COLUMNS} WHERE d.id = ?", (delivery,)).fetchone()
    if row is None:
        return None
    body = connection.execute(
        "SELECT body FROM alert_group WHERE id = (SELECT alert_group FROM delivery WHERE id = ?)",
        (delivery,),
    ).fetchone()[0]
    return _row(row), body


def replay(
    connection: sqlite3.Connection, delivery: int, now: float, to: Destination | None, force: bool
) -> int:
    """A new delivery of the same group, at the end of its lane."""
    group, lane, state, fingerprints, priority, destination = _known(connection, delivery)
    if state == State.WAITING:
        raise ValueError(f"delivery {delivery} is still waiting")
    if not force and to is None:
        moved = connection.execute(
            "SELECT max(id) FROM delivery WHERE lane = ? AND id > ? AND state <> 'dead'",
            (lane, delivery),
        ).fetchone()[0]
        if moved is not None:
            raise ValueError(
                f"the lane of delivery {delivery} has moved on (delivery {moved} is newer):"
                " replaying it would tell an old state; use --force if that is wanted"
            )
    identity = connection.execute(
        "SELECT identity FROM alert_group WHERE id = ?", (group,)
    ).fetchone()[0]
    target = Target(to or destination, tuple(json.loads(fingerprints)), priority)
    return add(connection, group, identity, target, now)


def discard(connection: sqlite3.Connection, delivery: int, now: float) -> None:
    """Drop a dead or waiting delivery: it is done, and says why."""
    _, lane, state, _, _, _ = _known(connection, delivery)
    if state == State.DELIVERED:
        raise ValueError(f"delivery {delivery} is delivered already")
    leased = connection.execute("SELECT leased FROM lane WHERE id = ?", (lane,)).fetchone()
    if state == State.WAITING and leased and leased[0]:
        raise ValueError(f"delivery {delivery} is being sent at this moment; try again")
    connection.execute(
        "UPDATE delivery SET state = 'delivered', settled_at = ?, reason = 'discarded',"
        " message = 'discarded by hand' WHERE id = ?",
        (now, delivery),
    )
    after_removal(connection, lane, now)


def expire(connection: sqlite3.Connection, older_than: float, now: float) -> int:
    """Make dead what was accepted before `older_than` and is not being sent; how many."""
    lanes = [row[0] for row in connection.execute(_EXPIRE, (now, older_than))]
    for lane in set(lanes):
        after_removal(connection, lane, now)
    return len(lanes)


def prune(
    connection: sqlite3.Connection, delivered_before: float, dead_before: float, limit: int
) -> int:
    """Delete some of what is old: settled rows, groups nobody needs, last words, idle lanes."""
    gone = 0
    for state, before in (("delivered", delivered_before), ("dead", dead_before)):
        found = connection.execute(
            "DELETE FROM delivery WHERE id IN (SELECT id FROM delivery WHERE state = ?"
            " AND settled_at < ? LIMIT ?) RETURNING alert_group",
            (state, before, limit - gone),
        ).fetchall()
        gone += len(found)
        connection.executemany(
            "DELETE FROM alert_group WHERE id = ? AND NOT EXISTS"
            " (SELECT 1 FROM delivery WHERE alert_group = alert_group.id)",
            found,
        )
    gone += connection.execute(
        "DELETE FROM last_word WHERE identity IN"
        " (SELECT identity FROM last_word WHERE accepted_at < ? LIMIT ?)",
        (delivered_before, limit),
    ).rowcount
    gone += connection.execute(
        "DELETE FROM lane WHERE id IN"
        " (SELECT id FROM lane WHERE ready_at IS NULL AND touched_at < ? LIMIT ?)",
        (delivered_before, limit),
    ).rowcount
    if gone:
        connection.execute("PRAGMA incremental_vacuum(1000)").fetchall()
    return gone


def _known(
    connection: sqlite3.Connection, delivery: int
) -> tuple[int, int, str, str, int, Destination]:
    found = connection.execute(
        "SELECT d.alert_group, d.lane, d.state, d.fingerprints, d.priority, t.receiver, t.notifier"
        " FROM delivery AS d JOIN destination AS t ON t.id = d.destination WHERE d.id = ?",
        (delivery,),
    ).fetchone()
    if found is None:
        raise LookupError(f"there is no delivery {delivery}")
    *rest, receiver, notifier = found
    group, lane, state, fingerprints, priority = rest
    return group, lane, state, fingerprints, priority, Destination(receiver, notifier)


def _row(row: tuple[Any, ...]) -> DeliveryRow:
    group, receiver, notifier, state, *rest = row[1:]
    accepted_at, settled_at, attempts, due_at, reason, message, fingerprints = rest
    return DeliveryRow(
        id=row[0],
        group=group,
        destination=Destination(receiver, notifier),
        state=State(state),
        accepted_at=accepted_at,
        settled_at=settled_at,
        attempts=attempts,
        due_at=due_at,
        reason=reason,
        message=message,
        fingerprints=tuple(json.loads(fingerprints)),
    )
