"""What an outcome means for its claim and for its destination."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from alert_router.config.model import Delivery
from alert_router.deliver.policy import (
    MOST_UNMADE,
    Situation,
    debt_after,
    decide,
    decide_change,
    is_held,
    longest,
    rest,
)
from alert_router.notify.base import Delivered, Failed, Reason, Remedy
from alert_router.outbox.model import (
    HEALTHY,
    Claim,
    Destination,
    Health,
    Settlement,
    Verdict,
    WaitingGroup,
)

CLAIM = Claim(
    id="w", lane=1, fence=1, destination=Destination("oncall", "slack"), attempt=1,
    groups=(WaitingGroup(1, "g1", b"", (), 100.0), WaitingGroup(2, "g2", b"", (), 200.0)),
)  # fmt: skip
PAGE = replace(CLAIM, most_urgent=0)
DELIVERY = Delivery()
NOW = 1000.0

REFUSED = Failed(Reason.CONNECTION, "refused")
NOT_FOUND = Failed(Reason.MISCONFIGURED, "404", Remedy.HOLD)
LIMITED = Failed(Reason.RATE_LIMITED, "", retry_after=60.0)
TOO_LARGE = Failed(Reason.TOO_LARGE, "413", Remedy.SMALLER)
UNMADE = Failed(Reason.INTERNAL, "the message could not be made", Remedy.GIVE_UP)
SHORT_OF_MEMORY = Failed(Reason.INTERNAL, "MemoryError")


def end(
    outcome: Delivered | Failed,
    claim: Claim = CLAIM,
    situation: Situation = Situation(),  # noqa: B008 - frozen
    *,
    now: float = NOW,
    chance: float = 1.0,
    delivery: Delivery = DELIVERY,
) -> Settlement:
    return decide(outcome, claim, situation, delivery, now=now, chance=chance)


def pauses(outcome: Failed, times: int, claim: Claim = CLAIM, **more: float) -> list[float]:
    """Seconds between attempts at a destination where each ends like this."""
    health, now, found = HEALTHY, NOW, []
    for _ in range(times):
        health = end(outcome, claim, Situation(health), now=now, **more).health
        assert health is not None
        found.append(round(health.next_at - now, 3))
        now = health.next_at
    return found


def test_a_delivery_keeps_the_reference_and_says_that_its_destination_is_well() -> None:
    settlement = end(Delivered("ts-1"))
    assert (settlement.verdict, settlement.reference) == (Verdict.DELIVERED, "ts-1")
    assert settlement.health == HEALTHY


def test_a_failing_destination_is_tried_after_1_2_5_10_30_seconds_and_so_on_up_to_the_cap() -> None:
    assert pauses(REFUSED, 9) == [1, 2, 5, 10, 30, 60, 120, 300, 300]
    longer = Delivery(max_backoff=900.0)
    assert pauses(REFUSED, 10, delivery=longer)[-3:] == [300, 600, 900]
    shorter = Delivery(min_backoff=0.1, max_backoff=0.5)
    assert pauses(REFUSED, 4, delivery=shorter) == [0.1, 0.2, 0.5, 0.5]


def test_a_pause_is_spread_downwards_so_that_routers_do_not_come_in_step() -> None:
    assert pauses(REFUSED, 2, chance=0.0) == [0.8, 1.6]


def test_what_a_person_has_to_correct_is_tried_after_5_seconds_and_slowly_once_it_persists() -> (
    None
):
    assert pauses(NOT_FOUND, 8) == [5, 5, 10, 30, 60, 120, 300, 300]
    assert pauses(NOT_FOUND, 2, delivery=Delivery(hold_backoff=2.0)) == [2, 2]


def test_while_a_page_is_pending_a_destination_is_tried_every_one_and_a_half_seconds() -> None:
    assert pauses(REFUSED, 12, PAGE) == [1, *[1.5] * 11]
    assert pauses(NOT_FOUND, 8, PAGE) == [1.5, 1.5, 1.5, 30, 30, 30, 30, 30]


def test_one_kind_of_trouble_after_another_begins_its_own_schedule() -> None:
    down = Health(900.0, failures=7, reason="connection", next_at=NOW)
    health = end(NOT_FOUND, situation=Situation(down)).health
    assert health is not None
    assert (health.failing_since, health.failures, health.next_at) == (900.0, 1, NOW + 5)


def test_retry_after_is_obeyed_by_the_whole_destination_and_for_pages_too() -> None:
    for claim in (CLAIM, PAGE):
        settlement = end(LIMITED, claim)
        assert settlement.due_at == NOW  # the lane itself need not wait
        assert settlement.health is not None
        assert settlement.health.next_at == settlement.health.asked_until == NOW + 60
    asked_for_ages = end(Failed(Reason.SERVER_ERROR, "503", retry_after=1e9)).health
    assert asked_for_ages is not None
    assert asked_for_ages.next_at == NOW + 3600


def test_another_failure_at_the_same_time_lengthens_no_pause_and_shortens_none() -> None:
    limited = end(LIMITED).health
    assert limited is not None
    beside = Situation(limited, concurrent=True)
    assert end(REFUSED, situation=beside, now=NOW + 1).health == replace(
        limited, reason="connection", message="refused"
    )


def test_a_page_that_is_accepted_during_an_attempt_waits_no_longer_than_any_other() -> None:
    down = Health(900.0, failures=7, reason="connection", next_at=NOW)
    health = end(REFUSED, situation=Situation(down, page=True)).health
    assert health is not None
    assert health.next_at == NOW + 1.5
    slow = Delivery(min_backoff=3600.0, max_backoff=3600.0)
    limited = end(LIMITED, situation=Situation(page=True), delivery=slow).health
    assert limited is not None
    assert limited.next_at == NOW + 60


def test_a_page_that_fails_beside_the_first_failure_is_not_held_by_its_pause() -> None:
    slow = Delivery(min_backoff=3600.0, max_backoff=3600.0)
    first = end(REFUSED, delivery=slow).health
    assert first is not None
    assert first.next_at == NOW + 3600
    beside = Situation(first, concurrent=True)
    health = end(REFUSED, PAGE, beside, now=NOW + 1, delivery=slow).health
    assert health is not None
    assert health.next_at == NOW + 1 + 1.5


def test_a_page_obeys_what_the_destination_asked_for_before() -> None:
    asked = Health(NOW, 1, "rate_limited", next_at=NOW + 60, asked_until=NOW + 60)
    health = end(REFUSED, PAGE, Situation(asked), now=NOW + 10).health
    assert health is not None
    assert health.next_at == NOW + 60


def test_a_clock_that_was_ahead_leaves_no_pause_longer_than_any_schedule() -> None:
    ahead = Health(NOW, 1, "rate_limited", next_at=1e9, asked_until=1e9)
    health = end(REFUSED, situation=Situation(ahead)).health
    assert health is not None
    assert health.next_at <= NOW + longest(DELIVERY)


def test_attempts_with_an_expensive_message_take_a_hundredth_of_a_processor() -> None:
    for debt, pause in ((0.9, 1), (1.2, 20)):  # a second at once may be taken
        health = end(REFUSED, PAGE, Situation(debt=debt)).health
        assert health is not None
        assert health.next_at - NOW == pytest.approx(pause)


def test_one_attempt_that_took_a_minute_keeps_no_page_for_longer_than_twenty_seconds() -> None:
    debt = debt_after(0.0, 60.0, 0.0)
    assert rest(debt) == pytest.approx(20)
    assert rest(debt_after(debt, 0.0, 20.0)) == pytest.approx(0)
    health = end(REFUSED, PAGE, Situation(debt=60.0)).health
    assert health is not None
    assert health.next_at - NOW == pytest.approx(20)


def test_a_destinations_failure_leaves_every_lane_ready() -> None:
    for outcome in (REFUSED, NOT_FOUND, LIMITED, Failed(Reason.TIMEOUT, "", in_doubt=True)):
        settlement = end(outcome)
        assert settlement.due_at == settlement.now
        assert settlement.health is not None
        assert settlement.health.is_failing


def test_a_message_that_fails_while_others_get_through_waits_alone() -> None:
    settlement = end(REFUSED, situation=Situation(others_succeed=True))
    assert (settlement.health, settlement.due_at) == (None, NOW + 1)
    again = end(REFUSED, situation=Situation(others_succeed=True, alone=5))
    assert again.due_at == NOW + 32
    limited = end(LIMITED, situation=Situation(others_succeed=True))
    assert limited.health is not None, "what asks for a pause asks it of everybody"


def test_a_certain_failure_is_folded_again_and_one_in_doubt_goes_again_as_it_was() -> None:
    assert end(Failed(Reason.SERVER_ERROR, "")).verdict is Verdict.RETRY
    assert end(Failed(Reason.TIMEOUT, "", in_doubt=True)).verdict is Verdict.DOUBT


def test_a_batch_once_in_doubt_stays_so_after_a_certain_failure() -> None:
    assert end(REFUSED, replace(CLAIM, resent=True)).verdict is Verdict.DOUBT
    assert end(SHORT_OF_MEMORY, replace(CLAIM, resent=True)).verdict is Verdict.DOUBT


def test_a_refused_message_is_tried_once_smaller_and_then_dead_with_its_reason() -> None:
    first = end(TOO_LARGE)
    assert (first.verdict, first.smaller, first.due_at) == (Verdict.RETRY, True, NOW)
    second = end(TOO_LARGE, replace(CLAIM, smaller=True))
    assert (second.verdict, second.reason) == (Verdict.DEAD, "too_large")
    assert second.message == "413"


def test_who_refuses_a_message_for_its_form_is_there() -> None:
    down = Situation(Health(900.0, 3, "connection"))
    assert end(TOO_LARGE, situation=down).health == HEALTHY


def test_smaller_is_remembered_over_another_failure() -> None:
    assert end(REFUSED, replace(CLAIM, smaller=True)).smaller


def test_a_message_that_cannot_be_made_is_given_up_after_several_attempts_only() -> None:
    for unmade in range(MOST_UNMADE - 1):
        settlement = end(UNMADE, situation=Situation(unmade=unmade, alone=unmade))
        assert (settlement.verdict, settlement.health) == (Verdict.RETRY, None)
        assert settlement.due_at == NOW + 2**unmade
    assert end(UNMADE, situation=Situation(unmade=MOST_UNMADE - 1)).verdict is Verdict.DEAD


@given(st.integers(0, 1000), st.integers(0, 1000))
def test_what_only_we_lack_never_kills_a_delivery(alone: int, unmade: int) -> None:
    settlement = end(SHORT_OF_MEMORY, situation=Situation(alone=alone, unmade=unmade))
    assert settlement.verdict is Verdict.RETRY
    assert settlement.health is None
    assert NOW < settlement.due_at <= NOW + DELIVERY.max_backoff


@given(
    st.lists(st.sampled_from([REFUSED, NOT_FOUND, LIMITED, SHORT_OF_MEMORY]), max_size=30),
    st.booleans(),
    st.floats(0, 1, exclude_max=True),
)
def test_no_pause_is_longer_than_the_schedule_and_none_shorter_than_it_may_be(
    outcomes: list[Failed], page: bool, chance: float
) -> None:
    health, now = HEALTHY, NOW
    for outcome in outcomes:
        claim = PAGE if page else CLAIM
        settlement = end(outcome, claim, Situation(health), now=now, chance=chance)
        if settlement.health is None:
            continue
        health = settlement.health
        assert 0.799 <= health.next_at - now <= longest(DELIVERY)
        assert health.next_at >= health.asked_until
        now = health.next_at


def test_a_destination_is_held_that_refuses_everything_or_asked_for_a_pause() -> None:
    assert is_held(Health(NOW, 1, "misconfigured"), NOW)
    assert is_held(Health(NOW, 1, "server_error", asked_until=NOW + 9), NOW)
    assert not is_held(Health(NOW, 1, "connection", next_at=NOW + 9), NOW)
    assert not is_held(HEALTHY, NOW)


def test_a_change_that_fails_is_tried_again_and_says_nothing_about_the_destination() -> None:
    def ended(outcome: Delivered | Failed | str, now: float = NOW) -> Settlement:
        return decide_change(outcome, CLAIM, DELIVERY, now=now)

    again = ended(Failed(Reason.SERVER_ERROR, "500"))
    assert (again.verdict, again.due_at, again.health) == (Verdict.RETRY, NOW + 30, None)
    assert ended(LIMITED).due_at == NOW + 60
    for outcome in (
        TOO_LARGE,
        UNMADE,
        Failed(Reason.MISCONFIGURED, "", Remedy.HOLD),
        "min_severity",
    ):
        assert ended(outcome).verdict is Verdict.DROPPED
    assert ended(LIMITED, NOW + DELIVERY.max_age + 1).verdict is Verdict.DROPPED
    assert ended(Delivered("place")).reference == "place"
