"""Where messages lead."""

import json
import re
import tracemalloc
from dataclasses import replace
from urllib.parse import parse_qsl, unquote

import pytest

from alert_router.fields import is_web_url
from alert_router.matcher import parse_matchers
from alert_router.notification import Detail
from alert_router.notify.email_message import render as email
from alert_router.notify.links import alerts, links, silence
from alert_router.notify.message import AlertLine, More, outline
from alert_router.notify.slack import render as slack
from alert_router.notify.teams import render as teams
from tests.notify.notifications import alert, notification


def matchers(url: str):
    return parse_matchers(unquote(url.partition("filter=")[2]))


def test_a_message_leads_to_a_silence_the_query_and_alertmanager():
    found = dict(links(notification([alert(pod="a"), alert(pod="b")], commonLabels={"pod": "a"})))
    assert list(found) == ["Silence", "Query", "Alertmanager"]
    assert found["Silence"].startswith("http://am.example:9093/#/silences/new?filter=")


def test_a_message_leads_to_the_page_of_its_latest_group_first():
    told = notification([alert()])
    told = replace(told, groups=("a", "b"), external_url="https://alerts.example.org/")
    assert links(told)[0] == ("Steps", "https://alerts.example.org/groups/b")
    assert links(replace(told, runbooks=()))[0][0] == "Details"


def test_what_is_not_shown_is_found_in_alertmanager_by_the_labels_of_the_group():
    told = notification([alert(pod=str(n)) for n in range(50)], groupLabels={"job": 'a"&b'})
    (more,) = (part for part in outline(told, Detail.FULL) if isinstance(part, More))
    assert more.url.startswith("http://am.example:9093/#/alerts?filter=")
    assert [(found.name, found.value) for found in matchers(more.url)] == [("job", 'a"&b')]


@pytest.mark.parametrize("labels", [{}, {"a": "x" * 3000}])
def test_without_labels_to_find_it_by_all_alerts_are_shown(labels):
    def page(sender):
        return alerts(notification(groupLabels=labels, externalURL=sender).group)

    assert page("http://am.example/") == "http://am.example/#/alerts"
    assert page("javascript:alert(1)//") == ""


@pytest.mark.parametrize(
    "render",
    [
        lambda told: slack(told, Detail.FULL)["blocks"],
        lambda told: teams(told, Detail.FULL),
        lambda told: email(told, Detail.FULL).html,
    ],
    ids=["slack", "teams", "email"],
)
def test_what_is_not_shown_is_a_click_away(render):
    told = notification([alert(pod=str(n)) for n in range(50)], groupLabels={"job": "a"})
    said = json.dumps(render(told))
    assert "and 35 more" in said
    assert "http://am.example:9093/#/alerts?filter=%7Bjob%3D%22a%22%7D" in said


def test_what_is_over_is_not_to_be_silenced():
    told = notification([alert(resolved=True)])
    assert [words for words, _ in links(told)] == ["Query", "Alertmanager"]


def test_the_query_is_that_of_an_alert_that_fires():
    over = alert(resolved=True, pod="a") | {"generatorURL": "http://prom.example/over"}
    fires = alert(pod="b") | {"generatorURL": "http://prom.example/fires"}
    assert dict(links(notification([over, fires])))["Query"] == "http://prom.example/fires"


@pytest.mark.parametrize(
    "value", ["a", "", 'quo"te', "back\\slash", "line\nbreak", "{a,b}", "é☎&#?"]
)
@pytest.mark.parametrize("name", ["pod", "with.dot", "é"])
def test_a_silence_is_for_exactly_these_labels(name, value):
    (found,) = matchers(silence("http://am.example/", {name: value}))
    assert (found.name, str(found.op.value), found.value) == (name, "=", value)


def test_the_address_of_a_silence_holds_nothing_that_ends_it():
    url = silence("http://am.example", {"a": 'x&y#z "'})
    assert re.fullmatch(r"http://am\.example/#/silences/new\?filter=[\w%.~-]+", url)


@pytest.mark.parametrize("labels", [{}, {"a": "x" * 3000}])
def test_no_silence_is_offered_where_it_could_not_be_right(labels):
    assert silence("http://am.example", labels) == ""


@pytest.mark.parametrize("labels", [{"a": "x " * 2_000_000}, {"x " * 2_000_000: "a"}])
def test_labels_of_megabytes_are_not_encoded_only_to_be_left_out(labels):
    tracemalloc.start()
    try:
        assert silence("http://am.example", labels) == ""
        assert tracemalloc.get_traced_memory()[1] < 100_000
    finally:
        tracemalloc.stop()


@pytest.mark.parametrize(
    "url",
    [
        "",
        "javascript:alert(1)",
        "ftp://h/x",
        "//h/x",
        "http://",
        "http://[",
        "file:///etc",
        "http://:9090/graph",
        "https://user@:80/",
    ],
)
def test_what_no_browser_should_follow_is_no_link(url):
    assert not is_web_url(url)
    told = notification([alert() | {"generatorURL": url}], externalURL=url)
    assert json.dumps(links(told)) == "[]"


def silences(told):
    return [(words, url) for words, url in links(told) if words.startswith("Silence")]


def test_a_silence_is_for_what_all_alerts_share_whatever_the_body_says():
    told = notification([alert(pod="a"), alert(pod="b")], commonLabels={"pod": "a", "x": "y"})
    ((_, url),) = silences(told)
    assert {(m.name, m.value) for m in matchers(url)} == {
        ("alertname", "PodCrash"),
        ("severity", "critical"),
    }


def test_alerts_that_share_no_name_have_a_silence_each():
    alerts = [alert(alertname=name, pod=f"p-{name}", namespace="prod") for name in ("Down", "Slow")]
    found = silences(notification(alerts))
    assert [words for words, _ in found] == [
        "Silence alertname=Down pod=p-Down",
        "Silence alertname=Slow pod=p-Slow",
    ]
    for (_, url), expected in zip(found, alerts, strict=True):
        assert {m.name: m.value for m in matchers(url)} == expected["labels"]


def test_what_left_out_alerts_may_not_share_is_not_in_the_silence():
    labels = {"alertname": "PodCrash", "severity": "critical"}
    told = notification([alert(pod="a")], truncatedAlerts=7, commonLabels=labels)
    ((_, url),) = silences(told)
    assert {m.name: m.value for m in matchers(url)} == labels
    unknown = notification([alert(pod="a")], truncatedAlerts=7, commonLabels={})
    assert "pod" in unquote(silences(unknown)[0][1]), "one for each alert"


GRAFANA = "https://grafana.example"
NEW = f"{GRAFANA}/alerting/silence/new?alertmanager=mimir&matcher=pod%3Da&orgId=7"


def of_grafana(count=1, **changes):
    extra = {
        "silenceURL": NEW,
        "dashboardURL": f"{GRAFANA}/d/x",
        "panelURL": f"{GRAFANA}/d/x?viewPanel=1",
        "generatorURL": f"{GRAFANA}/alerting/grafana/uid/view",
        "values": {"B": 97.25, "C": 1},
    }
    alerts = [
        alert(pod=f"p-{n}", __alert_rule_uid__="uid", __alert_rule_namespace_uid__="ns")
        | extra
        | changes
        for n in range(count)
    ]
    return notification(alerts, externalURL=f"{GRAFANA}/", version="1")


def test_grafanas_own_pages_are_linked():
    assert links(of_grafana()) == [
        ("Silence", NEW),
        ("Panel", f"{GRAFANA}/d/x?viewPanel=1"),
        ("Dashboard", f"{GRAFANA}/d/x"),
        ("Rule", f"{GRAFANA}/alerting/grafana/uid/view"),
        ("Grafana", f"{GRAFANA}/"),
    ]


def test_a_silence_for_several_of_grafanas_alerts_has_what_they_share():
    ((words, url),) = silences(of_grafana(2))
    assert words == "Silence"
    page, _, query = url.partition("?")
    assert page == f"{GRAFANA}/alerting/silence/new"
    assert parse_qsl(query) == [
        ("alertmanager", "mimir"),
        ("orgId", "7"),
        ("matcher", "alertname=PodCrash"),
        ("matcher", "severity=critical"),
        ("matcher", "__alert_rule_uid__=uid"),
    ]


@pytest.mark.parametrize(
    "given",
    [
        "https://evil.example/alerting/silence/new",
        "javascript:alert(1)",
        7,
        {"a": "b"},
        "http://:80/",
    ],
)
def test_a_silence_on_another_host_than_the_senders_is_not_linked(given):
    assert silences(of_grafana(silenceURL=given)) == []


def test_grafanas_internal_labels_are_hidden_and_its_values_shown():
    (line,) = (part for part in outline(of_grafana(), Detail.FULL) if isinstance(part, AlertLine))
    assert [name for name, _ in line.labels] == ["pod"]
    assert line.value == "value B=97.25, C=1"


def test_pages_in_annotations_are_linked_by_name_each_once():
    pages = {
        "dashboard_url": "https://g.example/d/1",
        "sop_url": "https://wiki.example/sop",
        "grafanaPanelURL": "https://g.example/p",
        "runbook_url": "https://wiki.example/runbook",
        "__hidden_url": "https://h.example",
        "summary": "https://s.example",
        "relative": "/d/1",
        "bad name!": "https://b.example",
    }
    told = notification([alert(pod=pod, annotations=pages) for pod in "ab"], runbooks=0)
    assert [words for words, _ in links(told)] == [
        *("Runbook", "Silence", "Dashboard", "SOP", "Grafana panel", "Query", "Alertmanager"),
    ]
    with_runbook = notification([alert(annotations=pages)])
    assert "Runbook" not in dict(links(with_runbook))


def test_pages_that_differ_say_which_alert_they_are_about():
    alerts = [
        alert(pod=pod, annotations={"dashboard_url": f"https://g.example/d/{pod}"}) for pod in "ab"
    ]
    assert [words for words, _ in links(notification(alerts))][1:3] == [
        "Dashboard pod=a",
        "Dashboard pod=b",
    ]


def test_vmalerts_page_is_not_called_a_query():
    page = "https://vm.example/vmalert/alert?group_id=1&alert_id=2"
    assert ("Alert", page) in links(notification([alert() | {"generatorURL": page}]))


def test_a_megabyte_in_every_field_is_linked_in_no_time():
    long = "https://h.example/" + "x" * 1_000_000
    one = alert(annotations={f"a{n}_url": long for n in range(50)})
    assert [words for words, _ in links(notification([one] * 10))] == [
        "Silence",
        "Query",
        "Alertmanager",
    ]
