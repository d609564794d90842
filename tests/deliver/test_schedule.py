"""What an outcome means for its claim."""

from dataclasses import replace

import pytest

from alert_router.deliver.schedule import Schedule, decide, is_too_old
from alert_router.notify.base import Delivered, Failed, Reason, Remedy
from alert_router.outbox.model import Claim, Destination, Verdict, WaitingGroup

CLAIM = Claim(
    id="w", lane=1, fence=1, destination=Destination("oncall", "slack"), attempt=1,
    groups=(WaitingGroup(1, "g1", b"", (), 100.0), WaitingGroup(2, "g2", b"", (), 200.0)),
)  # fmt: skip
SCHEDULE = Schedule()
NOW = 1000.0


def verdict(outcome: Failed, claim: Claim = CLAIM, chance: float = 0.0):
    return decide(outcome, claim, SCHEDULE, now=NOW, chance=chance)


def test_delivered_keeps_the_reference() -> None:
    settlement = decide(Delivered("ts-1"), CLAIM, SCHEDULE, now=NOW, chance=0).settlement
    assert (settlement.verdict, settlement.reference) == (Verdict.DELIVERED, "ts-1")


def test_backoff_doubles_to_a_cap_and_is_spread_over_its_upper_half() -> None:
    assert [SCHEDULE.backoff(n, 0.0) for n in (1, 2, 3, 4)] == [0.5, 1.0, 2.0, 4.0]
    assert SCHEDULE.backoff(10_000, 0.0) == 150.0
    assert 299.0 < SCHEDULE.backoff(10_000, 0.999) < 300.0


def test_a_certain_failure_is_folded_anew_and_one_in_doubt_goes_again_as_it_was() -> None:
    assert verdict(Failed(Reason.SERVER_ERROR, "")).settlement.verdict is Verdict.RETRY
    doubt = verdict(Failed(Reason.TIMEOUT, "", in_doubt=True))
    assert doubt.settlement.verdict is Verdict.DOUBT


def test_a_batch_once_in_doubt_stays_so_after_a_certain_failure() -> None:
    failed = Failed(Reason.CONNECTION, "refused")
    assert verdict(failed, replace(CLAIM, resent=True)).settlement.verdict is Verdict.DOUBT


def test_retry_after_is_obeyed_over_the_backoff_capped_and_rests_the_destination() -> None:
    limited = verdict(Failed(Reason.RATE_LIMITED, "", retry_after=60.0))
    assert (limited.settlement.due_at, limited.pause_until) == (NOW + 60, NOW + 60)
    assert verdict(Failed(Reason.RATE_LIMITED, "", retry_after=1e9)).pause_until == NOW + 3600


def test_a_misconfigured_destination_is_held_whole_and_nothing_of_it_dies() -> None:
    held = verdict(Failed(Reason.MISCONFIGURED, "404", Remedy.HOLD))
    assert held.settlement.verdict is Verdict.RETRY
    assert held.pause_until == held.settlement.due_at == NOW + SCHEDULE.hold_backoff


def test_a_refused_message_is_tried_once_smaller_and_then_dead_with_its_reason() -> None:
    refused = Failed(Reason.REJECTED, "400 invalid_blocks", Remedy.SMALLER)
    first = verdict(refused).settlement
    assert (first.verdict, first.smaller, first.due_at) == (Verdict.RETRY, True, NOW)
    second = verdict(refused, replace(CLAIM, smaller=True)).settlement
    assert (second.verdict, second.reason) == (Verdict.DEAD, "rejected")
    assert second.message == "400 invalid_blocks"


def test_smaller_is_remembered_over_another_failure() -> None:
    failed = verdict(Failed(Reason.SERVER_ERROR, ""), replace(CLAIM, smaller=True))
    assert failed.settlement.smaller


@pytest.mark.parametrize(("now", "expected"), [(200 + 86_400.0, False), (200 + 86_401.0, True)])
def test_age_is_that_of_the_newest_group_of_the_batch(now: float, expected: bool) -> None:
    assert is_too_old(CLAIM, SCHEDULE, now) is expected
