"""Whatever happens in whatever order: nothing is lost, nothing goes out of order, and whoever
lost a lane cannot settle it. The rules are kept here as plain lists.
"""

import asyncio
import tempfile
from collections import defaultdict
from dataclasses import dataclass, field
from pathlib import Path

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from alert_router.outbox.model import Claim, State, Verdict
from tests.outbox.kit import DRIVERS, LEASE, NOW, end, group, put, take

LANES = st.sampled_from("xyz")
FINAL = (Verdict.DELIVERED, Verdict.DROPPED, Verdict.DEAD)
AGAIN = (Verdict.RETRY, Verdict.DOUBT, Verdict.RELEASED)


@dataclass
class Lane:
    waiting: list[str] = field(default_factory=list)
    batch: list[str] = field(default_factory=list)  # a prefix of what waits
    batch_id: str | None = None  # of a batch that is leased or in doubt
    holder: Claim | None = None
    lease_ends: float = 0.0
    due: float = 0.0
    attempts: int = 0
    crashes: int = 0


class Lanes(RuleBasedStateMachine):
    driver = "sqlite"

    def __init__(self) -> None:
        super().__init__()
        self.runner = asyncio.Runner()
        self.directory = tempfile.TemporaryDirectory()
        self.outbox = self.open()
        self.now = NOW
        self.lanes: dict[str, Lane] = defaultdict(Lane)
        self.lane_of: dict[str, str] = {}
        self.done: dict[str, State] = {}
        self.claims: list[Claim] = []

    def open(self):
        return self.runner.run(DRIVERS[self.driver](Path(self.directory.name)))

    def lane(self, claim: Claim) -> Lane:
        return self.lanes[self.lane_of[claim.groups[0].group]]

    @rule(name=LANES, priority=st.integers(0, 2))
    def accept(self, name: str, priority: int) -> None:
        id_ = f"g{len(self.lane_of)}"
        one = group(id_, lane=name, at=self.now, priority=priority)
        self.runner.run(put(self.outbox, one))
        self.lane_of[id_] = name
        lane = self.lanes[name]
        if not lane.waiting:
            lane.due = self.now
        lane.waiting.append(id_)

    @rule(seconds=st.sampled_from([1.0, 7.0, LEASE]))
    def time_passes(self, seconds: float) -> None:
        self.now += seconds

    @rule(limit=st.integers(1, 3), fold=st.booleans())
    def claim(self, limit: int, fold: bool) -> None:
        may = {
            name
            for name, lane in self.lanes.items()
            if lane.waiting
            and (lane.lease_ends <= self.now if lane.holder else lane.due <= self.now)
        }
        claims = self.runner.run(take(self.outbox, limit=limit, now=self.now, fold=fold))
        assert len(claims) == min(limit, len(may))
        for claim in claims:
            may.remove(self.lane_of[claim.groups[0].group])
            self.check_claim(claim, fold)
        self.claims += claims

    def check_claim(self, claim: Claim, fold: bool) -> None:
        lane = self.lane(claim)
        lane.attempts += 1
        lane.crashes += lane.holder is not None
        got = [waiting.group for waiting in claim.groups]
        if lane.batch_id is not None:
            assert (got, claim.id, claim.resent) == (lane.batch, lane.batch_id, True)
        else:
            assert got == (lane.waiting if fold else lane.waiting[:1])
            assert not claim.resent
        assert (claim.attempt, claim.crashes) == (lane.attempts, lane.crashes)
        lane.batch, lane.batch_id, lane.holder = got, claim.id, claim
        lane.lease_ends = self.now + LEASE

    @precondition(lambda self: self.claims)
    @rule(data=st.data(), verdict=st.sampled_from(FINAL + AGAIN), delay=st.sampled_from([0.0, 5.0]))
    def settle(self, data, verdict: Verdict, delay: float) -> None:
        claim = data.draw(st.sampled_from(self.claims))
        lane = self.lane(claim)
        due = self.now + delay
        taken = self.runner.run(
            end(self.outbox, claim, verdict, now=self.now, due_at=due, reason="why")
        )
        if lane.holder is not claim:  # stale, or said before
            return
        assert taken
        lane.holder = None
        if verdict in FINAL:
            for id_ in lane.batch:
                self.done[id_] = State.DEAD if verdict is Verdict.DEAD else State.DELIVERED
            lane.waiting = lane.waiting[len(lane.batch) :]
            lane.attempts = lane.crashes = 0
            lane.due = self.now
        else:
            lane.due = self.now if verdict is Verdict.RELEASED else due
            lane.attempts -= verdict is Verdict.RELEASED
        is_doubt = verdict is Verdict.DOUBT or (verdict is Verdict.RELEASED and claim.resent)
        if not is_doubt:
            lane.batch, lane.batch_id = [], None

    @rule()
    def restart(self) -> None:
        self.runner.run(self.outbox.close())
        self.outbox = self.open()
        self.runner.run(self.outbox.recover("service"))
        for lane in self.lanes.values():
            if lane.holder is not None:
                lane.holder = None
                lane.crashes += 1
                lane.due = self.now

    @invariant()
    def every_group_is_in_exactly_one_state(self) -> None:
        rows = self.runner.run(self.outbox.deliveries(limit=10_000))
        found = {row.group: row.state for row in rows}
        waiting = {id_: State.WAITING for lane in self.lanes.values() for id_ in lane.waiting}
        assert len(rows) == len(found) == len(self.lane_of)
        assert found == waiting | self.done

    def teardown(self) -> None:
        self.runner.run(self.outbox.close())
        self.runner.close()
        self.directory.cleanup()


TestLanes = Lanes.TestCase
TestLanes.settings = settings(max_examples=40, stateful_step_count=40, deadline=None)
