"""Settling claims that end at about the same time: few statements for all. Lanes are locked in one
order, then destinations, so that routers do not wait for each other in a circle.
"""

from collections.abc import Sequence
from typing import Any, NamedTuple

from alert_router.outbox import lanes
from alert_router.outbox.lanes import FINAL, finish_change, go_on, known_answer
from alert_router.outbox.model import HEALTHY, Claim, Health, Settlement, Verdict
from alert_router.outbox.postgres.session import PostgresSession


class _Ended(NamedTuple):
    claim: Claim
    settlement: Settlement
    batch_end: int
    attempts: int
    destination: int

    @property
    def health(self) -> Health | None:
        """How the destination is since then, where the attempt says anything about it."""
        is_delivered = self.settlement.verdict is Verdict.DELIVERED
        return self.settlement.health or (HEALTHY if is_delivered else None)


async def settle(session: PostgresSession, asked: Sequence[tuple[Claim, Settlement]]) -> list[bool]:
    """As `Outbox.settle`, for each of the claims."""
    rows = await session.rows("lanes_of_claims", ([claim.lane for claim, _ in asked],))
    lanes = {lane: row for lane, *row in rows}
    answers: list[bool] = []
    ended: dict[int, _Ended] = {}
    changes: dict[int, _Ended] = {}
    for claim, settlement in asked:
        row = lanes.get(claim.lane)
        answer = known_answer(claim, row)
        answers.append(answer is not False)
        if answer is None and row is not None:
            one = _Ended(claim, settlement, *row[3:])
            (ended if one.batch_end else changes).setdefault(claim.lane, one)
    await _note_health(session, list(ended.values()))
    final = [one for one in ended.values() if one.settlement.verdict in FINAL]
    if final:
        await session.columns("settle_batches", [_outcome(session, one) for one in final])
        await session.columns("lanes_go_on", [_lane(session, one) for one in final])
    for one in ended.values():
        if one.settlement.verdict not in FINAL:
            await go_on(session, one.claim, one.settlement, one.destination)
    for lane, one in changes.items():
        await finish_change(session, lane, one.settlement)
    return answers


def _outcome(session: PostgresSession, one: _Ended) -> tuple[Any, ...]:
    settlement = one.settlement
    texts = session.clean(settlement.reason), session.clean(settlement.message)
    state = FINAL[settlement.verdict]
    return one.claim.lane, one.batch_end, state, settlement.now, one.attempts, *texts


def _lane(session: PostgresSession, one: _Ended) -> tuple[Any, ...]:
    settlement = one.settlement
    reference = settlement.reference if settlement.verdict is Verdict.DELIVERED else None
    cleaned = None if reference is None else session.clean(reference)
    return one.claim.lane, settlement.now, cleaned


async def _note_health(session: PostgresSession, ended: Sequence[_Ended]) -> None:
    """Write how the destinations are: the latest attempt that says so counts."""
    said: dict[int, tuple[float, Health]] = {}
    for one in ended:
        now = one.settlement.now
        if one.health is not None and now >= said.get(one.destination, (now,))[0]:
            said[one.destination] = now, one.health
    silent = [(one.destination, one.claim.lane) for one in ended if one.health is None]
    if silent:
        await session.columns("end_probes", silent)
    well = [key for key, (_, known) in said.items() if not known.is_failing]
    recovered = {row[0] for row in await session.rows("failing_among", (well,))} if well else set()
    for key, (now, known) in sorted(said.items()):
        if known.is_failing or key in recovered:
            await lanes.note_health(session, key, known, now)
