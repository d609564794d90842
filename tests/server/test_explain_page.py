"""Explain: which runbook, receivers and messages an alert gets, and why, before it fires."""

import json
import re
from collections.abc import Iterator
from html import unescape
from io import BytesIO
from pathlib import Path
from urllib.parse import quote, urlencode

import aiohttp
import pytest
from hypothesis import given
from hypothesis import strategies as st
from yarl import URL

from alert_router.preview.messages import SKIP_REASONS, make_previews
from alert_router.runtime import read_runtime
from alert_router.server.pages.explain import _parsed, _written
from tests.http import get, metric
from tests.programs import Router, body, lasting_router, router, write_config

SECRETS = ["T1/B2/kept-private", "kept-private-mail", "kept-private-key"]
NOTIFIERS = [
    {"type": "slack", "url": f"https://hooks.slack.com/services/{SECRETS[0]}"},
    {
        "type": "email",
        "smarthost": "mail.example.org:587",
        "from": "a@example.org",
        "to": ["b@example.org"],
        "auth_username": "a",
        "auth_password": SECRETS[1],
    },
    {"type": "pagerduty", "routing_key": SECRETS[2]},
    {"type": "webhook", "url": "https://h.example.org/x", "send_resolved": False},
]
ROUTING = {
    "runbooks": [
        {"matchers": ['alertname="HighErrorRate"', 'team="db"'], "runbook": None},
        {"matchers": ['alertname=~"HighErrorRate.*"'], "runbook": "alerts/high-error-rate"},
    ],
    "route": {
        "receiver": "night",
        "routes": [
            {"matchers": ['severity="info"'], "receiver": "night"},
            {"matchers": ['severity="critical"'], "receiver": "oncall"},
        ],
    },
}
MANY = "# Kube\n\n## KubePodDown\n\n1. Look.\n\n## KubeNodeDown\n\n1. Wait.\n"
HOSTILE = "<script>window.hacked = 1</script>\"'><img src=x onerror=alert(1)>`\u202e"


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Router]:
    folder = tmp_path_factory.mktemp("explain")
    receivers = [
        {"name": "oncall", "notifiers": NOTIFIERS},
        {"name": "night", "notifiers": [{"type": "console"}]},
    ]
    config = write_config(folder, [], receivers=receivers)
    (folder / "routing.yaml").write_text(json.dumps(ROUTING))
    (folder / "runbooks" / "kube.md").write_text(MANY)
    with lasting_router(config) as process:
        yield process


async def explained(running: Router, *labels: str, **more: str) -> str:
    """The text of the page for these labels, without the form."""
    query = urlencode([*(("label", label) for label in labels), *more.items()])
    status, text = await get(f"{running.url}/explain?{query}")
    assert status == 200
    return unescape(text.split("</form>")[1])


async def posted(running: Router, **form: str) -> tuple[int, URL, str]:
    """Status, URL and text of the page that the form leads to."""
    async with aiohttp.ClientSession() as session:
        data = BytesIO(urlencode(form).encode())
        headers = {"Content-Type": "application/x-www-form-urlencoded"}
        async with session.post(f"{running.url}/explain", data=data, headers=headers) as answer:
            return answer.status, answer.url, await answer.text()


async def test_labels_get_the_runbook_and_the_receivers_that_the_router_chooses(running):
    text = await explained(running, "alertname=HighErrorRate", "severity=critical", "pod=cart-1")

    assert (
        '<h2><a href="./runbooks/alerts/high-error-rate">High error rate</a> → oncall</h2>' in text
    )
    assert "from the runbook table: entry 2 at routing.yaml:1:" in text
    for heading in ("slack", "email", "pagerduty", "webhook"):
        assert f"<h3>{heading} <span" in text


async def test_the_section_of_a_file_for_many_alerts_is_named(running):
    text = await explained(running, "alertname=KubeNodeDown")

    assert '<a href="./runbooks/kube#kubenodedown">Kube</a> → night' in text
    assert "Kube, section “KubeNodeDown”: from the alert's name." in text


async def test_what_was_passed_over_is_shown_with_the_matcher_that_does_not_match(running):
    text = await explained(running, "alertname=HighErrorRate", "severity=critical")

    assert '<code>team="db"</code> does not match: label team is missing or empty' in text
    assert '<code>severity="info"</code> does not match: label severity is "critical"' in text
    assert text.count("decides") == 2


async def test_each_destination_shows_the_commands_filled(running):
    labels = ("alertname=HighErrorRate", "severity=critical", "namespace=shop", "pod=cart-1")
    text = await explained(running, *labels)

    assert len(re.findall(r"kubectl -n shop delete pod cart-1", text)) >= len(NOTIFIERS)


async def test_no_secret_of_a_destination_is_shown(running):
    text = await explained(running, "alertname=HighErrorRate", "severity=critical")

    assert "hooks.slack.com" not in text
    for secret in SECRETS:
        assert secret not in text


async def test_an_annotation_names_the_runbook_and_a_filter_skips_a_notifier(running):
    text = await explained(
        running,
        "alertname=Other",
        "severity=critical",
        annotation="runbook_url=https://wiki/high-error-rate",
        status="resolved",
    )

    assert "from the alert's annotation" in text
    assert "Nothing would be sent (skipped: `send_resolved` is false)" in text


async def test_a_receiver_that_is_posted_to_is_not_routed(running):
    text = await explained(running, "alertname=Any", "severity=critical", receiver="night")

    assert "night: posted to it." in text
    assert "<h3>console <span" in text
    assert "<h3>slack" not in text


async def test_pasted_labels_lead_to_a_link_that_shows_the_same(running):
    text = 'HighErrorRate{severity="critical", summary="a b, c=d"}\r\nalertname = HighErrorRate'
    status, link, page = await posted(running, what=text, annotations="dashboard=https://g/d?x=1")

    assert status == 200
    assert list(link.query.items()) == [
        ("label", "severity=critical"),
        ("label", "summary=a b, c=d"),
        ("label", "alertname=HighErrorRate"),
        ("annotation", "dashboard=https://g/d?x=1"),
    ]
    assert "→ oncall</h2>" in page


async def test_a_pasted_payload_is_explained_and_neither_stored_nor_sent(running):
    before = await metric(running, "alert_router_webhooks_total")
    status, link, page = await posted(running, what=body(severity="critical", pod="x").decode())

    assert (status, link.path_qs) == (200, "/explain")
    assert "→ oncall</h2>" in page
    assert "The payload was not stored." in page
    assert await metric(running, "alert_router_webhooks_total") == before
    _, deliveries = await get(f"{running.url}/api/v1/deliveries")
    assert json.loads(deliveries)["deliveries"] == []


async def test_the_runbook_that_alertmanagers_route_names_is_explained(running):
    group = json.loads(body("Any")) | {"routeLabels": {"runbook": "kube"}}
    _, _, page = await posted(running, what=json.dumps(group))

    assert "from the label `runbook` of its route in Alertmanager" in page


async def test_alerts_of_a_payload_with_the_same_result_are_explained_once(running):
    group = json.loads(body(severity="critical"))
    (alert,) = group["alerts"]
    names = ["HighErrorRate", "HighErrorRate", "Other"]
    group["alerts"] = [
        alert | {"labels": {"alertname": name, "n": str(number)}, "fingerprint": str(number)}
        for number, name in enumerate(names)
    ]
    _, _, page = await posted(running, what=json.dumps(group))

    assert "and 1 more alert with the same runbook" in page
    assert "<h2>No runbook → night</h2>" in page


@pytest.mark.parametrize(
    ("what", "status", "says"),
    [
        ("", 400, "Write at least one label"),
        ("no labels here", 400, "Write at least one label"),
        ("a=" + "b" * 5000, 413, "too long: paste a payload"),
        ('{"x": 1}', 400, "This is not an alert group"),
        ('{"alerts": ' + "[" * 300 + "]" * 300 + "}", 400, "This is not an alert group"),
        ('{"x": "' + "b" * 1_100_000 + '"}', 413, "use `alert-router preview`"),
    ],
)
async def test_what_cannot_be_explained_says_why(running, what, status, says):
    answered, _, page = await posted(running, what=what)
    assert (answered, says in page) == (status, True)


async def test_forms_of_other_sites_are_refused(running):
    headers = {"Origin": "https://evil.example.org"}
    async with aiohttp.ClientSession(headers=headers) as session:
        async with session.post(f"{running.url}/explain", data={"what": "a=b"}) as answer:
            assert answer.status == 403


async def test_nothing_in_labels_or_a_payload_is_active_on_the_page(running):
    group = json.loads(body(HOSTILE, severity=HOSTILE, l=HOSTILE))
    group["alerts"][0]["annotations"] = {"summary": HOSTILE, "dashboard": "javascript:alert(1)"}
    _, _, by_payload = await posted(running, what=json.dumps(group))
    _, by_link = await get(
        f"{running.url}/explain?label=l={quote(HOSTILE)}&receiver={quote(HOSTILE)}"
    )

    for text in (by_payload, by_link):
        assert len(re.findall("<script", text)) == 1  # ours
        assert "<img" not in text
        assert 'href="javascript' not in text
        assert "\u202e" not in text


def test_what_takes_too_long_to_render_is_said(tmp_path: Path):
    runtime = read_runtime(write_config(tmp_path, [{"type": "console"}]))

    (made,) = make_previews(body(), runtime, "", seconds=-1)
    assert (made.payload, SKIP_REASONS[made.skipped_by][:12]) == (None, "not rendered")


async def test_these_pages_ask_for_credentials_where_pages_do(tmp_path: Path):
    auth = {"bearer_token": "s3cret", "protect": ["pages"]}
    http = {"listen": "127.0.0.1:0", "auth": auth}
    async with router(write_config(tmp_path, [{"type": "console"}], http=http)) as process:
        for path in ("explain?label=a=b", "coverage", "coverage/new?alert=a", "runbooks/a.png"):
            assert (await get(f"{process.url}/{path}"))[0] == 401, path
        assert (await posted(process, what="a=b"))[0] == 401


names = st.from_regex(r"[A-Za-z_][A-Za-z0-9_]{0,8}", fullmatch=True)


@given(st.dictionaries(names, st.text(min_size=1, max_size=20), max_size=5))
def test_labels_that_the_form_shows_are_read_as_the_same_labels(labels):
    assert dict(_parsed(_written(labels, "\n"))) == labels


@given(st.text(alphabet='ab= \n\t",{}\\', max_size=200))
def test_any_text_is_read_without_an_error(text):
    assert all(name for name, _ in _parsed(text))


@pytest.mark.parametrize(
    ("what", "expected"), [('a="\\ud800"', 200), ("a=" + "\u044f" * 1_500, 413)]
)
async def test_labels_that_fit_into_no_link_are_told_so(running, what, expected):
    assert (await posted(running, what=what))[0] == expected
