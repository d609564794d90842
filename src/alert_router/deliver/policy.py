"""When to try again: from an outcome to what happens to the claim and to its destination. The only
place that decides.

A failure is the destination's, which is then tried by one delivery at a time, or the message's
own, which then waits while others go on. Pure: time and chance are arguments.
"""

from dataclasses import dataclass
from math import inf

from alert_router.config.model import Delivery
from alert_router.notify.base import Delivered, Failed, Outcome, Reason, Remedy
from alert_router.outbox.model import HEALTHY, Claim, Health, Settlement, Verdict

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
