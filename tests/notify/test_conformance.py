"""What every notifier's rendering keeps to, whatever the alerts and runbooks hold."""

import itertools
import json
from dataclasses import replace

import pytest
from hypothesis import HealthCheck, Phase, example, given, note, settings

from alert_router.markdown import Code, Paragraph, Text
from alert_router.notification import Detail
from alert_router.runbook.model import Section, Step
from tests.notify.case import MENTIONED
from tests.notify.conformance import CASES, PATH, WORD
from tests.notify.notifications import HOSTILE, alert, hostile, notification, section
from tests.notify.trees import deep, lengthen, sections

every_notifier = pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
URL = f"https://hooks.example{PATH}"
MANY = [alert(pod=f"a-{number}", annotations={"summary": "x" * 500}) for number in range(600)]
CRITICAL = notification().group.alerts[0]
LONG = section("Mitigation", "", *[(f"Step {n}.", "word " * 700) for n in range(60)])


def keeps_rules_in_every_detail(case, told):
    notifier = case.make(URL)
    for detail in Detail:
        case.keeps_rules(notifier.readable(notifier.render(told, detail)))


EXTREMES = {
    "many alerts": notification(MANY),
    "long steps": notification(MANY[:3], (LONG,) * 3, runbooks=4),
    "many runbooks": notification(runbooks=80, notes=("a" * 5000,) * 20),
    "hostile labels": notification([alert(**{f"l{n}": text for n, text in enumerate(HOSTILE)})]),
    "hostile annotations": notification([alert(annotations={"summary": text}) for text in HOSTILE]),
}


@every_notifier
@pytest.mark.parametrize("extreme", EXTREMES)
def test_nothing_extreme_breaks_the_destinations_rules(case, extreme):
    keeps_rules_in_every_detail(case, EXTREMES[extreme])


@settings(max_examples=30, suppress_health_check=list(HealthCheck))
@given(told=hostile)
def test_no_alert_and_no_runbook_breaks_any_destinations_rules(told):
    """Made up once for all of them: that takes as long as to render it."""
    for case in CASES:
        note(case.name)
        keeps_rules_in_every_detail(case, told)


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


MOUNTS = ("/var/lib/kubelet", "/var/log")
FILESYSTEMS = [
    alert(
        **{f"label{n:02}": "same" for n in range(30)},
        mountpoint=mount,
        annotations={"summary": "Little space", "description": f"Only {n} percent are left"},
    )
    for n, mount in enumerate(MOUNTS)
]


@every_notifier
@pytest.mark.parametrize("detail", Detail)
def test_the_label_that_tells_alerts_apart_is_in_every_message(case, detail):
    notifier = case.make(URL)
    shown = json.dumps(notifier.readable(notifier.render(notification(FILESYSTEMS), detail)))
    plain = shown.replace("\\", "")
    if case.name == "webhook":  # it has labels as data
        plain = plain.replace('mountpoint": "', "mountpoint=")
    assert all(f"mountpoint={mount}" in plain for mount in MOUNTS)


@every_notifier
def test_a_message_has_the_description_the_start_and_the_value(case):
    notifier = case.make(URL)
    one = alert(annotations={"summary": "Slow", "description": "Replies take 9 s", "value": "9.1"})
    shown = json.dumps(notifier.readable(notifier.render(notification([one]))))
    assert "Replies take 9 s" in shown
    assert "since 10:00 UTC (2h)" in shown or "<t:1795428000:R>" in shown or "startsAt" in shown
    assert "value 9.1" in shown or '"value": "9.1"' in shown


PAGES = {
    "runbook_url": "https://wiki.example/runbook",
    "dashboard_url": "https://grafana.example/d/1",
}


@every_notifier
@pytest.mark.parametrize("detail", [Detail.FULL, Detail.MINIMAL])
def test_without_a_runbook_the_annotations_page_is_a_link(case, detail):
    if case.name == "console":
        pytest.skip("no links: they cannot be clicked")
    notifier = case.make(URL)
    told = notification([alert(annotations=PAGES | {"summary": "x"})], runbooks=0)
    shown = json.dumps(notifier.readable(notifier.render(told, detail)))
    assert PAGES["runbook_url"] in shown


WHO_MENTION = [case for case in CASES if case.mention]


@settings(max_examples=15, suppress_health_check=list(HealthCheck))
@given(told=hostile)
@example(told=notification())
@example(told=notification([alert(annotations={"summary": text}) for text in HOSTILE]))
def test_a_mention_is_the_operators_words_whatever_an_alert_says(told):
    told = replace(told, group=told.group.with_alerts((*told.group.alerts, CRITICAL)))
    for case in WHO_MENTION:
        note(case.name)
        name, markup = case.mention
        notifier = case.make(URL, mention={"critical": [name]})
        shown = json.dumps(notifier.readable(notifier.render(told)), ensure_ascii=False)
        assert markup in shown
        case.keeps_rules(json.loads(shown.replace(markup, MENTIONED * len(markup))))


@pytest.mark.parametrize("case", WHO_MENTION, ids=lambda case: case.name)
def test_a_mention_that_an_alert_writes_mentions_nobody(case):
    name, markup = case.mention
    hostile_alert = alert(pod=markup, alertname=markup, annotations={"summary": markup})
    silent = case.make(URL, mention={"info": [name]})
    case.keeps_rules(silent.readable(silent.render(notification([hostile_alert]))))


@pytest.mark.parametrize("case", WHO_MENTION, ids=lambda case: case.name)
def test_a_resolved_group_mentions_nobody(case):
    notifier = case.make(URL, mention=case.mention[0])
    shown = notifier.readable(notifier.render(notification([alert(resolved=True)])))
    case.keeps_rules(shown)
    assert case.mention[1] not in json.dumps(shown)


@pytest.mark.parametrize("case", WHO_MENTION, ids=lambda case: case.name)
@pytest.mark.parametrize("name", ["", "x y", "<!x>", "@everyone <@1>", "a\nb", "https://x/y"])
def test_a_mention_in_another_form_is_refused(case, name):
    with pytest.raises(ValueError, match="expected"):
        case.make(URL, mention={"critical": name})


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


@settings(
    max_examples=20,
    suppress_health_check=list(HealthCheck),
    phases=[Phase.explicit, Phase.generate],  # shrinking trees takes minutes
)
@given(told=sections)
def test_no_shape_of_a_runbook_breaks_a_rule(told):
    told = lengthen(told)
    for case in CASES:
        note(case.name)
        keeps_rules(case, notification([alert(pod="a-1")], told))


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
