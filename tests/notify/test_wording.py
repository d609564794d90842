"""What every rendering says in words."""

from datetime import UTC, datetime, timedelta

import pytest

from alert_router.markdown import parse, plain
from alert_router.notification import Detail
from alert_router.notify import wording
from alert_router.notify.message import (
    AlertLine,
    CommonFacts,
    SectionTitle,
    StepLine,
    When,
    outline,
)
from alert_router.runbook.model import Step
from tests.notify.notifications import alert, notification, section

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


@pytest.mark.parametrize(
    ("annotations", "description"),
    [
        ({"summary": "S", "description": "D\nmore"}, "D more"),
        ({"summary": "S", "description": "S"}, ""),
        ({"description": "D\nsecond line"}, "second line"),
        ({"message": "M", "description": "D"}, "D"),
        ({}, ""),
    ],
)
def test_what_else_an_alert_says_is_its_description(annotations, description):
    assert wording.texts(only(annotations))[1] == description


@pytest.mark.parametrize(
    ("more", "value"),
    [
        ({"annotations": {"value": "97 %"}}, "value 97 %"),
        ({"values": {"A": 1, "B": 2.5}}, "value A=1, B=2.5"),
        (
            {"valueString": "[ var='B' labels={a=b} value=97.2 ], [ var='C' value=1 ]"},
            "value B=97.2, C=1",
        ),
        ({"values": [1], "valueString": 5}, ""),
        ({"valueString": "[ var='" * 100_000}, ""),
        ({}, ""),
    ],
)
def test_the_value_of_an_alert_is_shown_if_it_says_one(more, value):
    assert wording.value(notification([alert() | more]).group.alerts[0]) == value


def test_labels_that_differ_come_first_those_with_most_values_before_others():
    pods = [alert(pod=f"p{n}", zone="ab"[n > 1], job="same", prometheus=str(n)) for n in range(3)]
    group = notification(pods).group
    assert wording.differing(group) == ["pod", "zone", "prometheus"]
    assert wording.shared(group) == [("job", "same")]


def test_a_label_that_only_some_alerts_have_differs():
    group = notification([alert(pod="a", job="x"), alert(pod="a")]).group
    assert wording.differing(group) == ["job"]


@pytest.mark.parametrize(
    ("when", "shown"),
    [
        (When(NOON, None, NOON + timedelta(hours=2)), "since 12:00 UTC (2h)"),
        (When(NOON, None, NOON + timedelta(minutes=17, seconds=2)), "since 12:00 UTC (17m)"),
        (When(NOON, None, NOON + timedelta(seconds=2)), "since 12:00 UTC (2s)"),
        (When(NOON, None, NOON + timedelta(days=1)), "since 2026-11-23 12:00 UTC (1d)"),
        (When(NOON, None, NOON - timedelta(hours=1)), "since 12:00 UTC"),
        (When(NOON), "since 2026-11-23 12:00 UTC"),
        (When(NOON, NOON + timedelta(hours=1), NOON), "12:00 to 13:00 UTC"),
        (When(), ""),
    ],
)
def test_a_start_has_its_zone_and_how_long_ago_it_was(when, shown):
    assert str(when) == shown


def test_a_push_text_says_severity_name_summary_and_subject():
    told = notification([alert(pod=pod) for pod in "abcd"])
    expected = "CRITICAL: PodCrash (4 firing): A pod crashes (pod=a, pod=b, pod=c, ...)"
    assert wording.push(told, 200) == expected
    assert wording.push(notification([alert(annotations={})]), 200) == "CRITICAL: PodCrash"


def test_what_a_group_shares_is_said_once():
    told = notification([alert(pod=pod, job="same") for pod in "ab"])
    parts = list(outline(told, Detail.FULL))
    shared = [part.lines() for part in parts if isinstance(part, CommonFacts)]
    assert shared == [["A pod crashes"], ["All: job=same"]]
    lines = [part.lines()[0] for part in parts if isinstance(part, AlertLine)]
    assert lines == ["pod=a", "pod=b"]


def test_in_a_long_message_the_first_step_of_each_section_comes_before_all_others():
    steps = [(f"Look {n}.", "Closely.") for n in range(1, 6)]
    sections = (
        section("Detection", "Why.", *steps),
        section("Mitigation", "", ("Restart.", "Now.")),
    )
    parts = outline(notification(sections=sections), Detail.FIRST_STEPS)
    shown = [
        part.text if isinstance(part, SectionTitle) else f"{part.number}. {plain(part.words)}"
        for part in parts
        if isinstance(part, SectionTitle | StepLine)
    ]
    assert shown == [
        *("Detection", "1. Look 1.", "Mitigation", "1. Restart."),
        *("Detection (continued)", "2. Look 2. …", "3. Look 3. …", "4. Look 4. …", "5. Look 5. …"),
    ]


def test_a_steps_opening_is_shown_once():
    step = Step("Look at the pod.", parse("Look **at** the pod.\n\nThen here."))
    first, rest = wording.opening(step)
    assert first == step.blocks[0]
    assert rest == step.blocks[1:]
    heading = Step("A heading", parse("Something else."))
    assert wording.opening(heading) == (None, heading.blocks)
    assert wording.opening(Step("Bare", ())) == (None, ())
