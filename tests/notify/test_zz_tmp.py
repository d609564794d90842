"""What every notifier's rendering keeps to, whatever the alerts and runbooks hold."""

import json

import pytest
from hypothesis import HealthCheck, example, given, settings

from alert_router.notification import Detail
from tests.notify.conformance import CASES, PATH, WORD
from tests.notify.notifications import HOSTILE, alert, hostile, notification, section

every_notifier = pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
URL = f"https://hooks.example{PATH}"
MANY = [alert(pod=f"a-{number}", annotations={"summary": "x" * 500}) for number in range(600)]
LONG = section("Mitigation", "", *[(f"Step {n}.", "word " * 700) for n in range(60)])


@every_notifier
@settings(max_examples=400, deadline=None, suppress_health_check=list(HealthCheck))
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
