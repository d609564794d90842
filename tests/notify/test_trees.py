"""What every rendering keeps to for runbooks of any shape, and that less detail is less."""

import itertools

import pytest
from hypothesis import HealthCheck, Phase, given, settings

from alert_router.markdown import Code, Paragraph, Text
from alert_router.notification import Detail
from alert_router.runbook.model import Section, Step
from tests.notify.conformance import CASES
from tests.notify.notifications import alert, notification
from tests.notify.trees import deep, lengthen, sections

every_notifier = pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
URL = "https://hooks.example/x"
PAGE = "https://router.example/runbooks/alerts/pod-crashes"
DEEP = (Section("Detection", (), (deep(45),), (Step("Down.", (deep(45),)),)),)
WIDE = (Section("Mitigation", (), tuple(Code(f"run {n}\n" * 40) for n in range(200))),)
PROSE = (Section("Mitigation", (), tuple(Paragraph((Text("word " * 300),)) for _ in range(90))),)
# A link or a count may be a little longer where there is less beside it.
TOLERANCE = 200  # characters


def keeps_rules(case, told):
    notifier, sizes = case.make(URL), []
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
    notifier = case.make(URL)
    for detail in Detail:
        text = str(notifier.readable(notifier.render(notification(alerts, told), detail)))
        assert PAGE in text
        assert [n for n in range(5) if f"Alert{n}" not in text] == []
