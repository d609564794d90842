"""What every rendering says in words."""

from datetime import UTC, datetime, timedelta

import pytest

from alert_router.markdown import parse
from alert_router.notification import Detail
from alert_router.notify import wording
from alert_router.runbook.model import Step
from tests.notify.notifications import alert, notification

NOON = datetime(2026, 11, 23, 12, tzinfo=UTC)


def only(annotations=None, **labels):
    """An alert as it is in a notification."""
    return notification([alert(annotations=annotations, **labels)]).group.alerts[0]


@pytest.mark.parametrize(
    ("alerts", "more", "title"),
    [
        ([alert()], {}, "PodCrash"),
        ([alert(pod="a"), alert(pod="b")], {}, "PodCrash (2 firing)"),
        ([alert(pod="a"), alert(pod="b", resolved=True)], {}, "PodCrash (1 firing, 1 resolved)"),
        ([alert(), alert(alertname="Other")], {}, "PodCrash and 1 more (2 firing)"),
        ([alert(alertname="a\nb")], {}, "a b"),
        ([alert(alertname="")], {}, "alert without a name"),
        (
            [alert()],
            {"truncatedAlerts": 7},
            "PodCrash (1 firing, 7 more left out)",
        ),
    ],
)
def test_a_title_counts_where_there_is_something_to_count(alerts, more, title):
    assert wording.title(notification(alerts, **more)) == title


@pytest.mark.parametrize(
    ("severities", "word"),
    [
        (["critical"], "CRITICAL"),
        (["PAGE"], "CRITICAL"),
        (["info", "critical", "warning"], "CRITICAL"),
        (["info", "warning"], "WARNING"),
        (["info"], "INFO"),
        ([""], "WARNING"),
        (["of our own making"], "WARNING"),
    ],
)
def test_the_worst_severity_that_fires_is_the_notifications(severities, word):
    assert wording.grade(notification([alert(severity=s) for s in severities])).word == word


def test_what_is_resolved_does_not_count_while_something_fires():
    both = [alert(severity="critical", resolved=True), alert(severity="info")]
    assert wording.grade(notification(both)).word == "INFO"
    assert wording.grade(notification(both[:1])).word == "RESOLVED"


@pytest.mark.parametrize(
    ("annotations", "headline"),
    [
        ({"summary": "S", "message": "M", "description": "D"}, "S"),
        ({"message": "M", "description": "D"}, "M"),
        ({"summary": "  \n ", "description": "D\nsecond line"}, "D"),
        ({}, "PodCrash"),
    ],
)
def test_a_headline_is_the_first_thing_the_alert_says(annotations, headline):
    assert wording.headline(only(annotations)) == headline


def test_labels_that_say_which_thing_it_is_come_first():
    one = only(zone="z", pod="p", namespace="n", app="a", prometheus="noise")
    assert [name for name, _ in wording.labels(one)] == ["namespace", "pod", "app", "zone"]


@pytest.mark.parametrize(
    ("seconds", "shown"),
    [(0, "0s"), (0.9, "0s"), (59, "59s"), (60, "1m"), (3840, "1h 4m"), (90_061, "1d 1h")],
)
def test_a_duration_has_its_two_largest_units(seconds, shown):
    assert wording.duration(NOON, NOON + timedelta(seconds=seconds)) == shown


def test_a_duration_that_cannot_be_is_not_told():
    assert wording.duration(NOON, NOON - timedelta(seconds=1)) == ""
    assert wording.duration(None, NOON) == wording.duration(NOON, None) == ""


def test_firing_alerts_are_shown_first_and_the_rest_is_counted():
    alerts = [alert(pod=f"r{n}", resolved=True) for n in range(20)] + [alert(pod="f")]
    shown, more = wording.alerts(notification(alerts), Detail.FULL)
    assert shown[0].labels["pod"] == "f"
    assert (len(shown), more) == (15, 6)
    assert len(wording.alerts(notification(alerts), Detail.MINIMAL)[0]) == 5


def test_about_names_the_alert_whose_labels_the_commands_carry():
    told = notification([alert(pod="a", namespace="n"), alert(pod="b")])
    assert wording.about(told.runbooks[0], told) == "commands are for PodCrash namespace=n pod=a"
    alone = notification([alert()])
    assert wording.about(alone.runbooks[0], alone) == ""


def test_a_value_beside_a_command_is_on_one_line_with_its_spaces():
    assert wording.shown_value("POD", "a  b\n\tc\r") == "POD = a  b\\n\\tc\\r"
    assert len(wording.shown_value("POD", "x" * 100_000)) < 600


def test_a_steps_opening_is_shown_once():
    step = Step("Look at the pod.", parse("Look **at** the pod.\n\nThen here."))
    first, rest = wording.opening(step)
    assert first == step.blocks[0]
    assert rest == step.blocks[1:]
    heading = Step("A heading", parse("Something else."))
    assert wording.opening(heading) == (None, heading.blocks)
    assert wording.opening(Step("Bare", ())) == (None, ())
