"""When to try again: from an outcome to what becomes of the claim. The only place that decides.

Pure: time and chance are arguments.
"""

from dataclasses import dataclass

from alert_router.notify.base import Delivered, Failed, Outcome, Remedy
from alert_router.outbox.model import Claim, Settlement, Verdict


@dataclass(frozen=True, slots=True)
class Schedule:
    """The times of retrying, in seconds."""

    min_backoff: float = 1.0
    max_backoff: float = 300.0
    hold_backoff: float = 300.0
    retry_after_cap: float = 3600.0
    max_age: float = 86_400.0

    @property
    def longest(self) -> float:
        """Seconds beyond which nothing is ever put off."""
        return max(self.max_backoff, self.hold_backoff, self.retry_after_cap)

    def backoff(self, attempt: int, chance: float) -> float:
        """Seconds before the next attempt: doubling, capped, spread over the upper half by
        `chance` in [0, 1) so that lanes that failed together do not return together."""
        full = min(self.max_backoff, self.min_backoff * 2.0 ** min(attempt - 1, 60))
        return full * (0.5 + chance / 2)


@dataclass(frozen=True, slots=True)
class Decision:
    """The settlement of a claim, and until when its whole destination is to rest (0: not)."""

    settlement: Settlement
    pause_until: float = 0.0


def decide(
    outcome: Outcome, claim: Claim, schedule: Schedule, *, now: float, chance: float
) -> Decision:
    """What an outcome means for its claim."""
    if isinstance(outcome, Delivered):
        return Decision(Settlement(Verdict.DELIVERED, now, reference=outcome.reference))
    if _is_final(outcome, claim):
        return Decision(_failed(Verdict.DEAD, outcome, now, now))
    if outcome.remedy is Remedy.SMALLER:
        return Decision(_failed(_again(outcome, claim), outcome, now, now, smaller=True))
    asked = min(outcome.retry_after or 0.0, schedule.retry_after_cap)
    delay = max(schedule.backoff(claim.attempt, chance), asked)
    rest = asked
    if outcome.remedy is Remedy.HOLD:
        delay = rest = max(schedule.hold_backoff, asked)
    due = now + delay
    settlement = _failed(_again(outcome, claim), outcome, now, due, smaller=claim.smaller)
    return Decision(settlement, pause_until=now + rest if rest else 0.0)


def is_too_old(claim: Claim, schedule: Schedule, now: float) -> bool:
    """Whether even the newest group of the claim has waited longer than `max_age`."""
    return now - claim.groups[-1].accepted_at > schedule.max_age


def _is_final(outcome: Failed, claim: Claim) -> bool:
    if outcome.remedy is Remedy.GIVE_UP:
        return True
    return outcome.remedy is Remedy.SMALLER and claim.smaller


def _again(outcome: Failed, claim: Claim) -> Verdict:
    """A batch once in doubt stays so: this attempt failed for certain, an earlier one may not."""
    return Verdict.DOUBT if outcome.in_doubt or claim.resent else Verdict.RETRY


def _failed(
    verdict: Verdict, outcome: Failed, now: float, due: float, smaller: bool = False
) -> Settlement:
    return Settlement(
        verdict,
        now,
        due_at=due,
        reason=outcome.reason.value,
        message=outcome.message,
        smaller=smaller,
        failing=outcome.remedy in (Remedy.RETRY, Remedy.HOLD),
    )
