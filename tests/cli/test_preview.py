"""`alert-router preview`."""

import json

import pytest

from alert_router.notify.registry import NOTIFIERS
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


@pytest.mark.parametrize(
    "arguments",
    [
        ["preview"],
        ["preview", "missing.json"],
        ["preview", "-", "--receiver", "nobody"],
        ["preview", "-", "--type", "pigeon"],
        ["preview", "-", "--type", "slack", "--notifier", "screen"],
    ],
)
def test_invalid_arguments_are_a_usage_error(router, arguments):
    assert router.run(*arguments, input=body(OTHER)).exit_code == 2
