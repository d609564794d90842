"""When to try again: what an outcome means for its claim and for its destination, and how each
destination is, in memory: when it may be tried, by how many at once and at which rate.

A failure is the destination's, which is then tried by one delivery at a time, or the message's
own, which then waits while others go on. Only `decide` and `decide_change` decide, and they are
pure: time and chance are arguments. What outlives a restart, and what was sent before it, is in the
store.
"""

from collections import OrderedDict, deque
from collections.abc import Iterable
from dataclasses import dataclass, field
from itertools import repeat
from math import inf
from typing import Any

import structlog

from alert_router.config.model import Delivery
from alert_router.fields import Rate
from alert_router.notify.base import Delivered, Failed, Outcome, Reason, Remedy
from alert_router.outbox.model import HEALTHY, Claim, Health, Probe, Settlement, Verdict

log = structlog.get_logger(__name__)

# Seconds between attempts at a failing destination, each after one more failure. The first is
# multiplied by `min_backoff`, the second is for what a person has to correct.
_STEPS = (1.0, 2.0, 5.0, 10.0, 30.0, 60.0, 120.0, 300.0)
_HOLD_STEPS = (5.0, 5.0, 10.0, 30.0, 60.0, 120.0, 300.0)
_PASSING = 3  # so many failures of that kind may be passing ones; while a page is pending
_PAGE_HOLD = 30.0  # from then on a page is tried at least this often, in seconds

# Attempts at a failing destination may take this part of a processor, and so many seconds of it at
# once; where messages are more expensive, they are tried less often.
SHARE = 0.01
_BURST = 1.0
_LONGEST_REST = 20.0  # seconds: one expensive attempt must not keep pages for minutes

# Seconds before a message is changed again because of what people did, where that failed.
_CHANGE_AGAIN = 30.0

# A message that cannot be made is given up after so many attempts while nothing else was wrong.
MOST_UNMADE = 5

_ON_HOLD = frozenset((Reason.MISCONFIGURED.value, Reason.REDIRECTED.value))

_EVERY = 60.0  # seconds between lines about a destination
_MOST_LANES = 4096  # that are remembered; what is forgotten only costs another attempt
_LONGEST = 200  # characters of a destination's answer in the log
# Seconds without an attempt after there was no thread, memory or descriptor to be had.
_BREATH = 1.0


def longest(delivery: Delivery) -> float:
    """Seconds beyond which nothing is ever put off."""
    return max(delivery.max_backoff, delivery.hold_backoff, delivery.retry_after_cap)


def backoff(delivery: Delivery, times: int, chance: float) -> float:
    """Seconds before a message that failed that often on its own is tried again: doubling,
    capped, spread over the upper half by `chance` in [0, 1)."""
    full = min(delivery.max_backoff, delivery.min_backoff * 2.0 ** min(times - 1, 60))
    return full * (0.5 + chance / 2)


def probe_after(
    delivery: Delivery, failures: int, reason: str, *, page: bool, chance: float
) -> float:
    """Seconds before a destination that failed so often in a row is tried again; sooner while
    a page is pending."""
    if reason in _ON_HOLD:
        full = min(_step(_HOLD_STEPS, failures), delivery.hold_backoff)
    else:
        full = min(_step(_STEPS, failures) * delivery.min_backoff, delivery.max_backoff)
    if page:
        full = min(full, urgent_gap(delivery, failures, reason))
    return full * (0.8 + chance / 5)


def urgent_gap(delivery: Delivery, failures: int, reason: str) -> float:
    """Seconds between attempts for pages. A destination that somebody has to correct is not
    asked that often for long."""
    if reason in _ON_HOLD and failures > _PASSING:
        return max(delivery.urgent_backoff, min(_PAGE_HOLD, delivery.hold_backoff))
    return delivery.urgent_backoff


@dataclass(frozen=True, slots=True)
class Situation:
    """What is known beside the outcome when a claim ends.

    `page`: one was accepted since the claim was made. `concurrent`: the attempt began before the
    destination was found failing. `others_succeed`: another message was delivered since the claim
    was made, or since this lane failed last. `alone` and `unmade`: how often in a row, before this,
    the lane failed on its own, and how often its message could not be made while nothing else was
    wrong. `debt`: processor seconds taken by attempts while it was failing, less SHARE of the time
    since.
    """

    health: Health = HEALTHY
    page: bool = False
    concurrent: bool = False
    others_succeed: bool = False
    alone: int = 0
    unmade: int = 0
    debt: float = 0.0


def decide(
    outcome: Outcome,
    claim: Claim,
    situation: Situation,
    delivery: Delivery,
    *,
    now: float,
    chance: float,
) -> Settlement:
    """What an outcome means for its claim and for its destination."""
    if isinstance(outcome, Delivered):
        return Settlement(Verdict.DELIVERED, now, reference=outcome.reference, health=HEALTHY)
    if outcome.remedy is Remedy.SMALLER:  # whoever judges a message is there
        if claim.smaller:
            return _failed(Verdict.DEAD, outcome, now, now, health=HEALTHY)
        again = _again(outcome, claim)
        return _failed(again, outcome, now, now, smaller=True, health=HEALTHY)
    if outcome.remedy is Remedy.GIVE_UP and situation.unmade + 1 >= MOST_UNMADE:
        return _failed(Verdict.DEAD, outcome, now, now)
    if concerns_message(outcome, situation):
        due = now + backoff(delivery, situation.alone + 1, chance)
        return _failed(_again(outcome, claim), outcome, now, due, smaller=claim.smaller)
    health = _worse(outcome, claim, situation, delivery, now, chance)
    verdict = _again(outcome, claim)
    return _failed(verdict, outcome, now, now, smaller=claim.smaller, health=health)


def decide_change(
    outcome: Outcome | str, claim: Claim, delivery: Delivery, *, now: float
) -> Settlement:
    """What an outcome means for a message that was to be changed because of what people did. It is
    not worth much trouble: it makes no destination fail, and is given up where trying again as it
    is would not help, or the message is old."""
    if isinstance(outcome, Delivered):
        return Settlement(Verdict.DELIVERED, now, reference=outcome.reference)
    is_old = now - claim.groups[-1].accepted_at > delivery.max_age
    if isinstance(outcome, str) or outcome.remedy is not Remedy.RETRY or is_old:
        return Settlement(Verdict.DROPPED, now)
    pause = max(_CHANGE_AGAIN, min(outcome.retry_after or 0.0, delivery.retry_after_cap))
    return Settlement(Verdict.RETRY, now, due_at=now + pause)


def concerns_message(outcome: Failed, situation: Situation) -> bool:
    """Whether a failure says nothing about the destination: the fault is ours, or others get
    through. What asks for a pause concerns all."""
    if outcome.reason is Reason.INTERNAL or outcome.remedy is Remedy.GIVE_UP:
        return True
    return outcome.retry_after is None and situation.others_succeed


def is_held(health: Health, now: float) -> bool:
    """Whether a destination rests because it refuses everything or asked for a pause."""
    return health.is_failing and (health.reason in _ON_HOLD or health.asked_until > now)


def rest(debt: float) -> float:
    """Seconds in which a failing destination is not tried because attempts took too much."""
    return min(max(0.0, debt - _BURST) / SHARE, _LONGEST_REST)


def debt_after(debt: float, cost: float, seconds: float) -> float:
    """The debt after an attempt that took so much, so many seconds after the one before. What is
    owed beyond the longest rest is forgotten."""
    owed = max(0.0, debt - SHARE * seconds) + cost
    return min(owed, _BURST + SHARE * _LONGEST_REST)


def _worse(
    outcome: Failed,
    claim: Claim,
    situation: Situation,
    delivery: Delivery,
    now: float,
    chance: float,
) -> Health:
    """The destination after one more failure. Of several at the same time one counts."""
    before = situation.health
    is_step = not (before.is_failing and situation.concurrent)
    reason = outcome.reason.value
    # Another kind of trouble begins its own schedule, except that it was known to be failing.
    same = (reason in _ON_HOLD) == (before.reason in _ON_HOLD)
    failures = (before.failures if same else 0) + 1 if is_step else before.failures
    # No further than any pause: a clock that was ahead may have been set back.
    asked_until = min(before.asked_until, now + delivery.retry_after_cap)
    next_at = before.next_at
    page = claim.most_urgent == 0 or situation.page
    if outcome.retry_after is not None:
        asked = max(min(outcome.retry_after, delivery.retry_after_cap), 0.0)
        asked_until = max(asked_until, now + asked)
        least = min(delivery.min_backoff, delivery.urgent_backoff if page else inf)
        next_at = max(0.0 if is_step else next_at, asked_until, now + least)
    elif is_step or page:
        pause = probe_after(delivery, failures, reason, page=page, chance=chance)
        again_at = max(now + max(pause, rest(situation.debt)), asked_until)
        next_at = again_at if is_step else min(next_at, again_at)
    return Health(
        failing_since=before.failing_since or now,
        failures=failures,
        reason=reason,
        message=outcome.message,
        next_at=next_at,
        asked_until=asked_until,
    )


def _step(steps: tuple[float, ...], failures: int) -> float:
    """The step after so many failures; beyond the last one it doubles."""
    beyond = max(0, failures - len(steps))
    return steps[min(failures, len(steps)) - 1] * 2.0 ** min(beyond, 60)


def _again(outcome: Failed, claim: Claim) -> Verdict:
    """A batch once in doubt stays so: this attempt failed for certain, an earlier one may not."""
    return Verdict.DOUBT if outcome.in_doubt or claim.resent else Verdict.RETRY


def _failed(
    verdict: Verdict,
    outcome: Failed,
    now: float,
    due: float,
    *,
    smaller: bool = False,
    health: Health | None = None,
) -> Settlement:
    return Settlement(
        verdict,
        now,
        due_at=due,
        reason=outcome.reason.value,
        message=outcome.message,
        smaller=smaller,
        health=health,
    )


@dataclass(slots=True)
class _Lane:
    """A lane that failed: when last, and how often in a row on its own and unmade."""

    failed_at: float
    alone: int = 0
    unmade: int = 0


@dataclass(slots=True)
class DestinationHealth:
    """One destination's health, for one loop: when it may be tried, and which of its lanes fail on
    their own. `names` go into each line of the log. Times are seconds of a clock that only goes
    forward, except those in `Health`."""

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
