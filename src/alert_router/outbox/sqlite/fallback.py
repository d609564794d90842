"""Fallback: what is pending for a failing destination is sent elsewhere as well.

`settle` records since when it is failing; how long is too long is not decided here.
"""

from alert_router.outbox.model import Destination
from alert_router.outbox.sqlite.accept import enter_lane
from alert_router.outbox.sqlite.queries import query
from alert_router.outbox.sqlite.session import Session

_FAILING_SINCE = query("failing_since")
_TO_DIVERT = query("to_divert")
_IS_THERE = query("group_is_in_lane")
_ADD_DIVERTED = query("add_diverted")
_MARK_DIVERTED = query("mark_diverted")


def divert(
    session: Session,
    destination: Destination,
    to: tuple[Destination, ...],
    failing_before: float,
    now: float,
    limit: int,
) -> int:
    """Divert at most `limit` deliveries; how many were looked at."""
    source = session.find(destination)
    if source is None or not to:
        return 0
    (since,) = session.execute(_FAILING_SINCE, (source,)).fetchone()
    if not since or since > failing_before:
        return 0
    found = session.execute(_TO_DIVERT, (source, limit)).fetchall()
    for delivery, group, priority, fingerprints, identity in found:
        for one in to:
            target = session.key(one)
            if session.execute(_IS_THERE, (group, target)).fetchone()[0]:
                continue  # sent there anyway
            lane = enter_lane(session, identity, target, priority, now)
            values = (lane, target, group, priority, now, fingerprints, source)
            session.execute(_ADD_DIVERTED, values)
        session.execute(_MARK_DIVERTED, (delivery,))
    return len(found)
