"""`alert-router preview`."""

import json
from pathlib import Path
from urllib.parse import unquote

import pytest
from hypothesis import given
from hypothesis import strategies as st

from alert_router.model import AlertGroup, BodyLimits, PayloadError
from alert_router.notify.registry import NOTIFIERS
from alert_router.preview.sample_alert import as_group
from tests.cli.world import alert, body

REDIS = alert(
    alertname="RedisDown", component="redis", severity="critical", namespace="prod", pod="r-0"
)
OTHER = alert(alertname="Other", severity="warning")


@pytest.fixture
def payload(router):
    def write(*alerts):
        (router.directory / "payload.json").write_bytes(body(*alerts))
        return "payload.json"

    return write


def destinations(answer):
    return [(one["receiver"], one["notifier"], one["type"]) for one in answer]


def test_each_destination_shows_what_it_would_receive(router, payload):
    answer = router.json("preview", payload(REDIS))

    assert destinations(answer) == [
        ("pager", "screen", "console"),
        ("pager", "webhook", "webhook"),
        ("oncall", "console", "console"),
    ]
    webhook = answer[1]["payload"]
    assert "kubectl -n prod logs r-0" in json.dumps(webhook)
    assert [one["labels"]["alertname"] for one in webhook["alerts"]] == ["RedisDown"]


def test_a_receiver_gets_only_the_alerts_routed_to_it(router, payload):
    answer = router.json("preview", payload(REDIS, OTHER), "--notifier", "webhook")

    [webhook] = answer
    assert [one["labels"]["alertname"] for one in webhook["payload"]["alerts"]] == ["RedisDown"]


def test_a_chosen_receiver_gets_all(router, payload):
    answer = router.json("preview", payload(OTHER), "--receiver", "pager")

    assert destinations(answer) == [("pager", "screen", "console"), ("pager", "webhook", "webhook")]


def test_any_type_can_be_tried_before_it_is_configured(router, payload):
    answer = router.json("preview", payload(OTHER), "--type", "slack")

    assert destinations(answer) == [("oncall", "slack", "slack")]
    assert answer[0]["payload"]["blocks"]


def test_an_unknown_notifier_is_a_usage_error_that_names_those_there_are(router, payload):
    result = router.run("preview", payload(REDIS), "--notifier", "slack")

    assert result.exit_code == 2
    assert "'slack' is not a notifier; choose one of console, screen, webhook" in result.stderr


def test_the_payload_of_a_skipped_notifier_is_null(router, payload):
    over = alert("resolved", alertname="RedisDown", component="redis", severity="critical")
    answer = router.json("preview", payload(over), "--notifier", "webhook")

    assert answer[0]["payload"] is None
    assert "skipped: `send_resolved` is false" in router.run("preview", payload(over)).stdout


def test_text_output_has_the_filled_commands(router, payload):
    result = router.run("preview", payload(REDIS))

    assert result.exit_code == 0
    assert "── pager/screen (console) ──" in result.stdout
    assert "kubectl -n prod logs r-0" in result.stdout


def test_a_terminal_shows_the_message_in_color(router, payload, monkeypatch):
    monkeypatch.setenv("FORCE_COLOR", "1")
    monkeypatch.setenv("TERM", "xterm-256color")

    result = router.run("preview", payload(REDIS), "--notifier", "screen")

    assert result.exit_code == 0
    assert "\x1b[" in result.stdout
    assert "RedisDown" in result.stdout


def test_standard_input_is_read(router):
    assert destinations(router.json("preview", "-", input=body(OTHER))) == [
        ("oncall", "console", "console")
    ]


def test_secrets_are_not_read(router, payload):
    (router.directory / "hook-url").unlink()

    assert router.run("preview", payload(REDIS)).exit_code == 0


@pytest.mark.parametrize("options", [[], ["--type", "all"], ["--type", "all", "--raw"]], ids=str)
def test_no_label_controls_the_terminal(router, payload, options):
    hostile = "\x1b]0;owned\x07\x9b2J"
    body = payload(alert(alertname=hostile, component="redis", pod=hostile, note=hostile))
    result = router.run("preview", body, *options)

    assert result.exit_code == 0
    assert not {"\x1b", "\x07", "\x9b"} & set(result.output)


def test_every_type_of_notifier_can_be_tried(router, payload):
    for type_ in NOTIFIERS:
        [one] = router.json("preview", payload(OTHER), "--type", type_)
        assert "Other" in json.dumps(one["payload"])


def test_a_body_that_is_not_a_group_is_described(router):
    result = router.run("preview", "-", input=b'{"labels": {}}')

    assert result.exit_code == 1
    assert "found a single alert without its group" in result.stderr


LABELS = {"alertname": "RedisDown", "component": "redis", "pod": "redis-0"}
VECTOR = {"metric": {"__name__": "ALERTS", "alertstate": "firing", **LABELS}, "value": [1, "1"]}


@pytest.mark.parametrize(
    "data",
    [
        {"labels": LABELS},
        [{"labels": LABELS, "annotations": {"summary": "Down"}}],
        [{"labels": LABELS, "status": {"state": "active"}, "endsAt": "2030-01-01T00:00:00Z"}],
        {"status": "success", "data": {"alerts": [{"labels": LABELS, "state": "firing"}]}},
        {"data": {"groups": [{"rules": [{"labels": {"a": "b"}, "alerts": [{"labels": LABELS}]}]}]}},
        {"status": "success", "data": {"resultType": "vector", "result": [VECTOR]}},
        {
            "ruleName": "RedisDown",
            "state": "alerting",
            "tags": {"component": "redis"},
            "title": "T",
        },
    ],
    ids=["alert", "list", "alertmanager", "prometheus", "rules", "query", "grafana-7"],
)
def test_alerts_of_any_shape_are_previewed(router, data):
    [one] = router.json("preview", "-", "--notifier", "console", input=json.dumps(data))
    assert "RedisDown" in one["payload"]
    assert "Redis issues" in one["payload"]
    assert "RESOLVED" not in one["payload"]


_json = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=8),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(["labels", "alerts", "data", "status", "state", "metric", "ruleName"])
            | st.text(max_size=4),
            inner,
            max_size=4,
        )
    ),
    max_leaves=20,
)


@given(_json)
def test_any_json_is_a_group_or_a_payload_error(data):
    try:
        group, _ = AlertGroup.within(BodyLimits(), as_group(json.dumps(data).encode()))
    except PayloadError:
        return
    assert group.alerts


@pytest.mark.parametrize("state", ["inactive", "Normal", {"state": "resolved"}])
def test_an_alert_that_does_not_fire_is_previewed_as_resolved(router, state):
    data = {"labels": LABELS, "state": state}
    [one] = router.json("preview", "-", "--notifier", "console", input=json.dumps(data))
    assert "RESOLVED" in one["payload"]


def test_labels_make_a_test_alert(router):
    words = [f"{name}={value}" for name, value in LABELS.items()]
    [one] = router.json("preview", *words, "--annotation", "summary=Gone", "--type", "console")
    assert "kubectl -n FILL_IN_NAMESPACE logs redis-0" in one["payload"]
    assert "Gone" in one["payload"]


def test_a_directory_of_runbooks_needs_no_configuration(router):
    router.config.unlink()

    result = router.run(
        "preview", "--runbooks", "runbooks", "alertname=redis-issues", "pod=redis-0"
    )

    assert result.exit_code == 0
    assert "── default/console (console) ──" in result.stdout
    assert "logs redis-0" in result.stdout


def test_a_link_opens_the_message_in_block_kit_builder(router):
    [one] = router.json("preview", "alertname=A & B", "--type", "slack")
    base, _, fragment = one["designer"].partition("#")
    assert base == "https://app.slack.com/block-kit-builder/"
    assert json.loads(unquote(fragment)) == {"blocks": one["payload"]["blocks"]}
    assert one["designer"] in router.run("preview", "alertname=A & B", "--type", "slack").stdout


def test_the_page_links_to_design_tools(router):
    router.run("preview", "alertname=A", "--type", "all", "--html", "page.html")
    page = Path("page.html").read_text(encoding="utf-8")
    assert page.count('href="https://app.slack.com/block-kit-builder/#') == 1
    assert page.count('href="https://adaptivecards.io/designer/"') == 1


@pytest.mark.parametrize(
    "arguments",
    [
        ["preview"],
        ["preview", "missing.json"],
        ["preview", "-", "--receiver", "nobody"],
        ["preview", "-", "--resolved"],
        ["preview", "-", "--runbooks", "nowhere"],
        ["preview", "-", "--runbooks", "runbooks", "--config", "alert-router.yaml"],
        ["preview", "-", "--type", "pigeon"],
        ["preview", "-", "--type", "slack", "--notifier", "screen"],
    ],
)
def test_invalid_arguments_are_a_usage_error(router, arguments):
    assert router.run(*arguments, input=body(OTHER)).exit_code == 2
