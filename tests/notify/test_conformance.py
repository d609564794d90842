"""What every notifier's rendering keeps to, whatever the alerts and runbooks hold."""

import itertools
import json

import pytest
from hypothesis import HealthCheck, Phase, example, given, settings

from alert_router.markdown import Code, Paragraph, Text
from alert_router.notification import Detail
from alert_router.runbook.model import Section, Step
from tests.notify.conformance import CASES, PATH, WORD
from tests.notify.notifications import HOSTILE, alert, hostile, notification, section
from tests.notify.trees import deep, lengthen, sections

every_notifier = pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
URL = f"https://hooks.example{PATH}"
MANY = [alert(pod=f"a-{number}", annotations={"summary": "x" * 500}) for number in range(600)]
LONG = section("Mitigation", "", *[(f"Step {n}.", "word " * 700) for n in range(60)])


@every_notifier
@settings(max_examples=30, deadline=None, suppress_health_check=list(HealthCheck))
@given(told=hostile)
@example(told=notification(MANY))
@example(told=notification(MANY[:3], (LONG,) * 3, runbooks=4))
@example(told=notification(runbooks=80, notes=("a" * 5000,) * 20))
@example(told=notification([alert(**{f"l{n}": text for n, text in enumerate(HOSTILE)})]))
@example(told=notification([alert(annotations={"summary": text}) for text in HOSTILE]))
def test_no_alert_and_no_runbook_breaks_the_destinations_rules(case, told):
    notifier = case.make(URL)
    for detail in Detail:
        case.keeps_rules(notifier.readable(notifier.render(told, detail)))


@every_notifier
@pytest.mark.parametrize(
    "told",
    [
        notification(),
        notification(MANY),
        notification([alert(resolved=True)]),
        notification(MANY, (LONG,) * 3, runbooks=4),
    ],
    ids=["typical", "many", "resolved", "long"],
)
def test_less_detail_is_never_a_longer_message(case, told):
    notifier = case.make(URL)
    sizes = [len(str(notifier.readable(notifier.render(told, detail)))) for detail in Detail]
    assert sizes == sorted(sizes)


@every_notifier
def test_detail_is_given_up_in_order(case):
    notifier = case.make(URL)
    told = {d: json.dumps(notifier.readable(notifier.render(notification(), d))) for d in Detail}
    for words, least in {
        "PodCrash": Detail.MINIMAL,
        "https://router.example/runbooks/alerts/pod-crashes": Detail.MINIMAL,
        "Look at the log.": Detail.TITLES,
        "https://g.example/d?a=1": Detail.FIRST_STEPS,
        "logs --previous": Detail.FULL,
    }.items():
        assert {d for d in Detail if words in told[d]} == {d for d in Detail if d >= least}


@every_notifier
def test_rendering_is_pure(case):
    notifier, told = case.make(URL), notification()
    assert notifier.render(told) == notifier.render(told)


@every_notifier
def test_a_notifier_shows_no_secret(case):
    notifier = case.make(URL)
    assert WORD not in f"{notifier!r} {notifier} {notifier.model_dump()} {notifier.secrets()}"


HOOK = "https://hooks.example/x"
PAGE = "https://router.example/runbooks/alerts/pod-crashes"
DEEP = (Section("Detection", (), (deep(45),), (Step("Down.", (deep(45),)),)),)
WIDE = (Section("Mitigation", (), tuple(Code(f"run {n}\n" * 40) for n in range(200))),)
PROSE = (Section("Mitigation", (), tuple(Paragraph((Text("word " * 300),)) for _ in range(90))),)
# A link or a count may be a little longer where there is less beside it.
TOLERANCE = 200  # characters


def keeps_rules(case, told):
    notifier, sizes = case.make(HOOK), []
    for detail in Detail:
        readable = notifier.readable(notifier.render(told, detail))
        case.keeps_rules(readable)
        sizes.append(len(str(readable)))
    assert all(less <= more + TOLERANCE for less, more in itertools.pairwise(sizes))


@every_notifier
@settings(
    max_examples=20,
    deadline=None,
    suppress_health_check=list(HealthCheck),
    phases=[Phase.explicit, Phase.generate],  # shrinking trees takes minutes
)
@given(told=sections)
def test_no_shape_of_a_runbook_breaks_a_rule(case, told):
    keeps_rules(case, notification([alert(pod="a-1")], lengthen(told)))


@every_notifier
@pytest.mark.parametrize("told", [DEEP, WIDE, PROSE], ids=["deep", "wide", "prose"])
def test_the_plainest_form_names_every_alert_and_links_the_runbook(case, told):
    alerts = [alert(alertname=f"Alert{n}", annotations={}) for n in range(5)]
    keeps_rules(case, notification(alerts, told))
    notifier = case.make(HOOK)
    for detail in Detail:
        text = str(notifier.readable(notifier.render(notification(alerts, told), detail)))
        assert PAGE in text
        assert [n for n in range(5) if f"Alert{n}" not in text] == []
