"""Claiming and settling in SQL: which lane is next, what its batch is, and how it ended.

Plain functions over a connection, run inside a transaction of the writer's. What to do about a
failure is in the Settlement; nothing here decides it.
"""

import json
import sqlite3
from collections.abc import Callable

from alert_router.outbox.base import (
    Claim,
    Destination,
    Settlement,
    Verdict,
    WaitingGroup,
)

PRIORITIES = (0, 1, 2)
_MOST_ROWS = 1000
_MOST_BYTES = 16 * 1024**2

_PAUSED = "SELECT id, paused_until FROM destination WHERE receiver = ? AND notifier = ?"
_READY = """
    SELECT id, batch, leased, fence, attempts, crashes, resent, smaller, reference FROM lane
    WHERE destination = ? AND priority = ? AND ready_at <= ? ORDER BY ready_at LIMIT ?
"""
_WAITING = """
    SELECT d.id, g.name, g.body, d.fingerprints, d.accepted_at
    FROM delivery AS d JOIN alert_group AS g ON g.id = d.alert_group
    WHERE d.lane = ? AND d.state = 'waiting' AND d.batch IS ? ORDER BY d.id LIMIT ?
"""
_LEASE = """
    UPDATE lane SET batch = ?, leased = 1, fence = fence + 1, attempts = attempts + 1,
        crashes = ?, resent = ?, ready_at = ? WHERE id = ?
"""
_FREE = """
    UPDATE lane SET batch = ?, leased = 0, attempts = ?, crashes = ?, resent = ?, smaller = ?,
        reference = coalesce(?, reference), ready_at = ?, priority = ?, touched_at = ?
    WHERE id = ?
"""
_SETTLED = """
    UPDATE delivery SET state = ?, settled_at = ?, reason = ?, message = ?, attempts = ?
    WHERE lane = ? AND state = 'waiting' AND batch = ?
"""
_FAILED = """
    UPDATE delivery SET batch = ?, reason = ?, message = ?, attempts = ?
    WHERE lane = ? AND state = 'waiting' AND batch = ?
"""


def claim(
    connection: sqlite3.Connection,
    destination: Destination,
    *,
    limit: int,
    now: float,
    lease: float,
    fold: bool,
    new_id: Callable[[], str],
) -> list[Claim]:
    """Lease up to `limit` lanes that are due."""
    found = connection.execute(_PAUSED, (destination.receiver, destination.notifier)).fetchone()
    if found is None or found[1] > now:
        return []
    claims: list[Claim] = []
    for priority in PRIORITIES:
        room = limit - len(claims)
        rows = connection.execute(_READY, (found[0], priority, now, room)).fetchall()
        for row in rows:
            most = _MOST_ROWS if fold else 1
            taken = _take(connection, row, destination, now + lease, most, new_id)
            if taken is not None:
                claims.append(taken)
    return claims


def _take(
    connection: sqlite3.Connection,
    row: tuple[int, str | None, int, int, int, int, int, int, str | None],
    destination: Destination,
    until: float,
    most: int,
    new_id: Callable[[], str],
) -> Claim | None:
    lane, batch, leased, fence, attempts, crashes, resent, smaller, reference = row
    if batch is None:
        groups = _some(connection, lane, most)
        batch = new_id()
        connection.executemany(
            "UPDATE delivery SET batch = ? WHERE id = ?",
            [(batch, group.delivery) for group in groups],
        )
    else:
        groups = _rows(connection, lane, batch, -1)
    if not groups:  # nothing waits here after all
        connection.execute("UPDATE lane SET ready_at = NULL WHERE id = ?", (lane,))
        return None
    if leased:  # the lease ran out: who held it is gone, and the send may have happened
        crashes, resent = crashes + 1, 1
    connection.execute(_LEASE, (batch, crashes, resent, until, lane))
    return Claim(
        id=batch,
        lane=lane,
        fence=fence + 1,
        destination=destination,
        groups=tuple(groups),
        attempt=attempts + 1,
        crashes=crashes,
        resent=bool(resent),
        smaller=bool(smaller),
        reference=reference,
    )


def _some(connection: sqlite3.Connection, lane: int, most: int) -> list[WaitingGroup]:
    """What waits, oldest first, as much as fits into memory at once."""
    groups: list[WaitingGroup] = []
    size = 0
    for row in connection.execute(_WAITING, (lane, None, most)):
        size += len(row[2])
        if groups and size > _MOST_BYTES:
            break
        groups.append(_waiting(row))
    return groups


def _rows(connection: sqlite3.Connection, lane: int, batch: str, most: int) -> list[WaitingGroup]:
    return [_waiting(row) for row in connection.execute(_WAITING, (lane, batch, most))]


def _waiting(row: tuple[int, str, bytes, str, float]) -> WaitingGroup:
    delivery, group, body, fingerprints, accepted_at = row
    return WaitingGroup(delivery, group, body, tuple(json.loads(fingerprints)), accepted_at)


def settle(connection: sqlite3.Connection, claim: Claim, settlement: Settlement) -> bool:
    """Write how a claim ended. False if another has taken the lane since; true, and nothing
    written, if this very claim was settled before."""
    found = connection.execute(
        "SELECT fence, leased FROM lane WHERE id = ?", (claim.lane,)
    ).fetchone()
    if found is None or found[0] != claim.fence:
        return False
    if not found[1]:
        return True
    verdict = settlement.verdict
    if verdict in (Verdict.DELIVERED, Verdict.DROPPED, Verdict.DEAD):
        _finish(connection, claim, settlement)
    else:
        _put_back(connection, claim, settlement)
    return True


def _finish(connection: sqlite3.Connection, claim: Claim, settlement: Settlement) -> None:
    state = "dead" if settlement.verdict is Verdict.DEAD else "delivered"
    connection.execute(
        _SETTLED,
        (
            state,
            settlement.now,
            settlement.reason,
            settlement.message,
            claim.attempt,
            claim.lane,
            claim.id,
        ),
    )
    ready_at, priority = _next(connection, claim.lane)
    connection.execute(
        _FREE,
        (None, 0, 0, 0, 0, settlement.reference, ready_at, priority, settlement.now, claim.lane),
    )


def _put_back(connection: sqlite3.Connection, claim: Claim, settlement: Settlement) -> None:
    tried = settlement.verdict is not Verdict.RELEASED
    doubt = settlement.verdict is Verdict.DOUBT or (not tried and claim.resent)
    batch = claim.id if doubt else None
    attempts = claim.attempt if tried else claim.attempt - 1
    connection.execute(
        _FAILED,
        (batch, settlement.reason, settlement.message, attempts, claim.lane, claim.id),
    )
    smaller = settlement.smaller if tried else claim.smaller
    due_at = settlement.due_at if tried else settlement.now
    _, priority = _next(connection, claim.lane)
    connection.execute(
        _FREE,
        (batch, attempts, claim.crashes, doubt, smaller, None, due_at, priority,
         settlement.now, claim.lane),
    )  # fmt: skip


def _next(connection: sqlite3.Connection, lane: int) -> tuple[float | None, int]:
    """When what waits in the lane became ready, None if nothing does, and how urgent it is."""
    oldest, priority = connection.execute(
        "SELECT min(accepted_at), min(priority) FROM delivery WHERE lane = ? AND state = 'waiting'",
        (lane,),
    ).fetchone()
    return oldest, 1 if priority is None else priority


def after_removal(connection: sqlite3.Connection, lane: int, now: float) -> None:
    """Put a lane right from which deliveries were taken by other ways than settling."""
    found = connection.execute("SELECT batch, leased FROM lane WHERE id = ?", (lane,)).fetchone()
    if found is None or found[1]:
        return
    ready_at, priority = _next(connection, lane)
    batch_is_gone = found[0] is not None and not _rows(connection, lane, found[0], 1)
    if ready_at is None or batch_is_gone:
        connection.execute(_FREE, (None, 0, 0, 0, 0, None, ready_at, priority, now, lane))


def free_leases(connection: sqlite3.Connection, now: float) -> None:
    """Make due what an earlier process held; that it was leased is remembered as a crash."""
    connection.execute("UPDATE lane SET ready_at = ? WHERE leased = 1 AND ready_at > ?", (now, now))
