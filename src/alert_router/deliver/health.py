"""How one destination is, in memory: when it may be tried, by how many at once, at which rate, and
which of its lanes fail on their own; and the lines in the log about it.

What a failure means is decided in `policy`; what outlives a restart, and what was sent before it,
is in the store. Times are seconds of a clock that only goes forward, except those in `Health`.
"""

from collections import OrderedDict, deque
from collections.abc import Iterable
from dataclasses import dataclass, field
from itertools import repeat
from math import inf
from typing import Any

import structlog

from alert_router.config.model import Delivery
from alert_router.deliver.policy import Situation, debt_after, longest, rest, urgent_gap
from alert_router.fields import Rate
from alert_router.notify.base import Failed, Outcome, Reason, Remedy
from alert_router.outbox.model import HEALTHY, Claim, Health, Probe, Settlement, Verdict

log = structlog.get_logger(__name__)

_EVERY = 60.0  # seconds between lines about a destination
_MOST_LANES = 4096  # that are remembered; what is forgotten only costs another attempt
_LONGEST = 200  # characters of a destination's answer in the log
_BREATH = (
    1.0  # seconds without an attempt after there was no thread, memory or descriptor to be had
)


@dataclass(slots=True)
class _Lane:
    """A lane that failed: when last, and how often in a row on its own and unmade."""

    failed_at: float
    alone: int = 0
    unmade: int = 0


@dataclass(slots=True)
class DestinationHealth:
    """One destination's health, for one loop. `names` go into each line of the log."""

    names: dict[str, str]
    health: Health = HEALTHY
    _probe_at: float = -inf
    _asked_until: float = -inf
    _probing: bool = False
    _ended_at: float = -inf  # the last attempt that failed
    _page_at: float = -inf  # the last page accepted
    _debt: float = 0.0  # processor seconds, as of `_ended_at`
    _room: float = inf  # attempts at once while it becomes well again
    _succeeded_at: float = -inf
    _rests_until: float = -inf
    _lanes: OrderedDict[int, _Lane] = field(default_factory=OrderedDict)
    _said_at: float = -inf
    _is_said: bool = False
    _failed: int = 0  # attempts since the last line

    def recall(self, health: Health, delivery: Delivery, *, now: float, clock: float) -> None:
        """Go on from what the store knows. A time that no schedule asks for is a clock's fault."""
        self.health = health
        wait = health.next_at - now
        self._probe_at = clock + (wait if 0 < wait <= longest(delivery) else 0.0)
        self._asked_until = self._probe_at if health.asked_until > now else -inf
        self._room = 1 if health.is_failing else inf

    def room(self, running: int, clock: float) -> int:
        """How many attempts may begin beside those that run; no more than `limit` says."""
        if clock < self._rests_until:
            return 0
        if self.health.is_failing:
            return 0 if self._probing or clock < self._probe_at else 1
        return int(min(self._room - running, 1000))

    def probe(self) -> Probe | None:
        """How to claim now. Every other time another lane than the most urgent one is tried."""
        if not self.health.is_failing:
            return None
        return Probe.OTHER if self.health.failures % 2 == 0 else Probe.URGENT

    def begin_probe(self) -> None:
        """A lane was claimed for it."""
        self._probing = True

    def end_probe(self) -> None:
        """It is over, whatever came of it."""
        self._probing = False

    def hurry(self, delivery: Delivery, clock: float) -> None:
        """A page was accepted: it is tried as soon as the destination may be, also where an attempt
        that runs finds only now that it is failing."""
        self._page_at = clock
        if not self.health.is_failing:
            return
        gap = urgent_gap(delivery, self.health.failures, self.health.reason)
        earliest = max(
            self._ended_at + gap,
            self._ended_at + rest(self._debt),
            self._asked_until,
        )
        self._probe_at = min(self._probe_at, max(clock, earliest))

    def reconfigured(self, clock: float) -> None:
        """Its settings changed: what was wrong may be right now."""
        if self.health.is_failing:
            self._probe_at = max(clock, self._asked_until)

    def pause(self, clock: float) -> float:
        """Seconds until the end of a pause that the destination asked for; 0 without one."""
        return max(0.0, self._asked_until - clock)

    def wait(self, clock: float) -> float:
        """Seconds until it may be tried or something is to be said, if nothing happens before; 0 if
        it may be tried now."""
        until = self._rests_until
        if self.health.is_failing:
            until = max(until, inf if self._probing else self._probe_at)
        if until <= clock:
            return 0.0
        if self.health.is_failing and self._failed:  # there is something to be said each minute
            until = min(until, max(self._said_at + _EVERY, clock + 0.1))
        return until - clock

    def situation(
        self, claim: Claim, claimed: float, *, probe: bool, cost: float, clock: float
    ) -> Situation:
        """What is known when an attempt that was claimed then has ended; `cost` in processor
        seconds."""
        lane = self._lanes.get(claim.lane)
        succeeded = self._succeeded_at > claimed or (
            lane is not None and not self.health.is_failing and self._succeeded_at > lane.failed_at
        )
        return Situation(
            health=self.health,
            page=self._page_at >= claimed,
            concurrent=not probe,
            others_succeed=succeeded,
            alone=lane.alone if lane else 0,
            unmade=lane.unmade if lane else 0,
            debt=self._debt_with(cost, clock),
        )

    def note(
        self, claim: Claim, outcome: Outcome, settlement: Settlement, cost: float, *, clock: float
    ) -> None:
        """Take over what was decided about an attempt that has ended just now."""
        if isinstance(outcome, Failed):
            self._remember(claim, outcome, settlement, clock)
            if outcome.reason is Reason.INTERNAL and outcome.remedy is Remedy.RETRY:
                self._rests_until = clock + _BREATH
        else:
            self._lanes.pop(claim.lane, None)
            self._succeeded_at = clock
        if settlement.health is None:
            return
        before, self.health = self.health, settlement.health
        if self.health.is_failing:
            self._room = 1
            self._failed += 1
            self._debt, self._ended_at = self._debt_with(cost, clock), clock
            self._probe_at = clock + self.health.next_at - settlement.now
            self._asked_until = clock + self.health.asked_until - settlement.now
            self._say_failing(settlement.now, clock)
        elif before.is_failing:
            self._room = 2
            self._say_back(before, settlement.now)
        elif isinstance(outcome, Failed):
            return
        elif self._room < inf:
            self._room = self._room * 2 if self._room < 256 else inf

    def report(self, now: float, clock: float) -> None:
        """The line of each minute while it is failing."""
        if self.health.is_failing and self._failed:
            self._say_failing(now, clock)

    def _debt_with(self, cost: float, clock: float) -> float:
        return debt_after(self._debt, cost, min(clock - self._ended_at, 1e6))

    def _remember(
        self, claim: Claim, outcome: Failed, settlement: Settlement, clock: float
    ) -> None:
        if not claim.lane:  # what no store has says nothing about others
            return
        if settlement.verdict is Verdict.DEAD:
            self._lanes.pop(claim.lane, None)
            return
        lane = self._lanes.setdefault(claim.lane, _Lane(clock))
        self._lanes.move_to_end(claim.lane)
        lane.failed_at = clock
        if settlement.health is None:
            lane.alone += 1
        if outcome.remedy is Remedy.GIVE_UP:
            lane.unmade += 1
        while len(self._lanes) > _MOST_LANES:
            self._lanes.popitem(last=False)

    def _say_failing(self, now: float, clock: float) -> None:
        if clock - self._said_at < _EVERY:
            return
        event = "destination is still failing" if self._is_said else "destination is failing"
        fields: dict[str, Any] = {
            "reason": self.health.reason,
            "error": self.health.message[:_LONGEST],
            "failing_for": round(now - self.health.failing_since),
            "failed_attempts": self._failed,
            "next_attempt_in": round(max(0.0, self._probe_at - clock), 1),
        }
        log.warning(event, **self.names, **fields)
        self._said_at, self._is_said, self._failed = clock, True, 0

    def _say_back(self, before: Health, now: float) -> None:
        if self._is_said:
            log.warning(
                "destination is back", **self.names, failed_for=round(now - before.failing_since)
            )
        self._is_said = False


class Pace:
    """No more than `rate.messages` in any span of `rate.seconds`, wherever it begins: that is how
    destinations count. `sent` are the times of earlier messages."""

    def __init__(self, rate: Rate, sent: Iterable[float] = ()) -> None:
        self.rate = rate
        self._sent = deque(sorted(sent))

    def changed(self, rate: Rate) -> "Pace":
        """Another rate for the same destination, which has had the same messages."""
        return Pace(rate, self._sent)

    def free(self, now: float) -> int:
        """How many messages may be sent now."""
        while self._sent and self._sent[0] <= now - self.rate.seconds:
            self._sent.popleft()
        return max(0, self.rate.messages - len(self._sent))

    def take(self, messages: int, now: float) -> None:
        """So many are being sent."""
        self._sent.extend(repeat(now, messages))

    def wait(self, now: float) -> float:
        """Seconds until the next may be sent; 0 if it may now."""
        if self.free(now):
            return 0.0
        # Rounding may make it 0 a moment before one is free.
        return max(0.001, self._sent[-self.rate.messages] + self.rate.seconds - now)
