"""When a destination's loop may try again, how long it sleeps until then, and its rate."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from alert_router.config.model import Delivery
from alert_router.deliver.policy import DestinationHealth, Pace, Situation, decide
from alert_router.fields import Rate, parse_rate
from alert_router.notify.base import Failed, Reason, Remedy
from alert_router.notify.console import ConsoleNotifier
from alert_router.notify.slack import SlackNotifier
from alert_router.outbox.model import Claim, Destination, Health

NOW = 1_700_000_000.0


def failing(wait: float) -> DestinationHealth:
    """A destination that failed a moment before clock 100 and is tried again after `wait`."""
    health = DestinationHealth({})
    known = Health(NOW, 1, "connection", next_at=NOW + wait)
    health.recall(known, Delivery(), now=NOW, clock=100.0)
    return health


@pytest.mark.parametrize("clock", [100.0, 101.0, 103.9, 103.999_999, 104.0, 104.000_001, 170.0])
def test_a_loop_never_sleeps_past_the_moment_at_which_the_next_attempt_is_due(clock: float) -> None:
    health = failing(4.0)
    may_try = health.room(0, clock) > 0

    assert may_try == (clock >= 104.0)
    assert health.wait(clock) == pytest.approx(0.0 if may_try else 104.0 - clock)


@pytest.mark.parametrize("wait", [300.0, 0.0])
def test_a_page_is_known_to_every_attempt_that_was_claimed_before_it(wait: float) -> None:
    health = failing(wait)
    claim = Claim("w", 1, 1, Destination("oncall", "slack"), (), attempt=1)
    health.hurry(Delivery(), clock=105.0)
    for claimed, page in ((104.0, True), (106.0, False)):
        assert health.situation(claim, claimed, probe=True, cost=0.0, clock=107.0).page is page


def test_what_is_in_no_store_says_nothing_about_other_groups() -> None:
    health, delivery = DestinationHealth({}), Delivery()
    failed = Failed(Reason.INTERNAL, "it cannot be made", Remedy.GIVE_UP)

    def fails(lane: int, clock: float) -> Situation:
        claim = Claim("w", lane, 1, Destination("oncall", "slack"), (), attempt=1)
        known = health.situation(claim, clock, probe=False, cost=0.0, clock=clock)
        settlement = decide(failed, claim, known, delivery, now=NOW, chance=0.5)
        health.note(claim, failed, settlement, 0.0, clock=clock)
        return known

    stored = [fails(1, 100.0 + at) for at in range(3)]
    unstored = [fails(0, 200.0 + at) for at in range(3)]

    assert [known.alone for known in stored] == [0, 1, 2]
    assert [(known.alone, known.unmade) for known in unstored] == [(0, 0)] * 3


def test_so_many_at_once_and_then_none_until_the_first_is_that_long_ago():
    pace = Pace(Rate(2, 60.0))
    assert pace.free(10.0) == 2
    pace.take(1, 10.0)
    pace.take(1, 30.0)
    assert (pace.free(40.0), pace.wait(40.0)) == (0, 30.0)
    assert (pace.free(70.0), pace.wait(70.0)) == (1, 0.0)


@settings(max_examples=200, deadline=None)
@given(
    st.integers(1, 20),
    st.sampled_from([1.0, 60.0, 3600.0]),
    st.lists(st.tuples(st.floats(0, 100), st.integers(0, 25)), max_size=60),
)
def test_never_more_than_the_rate_in_any_span_of_its_time(messages, seconds, steps):
    pace, now, sent = Pace(Rate(messages, seconds)), 0.0, []
    for pause, wanted in steps:
        now += pause
        taken = min(wanted, pace.free(now))
        pace.take(taken, now)
        sent += [now] * taken
        assert len([at for at in sent if at > now - seconds]) <= messages
        assert (pace.wait(now) == 0.0) == (pace.free(now) > 0)


def test_waiting_as_long_as_it_says_is_enough():
    pace, now = Pace(parse_rate("20/m")), 0.0
    for _ in range(100):
        now += pace.wait(now)
        assert pace.free(now) >= 1
        pace.take(1, now)
    assert now == pytest.approx(4 * 60.0)


def test_what_was_sent_before_counts():
    pace = Pace(Rate(3, 60.0), [95.0, 30.0, 90.0])
    assert pace.free(100.0) == 1, "one of them is over a minute ago"
    pace.take(1, 100.0)
    assert pace.wait(100.0) == 50.0


def test_another_rate_knows_what_was_sent_under_the_old_one():
    pace = Pace(Rate(10, 60.0))
    pace.take(5, 100.0)
    assert pace.changed(Rate(6, 60.0)).free(101.0) == 1
    assert pace.changed(Rate(3, 60.0)).free(101.0) == 0
    assert pace.changed(Rate(3, 60.0)).wait(101.0) == 59.0


@pytest.mark.parametrize("text", ["1/s", "20/m", "100/h"])
def test_a_rate_is_read_and_written_alike(text):
    assert str(parse_rate(text)) == text
    assert ConsoleNotifier(rate_limit=text).model_dump()["rate_limit"] == text


@pytest.mark.parametrize("text", ["", "0/s", "1", "1/d", "-1/s", "1.5/s", "1 / s", "9999999/s"])
def test_what_is_no_rate_is_refused(text):
    with pytest.raises(ValueError, match="expected a rate such as 1/s"):
        ConsoleNotifier(rate_limit=text)


def test_slack_is_told_no_more_than_it_takes():
    assert str(SlackNotifier(url="https://h").rate_limit) == "1/s"
