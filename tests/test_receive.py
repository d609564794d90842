"""Which receivers get which alerts, and how a group and its content are identified."""

import json
from dataclasses import replace
from pathlib import Path

import pytest

from alert_router.config.model import Severities
from alert_router.model import AlertGroup
from alert_router.outbox.model import Destination
from alert_router.receive import (
    Source,
    content,
    identity,
    priority,
    to_store,
    trace_of,
    with_trace,
)
from alert_router.runtime import Runtime, read_runtime
from tests.programs import write_config


def group(*alerts: dict[str, object], **changes: object) -> AlertGroup:
    whole = {"groupKey": "{}:{}", "receiver": "am", "status": "firing", "alerts": list(alerts)}
    return AlertGroup.from_bytes(json.dumps(whole | changes).encode())


def alert(status: str = "firing", **labels: str) -> dict[str, object]:
    return {"status": status, "labels": labels, "startsAt": "2026-11-23T03:00:00Z"}


@pytest.fixture
def runtime(tmp_path: Path) -> Runtime:
    """Severity "critical" goes to `pager` and on, component "database" to `db`, the rest to
    `team`."""
    config = write_config(tmp_path, [])
    written = json.loads(config.read_text())
    notifiers = {"team": ["console"], "pager": ["slack", "webhook"], "db": ["console"], "mute": []}
    written["receivers"] = [
        {"name": name, "notifiers": [{"type": "console", "name": one} for one in names]}
        for name, names in notifiers.items()
    ]
    config.write_text(json.dumps(written))
    route = {
        "receiver": "team",
        "routes": [
            {"receiver": "pager", "matchers": ['severity="critical"'], "continue": True},
            {"receiver": "db", "matchers": ['component="database"']},
        ],
    }
    (tmp_path / "routing.yaml").write_text(json.dumps({"route": route}))
    return read_runtime(config)


def targets(runtime: Runtime, group: AlertGroup, source: str = "") -> dict[Destination, int]:
    new = to_store(group, b"{}", Source(source), runtime, 0.0)
    return {target.destination: len(target.fingerprints) for target in new.targets}


def test_each_receiver_gets_the_alerts_routed_to_it_through_each_notifier(runtime: Runtime) -> None:
    mixed = group(
        alert(alertname="A", severity="critical", component="database"),
        alert(alertname="B", severity="warning"),
    )
    assert targets(runtime, mixed) == {
        Destination("pager", "slack"): 1,
        Destination("pager", "webhook"): 1,
        Destination("db", "console"): 1,
        Destination("team", "console"): 1,
    }


def test_a_receiver_in_the_path_overrides_the_tree(runtime: Runtime) -> None:
    critical = group(alert(alertname="A", severity="critical"))
    assert targets(runtime, critical, "db") == {Destination("db", "console"): 1}


def test_an_unknown_receiver_in_the_path_goes_to_the_default_receiver(runtime: Runtime) -> None:
    critical = group(alert(alertname="A", severity="critical"))
    assert targets(runtime, critical, "typo") == {Destination("team", "console"): 1}


def test_a_receiver_without_notifiers_gets_nothing(runtime: Runtime) -> None:
    assert targets(runtime, group(alert(alertname="A")), "mute") == {}


def test_content_ignores_order_and_urls_and_the_end_of_firing_alerts() -> None:
    one, two = alert(alertname="A"), alert(alertname="B")
    other = [two | {"generatorURL": "http://b"}, one | {"endsAt": "2027-01-01T00:00:00Z"}]
    assert content(group(one, two)) == content(group(*other, externalURL="http://peer"))


@pytest.mark.parametrize(
    "change",
    [
        {"status": "resolved"},
        {"startsAt": "2026-11-23T03:00:01Z"},
        {"labels": {"alertname": "A", "pod": "x"}},
    ],
)
def test_content_changes_with_status_start_and_labels(change: dict[str, object]) -> None:
    first = alert(alertname="A")
    assert content(group(first)) != content(group(first | change))


def test_content_changes_with_the_end_of_a_resolved_alert() -> None:
    over = alert("resolved", alertname="A") | {"endsAt": "2026-11-23T04:00:00Z"}
    later = over | {"endsAt": "2026-11-23T04:00:01Z"}
    assert content(group(over)) != content(group(later))


def test_identity_is_path_receiver_source_body_receiver_and_group_key() -> None:
    base = group(alert(alertname="A"))
    kinds = {
        identity(base, Source()),
        identity(base, Source("pager")),
        identity(base, Source("", "eu")),
        identity(group(alert(alertname="A"), receiver="other"), Source()),
        identity(group(alert(alertname="A"), groupKey="{}:{x}"), Source()),
        identity(group(alert(alertname="A"), receiver="am{}", groupKey=":{}"), Source()),
    }
    assert len(kinds) == 6
    assert identity(group(alert(alertname="B")), Source()) in kinds


def test_only_a_repeat_interval_notification_is_a_repeat(runtime: Runtime) -> None:
    def is_repeat(reason: str) -> bool:
        body = group(alert(alertname="A"), notification_reason=reason)
        return to_store(body, b"", Source(), runtime, 0.0).is_repeat

    assert is_repeat("repeat interval elapsed")
    assert not is_repeat("first notification")


@pytest.mark.parametrize(
    ("severities", "expected"),
    [
        (["critical"], 0),
        (["info", "PAGE"], 0),
        (["warning"], 1),
        (["info", "warning"], 1),
        ([""], 1),
        (["info"], 2),
        (["none", "info"], 2),
    ],
)
def test_critical_comes_first_and_info_last(severities: list[str], expected: int) -> None:
    alerts = group(*(alert(alertname=str(i), severity=s) for i, s in enumerate(severities))).alerts
    assert priority(alerts) == expected


@pytest.mark.parametrize(
    ("impact", "expected"), [("outage", 0), ("degraded", 1), ("cosmetic", 2), ("never heard", 1)]
)
def test_the_configured_scale_sets_the_priority(
    impact: str, expected: int, runtime: Runtime
) -> None:
    written = {
        "label": "impact",
        "grades": [
            {"word": "DOWN", "values": ["outage"]},
            {"word": "SLOW", "values": ["degraded"]},
            {"word": "UGLY", "values": ["cosmetic"]},
        ],
        "default": "slow",
    }
    scaled = replace(runtime, scale=Severities.model_validate(written).scale())
    body = group(alert(alertname="A", severity="critical", impact=impact))
    assert {target.priority for target in to_store(body, b"", Source(), scaled, 0.0).targets} == {
        expected
    }


def test_labels_of_alertmanager_s_route_are_matched_where_the_alert_has_none(
    runtime: Runtime,
) -> None:
    on_route = {"routeLabels": {"component": "database", "severity": "critical"}}
    given = group(alert(alertname="A", severity="warning"), **on_route)
    assert targets(runtime, given) == {Destination("db", "console"): 1}
    assert "routeLabels" in given.as_json()
    assert "routeLabels" not in group(alert(alertname="A")).as_json()


TRACE = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"


def test_a_trace_is_stored_with_the_body() -> None:
    body = with_trace(b' {"groupKey": "k", "alerts": []} \n', TRACE)
    assert json.loads(body)["traceparent"] == TRACE
    assert trace_of(body) == TRACE


@pytest.mark.parametrize(
    "header",
    ["", "x", TRACE + '"', TRACE.upper(), "01" + TRACE[2:], f"00-{'0' * 32}-{'1' * 16}-01"],
)
def test_an_invalid_trace_is_not_stored(header: str) -> None:
    assert with_trace(b"{}", header) == b"{}"
    assert trace_of(b'{"a":"b","traceparent":"%s"}' % header.encode()) == ""
