"""Settling: the outcome of a claim's deliveries, and what follows for its lane."""

from collections.abc import Sequence
from typing import Any

from alert_router.outbox.model import HEALTHY, Claim, Settlement, Verdict
from alert_router.outbox.operations import health
from alert_router.outbox.operations.session import Session

DELIVERED, DEAD = 1, 2
FINAL = {Verdict.DELIVERED: DELIVERED, Verdict.DROPPED: DELIVERED, Verdict.DEAD: DEAD}


async def settle(session: Session, claim: Claim, settlement: Settlement) -> bool:
    """As `Outbox.settle`."""
    row = await session.row("lane_of_claim", (claim.lane,))
    answer = known_answer(claim, row)
    if row is None or answer is not None:
        return bool(answer)
    *_, batch_end, attempts, destination = row
    if not batch_end:
        await finish_change(session, claim.lane, settlement)
        return True
    if settlement.health is not None:
        await health.note(session, destination, settlement.health, settlement.now)
    elif settlement.verdict is Verdict.DELIVERED:
        await health.note(session, destination, HEALTHY, settlement.now)
    elif session.is_shared:
        await session.run("end_probe", (destination, claim.lane))
    if settlement.verdict in FINAL:
        await _finish(session, claim.lane, settlement, batch_end, attempts)
    else:
        await go_on(session, claim, settlement, destination)
    return True


def known_answer(claim: Claim, row: Sequence[Any] | None) -> bool | None:
    """What `settle` answers without writing anything, by the claim's lane; None if it writes."""
    if row is None:
        return False
    fence, leased, batch, *_ = row
    if fence != claim.fence:
        return False
    if not leased:  # said before, and the answer was lost
        return True
    # Else it is another lane, which has taken the number of one that was pruned.
    return None if batch == claim.id else False


async def go_on(session: Session, claim: Claim, settlement: Settlement, destination: int) -> None:
    """Write how a claim ended that was not the end of its batch."""
    if settlement.verdict is Verdict.RELEASED:
        values = {"lane": claim.lane, "now": settlement.now, "keep": int(claim.resent)}
        await session.run("lane_released", values)
        await session.announce(destination)
    else:
        await _try_again(session, claim.lane, settlement)


async def _finish(
    session: Session, lane: int, settlement: Settlement, batch_end: int, attempts: int
) -> None:
    """The batch is done with; the lane goes on at once with what waits behind it."""
    verdict, now = settlement.verdict, settlement.now
    reason, message = session.clean(settlement.reason), session.clean(settlement.message)
    values = (FINAL[verdict], now, attempts, reason, message, lane, batch_end)
    await session.run("settle_batch", values)
    await free(session, lane, now, settlement.reference if verdict is Verdict.DELIVERED else None)


async def finish_change(session: Session, lane: int, settlement: Settlement) -> None:
    """A change of the lane's message is done with, or is tried again once nothing is pending."""
    verdict, now = settlement.verdict, settlement.now
    await free(session, lane, now, settlement.reference if verdict is Verdict.DELIVERED else None)
    if verdict in (Verdict.RETRY, Verdict.DOUBT, Verdict.RELEASED):
        await session.run("change_later", (max(now, settlement.due_at), lane))


async def free(
    session: Session, lane: int, now: float, reference: str | None = None, crashes: int = 0
) -> None:
    """End what the lane was busy with, so that it goes on with what is pending in it."""
    rest, priority, oldest = await session.one("rest_of_lane", (lane,))
    await session.run(
        "lane_goes_on",
        {
            "lane": lane,
            "crashes": crashes,
            "phase": 1 if rest else 0,
            "rest": rest,
            "priority": priority or 0,
            "oldest": oldest or 0.0,
            "now": now,
            "reference": session.clean(reference) if reference is not None else None,
        },
    )


async def _try_again(session: Session, lane: int, settlement: Settlement) -> None:
    await session.run(
        "lane_tries_again",
        {
            "lane": lane,
            "now": settlement.now,
            "due_at": settlement.due_at,
            "phase": 2 if settlement.due_at > settlement.now else 1,
            "smaller": int(settlement.smaller),
            "reason": session.clean(settlement.reason),
            "message": session.clean(settlement.message),
            "keep": int(settlement.verdict is Verdict.DOUBT),
        },
    )


async def shrink(session: Session, lane: int, now: float) -> None:
    """Put a lane right after waiting deliveries outside a running attempt were taken from it."""
    rest, priority, oldest = await session.one("rest_of_lane", (lane,))
    row = await session.row("lane_of_claim", (lane,))
    is_being_changed = row is not None and row[1] and not row[3]
    if not rest:
        if not is_being_changed:
            await free(session, lane, now)
        return
    (batch_left,) = await session.one("batch_left", (lane,))
    await session.run(
        "lane_shrinks",
        {
            "lane": lane,
            "rest": rest,
            "priority": priority,
            "oldest": oldest,
            "batch_left": int(batch_left or is_being_changed),
        },
    )
