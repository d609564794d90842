"""Settling: the outcome of a claim's deliveries, and what follows for its lane."""

from alert_router.outbox.model import HEALTHY, Claim, Settlement, Verdict
from alert_router.outbox.sqlite import health
from alert_router.outbox.sqlite.queries import query
from alert_router.outbox.sqlite.session import Session, clean

_LANE_OF_CLAIM = query("lane_of_claim")
_SETTLE_BATCH = query("settle_batch")
_REST_OF_LANE = query("rest_of_lane")
_LANE_GOES_ON = query("lane_goes_on")
_LANE_TRIES_AGAIN = query("lane_tries_again")
_LANE_RELEASED = query("lane_released")
_LANE_SHRINKS = query("lane_shrinks")
_BATCH_LEFT = query("batch_left")

DELIVERED, DEAD = 1, 2
_FINAL = {Verdict.DELIVERED: DELIVERED, Verdict.DROPPED: DELIVERED, Verdict.DEAD: DEAD}


def settle(session: Session, claim: Claim, settlement: Settlement) -> bool:
    """As `Outbox.settle`."""
    row = session.execute(_LANE_OF_CLAIM, (claim.lane,)).fetchone()
    if row is None or row[0] != claim.fence:
        return False
    _, leased, batch, batch_end, attempts, destination = row
    if not leased:  # said before, and the answer was lost
        return True
    if batch != claim.id:  # another lane, which has taken the number of one that was pruned
        return False
    if settlement.health is not None:
        health.note(session, destination, settlement.health, settlement.now)
    elif settlement.verdict is Verdict.DELIVERED:
        health.note(session, destination, HEALTHY, settlement.now)
    if settlement.verdict in _FINAL:
        _finish(session, claim.lane, settlement, batch_end, attempts)
    elif settlement.verdict is Verdict.RELEASED:
        values = {"lane": claim.lane, "now": settlement.now, "keep": claim.resent}
        session.execute(_LANE_RELEASED, values)
    else:
        _try_again(session, claim.lane, settlement)
    return True


def _finish(
    session: Session, lane: int, settlement: Settlement, batch_end: int, attempts: int
) -> None:
    """The batch is done with; the lane goes on at once with what waits behind it."""
    verdict, now = settlement.verdict, settlement.now
    reason, message = clean(settlement.reason), clean(settlement.message)
    values = (_FINAL[verdict], now, attempts, reason, message, lane, batch_end)
    session.execute(_SETTLE_BATCH, values)
    rest, priority, oldest = session.execute(_REST_OF_LANE, (lane,)).fetchone()
    reference = settlement.reference if verdict is Verdict.DELIVERED else None
    session.execute(
        _LANE_GOES_ON,
        {
            "lane": lane,
            "phase": 1 if rest else 0,
            "rest": rest,
            "priority": priority or 0,
            "oldest": oldest or 0.0,
            "now": now,
            "reference": clean(reference) if reference is not None else None,
        },
    )


def _try_again(session: Session, lane: int, settlement: Settlement) -> None:
    session.execute(
        _LANE_TRIES_AGAIN,
        {
            "lane": lane,
            "now": settlement.now,
            "due_at": settlement.due_at,
            "smaller": settlement.smaller,
            "reason": clean(settlement.reason),
            "message": clean(settlement.message),
            "keep": settlement.verdict is Verdict.DOUBT,
        },
    )


def shrink(session: Session, lane: int, now: float) -> None:
    """Put a lane right after waiting deliveries outside a running attempt were taken from it."""
    rest, priority, oldest = session.execute(_REST_OF_LANE, (lane,)).fetchone()
    if not rest:
        values = {"phase": 0, "rest": 0, "priority": 0, "oldest": 0.0, "reference": None}
        session.execute(_LANE_GOES_ON, values | {"lane": lane, "now": now})
        return
    (batch_left,) = session.execute(_BATCH_LEFT, (lane,)).fetchone()
    session.execute(
        _LANE_SHRINKS,
        {
            "lane": lane,
            "rest": rest,
            "priority": priority,
            "oldest": oldest,
            "batch_left": batch_left,
        },
    )
