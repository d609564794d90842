"""Keeping to a destination's rate."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from alert_router.deliver.pace import Pace
from alert_router.notify import ConsoleNotifier, SlackNotifier
from alert_router.notify.rate import Rate, parse_rate


def test_it_begins_with_one_and_gains_with_time():
    pace = Pace(Rate(4, 1.0), 10.0)
    assert pace.free(10.0) == 1
    pace.take(1)
    assert (pace.free(10.0), pace.wait(10.0)) == (0, 0.25)
    assert pace.free(10.25) == 1
    assert pace.free(100.0) == 4, "no more than the rate at once"


@settings(max_examples=100, deadline=None)
@given(
    st.integers(1, 50),
    st.sampled_from([1.0, 60.0, 3600.0]),
    st.lists(st.floats(0, 100), max_size=60),
)
def test_never_more_than_the_rate_in_any_time(messages, seconds, pauses):
    pace, now, sent = Pace(Rate(messages, seconds), 0.0), 0.0, 0
    for pause in pauses:
        now += pause
        free = pace.free(now)
        pace.take(free)
        sent += free
        assert sent <= messages + now * messages / seconds + 1e-6
        if not free:
            assert pace.wait(now) > 0


def test_waiting_as_long_as_it_says_is_enough():
    pace, now = Pace(parse_rate("20/m"), 0.0), 0.0
    for _ in range(100):
        now += pace.wait(now)
        assert pace.free(now) >= 1
        pace.take(1)
    assert now == pytest.approx(99 * 3.0)


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
