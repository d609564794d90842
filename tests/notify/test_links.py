"""Where messages lead."""

import json
import re
import tracemalloc
from urllib.parse import unquote

import pytest

from alert_router.fields import is_web_url
from alert_router.matcher import parse_matchers
from alert_router.notification import Detail
from alert_router.notify.email.message import render as email
from alert_router.notify.links import alerts, links, silence
from alert_router.notify.message import More, outline
from alert_router.notify.slack.message import render as slack
from alert_router.notify.teams.card import render as teams
from tests.notify.notifications import alert, notification


def matchers(url: str):
    return parse_matchers(unquote(url.partition("filter=")[2]))


def test_a_message_leads_to_a_silence_the_query_and_alertmanager():
    found = dict(links(notification([alert(pod="a"), alert(pod="b")], commonLabels={"pod": "a"})))
    assert list(found) == ["Silence", "Query", "Alertmanager"]
    assert found["Silence"].startswith("http://am.example:9093/#/silences/new?filter=")


def test_what_is_not_shown_is_found_in_alertmanager_by_the_labels_of_the_group():
    told = notification([alert(pod=str(n)) for n in range(50)], groupLabels={"job": 'a"&b'})
    (more,) = (part for part in outline(told, Detail.FULL) if isinstance(part, More))
    assert more.url.startswith("http://am.example:9093/#/alerts?filter=")
    assert [(found.name, found.value) for found in matchers(more.url)] == [("job", 'a"&b')]


@pytest.mark.parametrize(
    ("labels", "address"),
    [
        ({}, "http://am.example/#/alerts"),
        ({"a": "x" * 3000}, "http://am.example/#/alerts"),
    ],
)
def test_without_labels_to_find_it_by_all_alerts_are_shown(labels, address):
    assert alerts("http://am.example/", labels) == address
    assert alerts("javascript:alert(1)//", labels) == ""


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
    assert alerts("http://am.example:9093", {"job": "a"}) in said


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
