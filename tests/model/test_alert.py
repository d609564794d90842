"""The payload model: which bodies are accepted, normalized or rejected, and the messages."""

import json
from datetime import UTC, datetime

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from alert_router.model import AlertGroup, PayloadError, Status, fingerprint, parse_time
from alert_router.model.limits import BodyLimits

ALERT = {
    "status": "firing",
    "labels": {"alertname": "HighErrorRate", "severity": "critical"},
    "annotations": {"summary": "8.5% of requests fail"},
    "startsAt": "2026-11-23T03:02:14.318234567Z",
    "endsAt": "0001-01-01T00:00:00Z",
    "generatorURL": "http://prometheus:9090/graph",
    "fingerprint": "71b9f7caa8f7d0b9",
}


def body(**changes: object) -> dict[str, object]:
    whole: dict[str, object] = {
        "version": "4",
        "groupKey": '{}:{alertname="HighErrorRate"}',
        "truncatedAlerts": 0,
        "status": "firing",
        "receiver": "oncall",
        "groupLabels": {"alertname": "HighErrorRate"},
        "commonLabels": {"alertname": "HighErrorRate", "severity": "critical"},
        "commonAnnotations": {},
        "externalURL": "http://alertmanager:9093",
        "alerts": [ALERT],
    }
    return {name: value for name, value in (whole | changes).items() if value is not ...}


def parse(**changes: object) -> AlertGroup:
    return AlertGroup.from_bytes(json.dumps(body(**changes)).encode())


def alert(**changes: object) -> dict[str, object]:
    return {name: value for name, value in (ALERT | changes).items() if value is not ...}


def test_a_body_of_alertmanager_is_parsed_completely() -> None:
    group = parse()
    assert group.status is Status.FIRING
    assert group.alerts[0].labels == ALERT["labels"]
    assert group.group_key == '{}:{alertname="HighErrorRate"}'
    assert group.alerts[0].started == datetime(2026, 11, 23, 3, 2, 14, 318234, UTC)
    assert group.alerts[0].ended is None


def test_times_and_unknown_keys_are_forwarded_unchanged() -> None:
    group = parse(alerts=[alert(valueString="[ var='A' ]")], orgId=7)
    told = group.as_json()
    assert told["alerts"][0] == alert(valueString="[ var='A' ]")
    assert told["orgId"] == 7


@pytest.mark.parametrize(
    "changes",
    [
        {"version": "1"},
        {"version": 4},
        {"version": ...},
        {"version": "3", "groupKey": 18446744073709551616123},
        {"groupLabels": None, "commonLabels": None, "commonAnnotations": None},
        {"truncatedAlerts": None},
        {"truncatedAlerts": -1},
        {"externalURL": None},
        {"status": ...},
        {"status": "FIRING"},
        {"routeLabels": {"team": "x"}},
        {"alerts": [alert(labels=None)]},
        {"alerts": [alert(annotations=...)]},
        {"alerts": [alert(endsAt="")]},
        {"alerts": [alert(endsAt="not a date")]},
        {"alerts": [alert(endsAt="0001-01-01T00:00:00+14:00")]},
        {"alerts": [alert(fingerprint=...)]},
        {"alerts": [alert(status=...)]},
        {"alerts": [alert(labels={"n": 5, "f": 1.5, "b": True, "z": None, "o": {"a": []}})]},
    ],
    ids=lambda changes: next(iter(changes)) + "=" + str(next(iter(changes.values())))[:40],
)
def test_bodies_of_other_senders_are_normalized(changes: dict[str, object]) -> None:
    group = parse(**changes)
    assert len(group.alerts) == 1
    assert group.alerts[0].fingerprint
    assert group.status is Status.FIRING


def test_values_that_are_not_strings_become_text() -> None:
    group = parse(alerts=[alert(labels={"n": 5, "b": True, "z": None, "o": {"a": [1]}})])
    assert group.alerts[0].labels == {"n": "5", "b": "true", "z": "", "o": '{"a":[1]}'}


@pytest.mark.parametrize("alerts", [None, [], ...])
def test_a_group_without_alerts_becomes_one_alert_with_its_common_labels(alerts: object) -> None:
    (only,) = parse(alerts=alerts).alerts
    assert only.labels == {"alertname": "HighErrorRate", "severity": "critical"}
    assert only.firing


def test_an_alert_without_status_takes_the_groups() -> None:
    assert not parse(status="resolved", alerts=[alert(status=...)]).alerts[0].firing


def test_resolved_with_a_zero_end_is_resolved() -> None:
    group = parse(status="resolved", alerts=[alert(status="resolved")])
    assert group.status is Status.RESOLVED
    assert group.alerts[0].ended is None


def test_lone_surrogates_become_replacement_characters_and_escaped_backslashes_stay() -> None:
    raw = json.dumps(body()).replace("8.5% of", r"\ud800 \\ud800 \ud83d\udd25 \udfff").encode()
    summary = AlertGroup.from_bytes(raw).alerts[0].annotations["summary"]
    assert summary == "� \\ud800 🔥 � requests fail"


def test_nul_line_separators_and_markup_pass_unchanged() -> None:
    hostile = "a\0b\u2028\u202e<!channel> [x](javascript:alert(1))"
    assert parse(alerts=[alert(annotations={"x": hostile})]).alerts[0].annotations["x"] == hostile


@pytest.mark.parametrize(
    ("raw", "found"),
    [
        (b"", "invalid JSON"),
        (b"{", "invalid JSON"),
        (b"\xff\xfe", "invalid JSON"),
        (b'{"groupKey": "\xff"}', "invalid JSON"),
        (b"[" * 100_000, "invalid JSON"),
        (b'{"groupKey": "x", "status": "firing", "alerts": ' + b"[" * 100_000, "invalid JSON"),
        (b'{"groupKey": "x", "n": ' + b"9" * 5_000 + b"}", "invalid JSON"),
        (b"null", "null"),
        (b"7", "a number"),
        (b'"text"', "a string"),
        (b"[]", "a JSON list"),
        (b'[{"labels": {"alertname": "x"}}]', "a bare list of alerts"),
        (json.dumps(ALERT).encode(), "a single alert without its group"),
        (b'{"text": "templated"}', "a JSON object with the keys 'text'"),
        (b'{"alerts": [{"id": 1, "name": "other"}]}', "a JSON object with the keys 'alerts'"),
        (b'{"alerts": []}', "a JSON object with the keys 'alerts'"),
        (b"{}", "an empty JSON object"),
        (json.dumps(body(alerts=[1])).encode(), "a number"),
        (json.dumps(body(alerts={})).encode(), "`alerts` is a JSON object"),
        (json.dumps(body(status="alerting")).encode(), "'alerting'"),
        (json.dumps(body(alerts=[alert(labels=["x"])])).encode(), "a JSON list"),
    ],
    ids=lambda value: repr(value)[:30],
)
def test_other_bodies_are_rejected_with_what_was_found(raw: bytes, found: str) -> None:
    with pytest.raises(PayloadError) as caught:
        AlertGroup.from_bytes(raw)
    assert caught.value.found.startswith(found)
    assert caught.value.expected


@given(
    st.binary(max_size=200)
    | st.recursive(
        st.none()
        | st.booleans()
        | st.integers()
        | st.floats(allow_nan=False)
        | st.text(max_size=8),
        lambda inner: (
            st.lists(inner, max_size=3)
            | st.dictionaries(
                st.sampled_from(["alerts", "groupKey", "status", "labels", "fingerprint", "x"]),
                inner,
                max_size=5,
            )
        ),
        max_leaves=12,
    ).map(lambda data: json.dumps(data).encode())
)
@settings(deadline=None, max_examples=300)
def test_any_body_is_a_group_or_a_payload_error(raw: bytes) -> None:
    try:
        group = AlertGroup.from_bytes(raw)
    except PayloadError:
        return
    assert group.alerts
    assert group.group_key


def test_the_fingerprint_equals_that_of_prometheus() -> None:
    # Seen in the body of a real Alertmanager.
    labels = {
        "alertname": 'Quote"Alert\nLine',
        "case": "special",
        "emoji": "🔥 prod",
        "html": "<b>&\"'</b>",
        "ls": "a\u2028b",
        "path": "C:\\temp\\x",
        "rtl": "\u202eevil",
    }
    assert fingerprint(labels) == "71b9f7caa8f7d0b9"


def test_only_keeps_the_named_alerts_and_updates_status_and_common_labels() -> None:
    group = parse(
        alerts=[
            alert(fingerprint="a", labels={"x": "1", "y": "1"}),
            alert(fingerprint="b", labels={"x": "1", "y": "2"}, status="resolved"),
        ]
    )
    assert len(group.firing) + len(group.resolved) == 2
    part = group.only(frozenset({"b"}))
    assert part.firing + part.resolved == part.alerts
    assert part.status is Status.RESOLVED
    assert part.common_labels == {"x": "1", "y": "2"}
    assert group.only(frozenset({"a", "b"})) is group


@pytest.mark.parametrize(
    "text",
    ["", "x", "0001-01-01T00:00:00Z", "1970-01-01T00:00:00Z", "0001-01-01T00:00:00-07:00"],
)
def test_an_invalid_time_is_none(text: str) -> None:
    assert parse_time(text) is None


@pytest.mark.parametrize(
    ("text", "micros"),
    [
        ("2026-11-23T03:02:14Z", 0),
        ("2026-11-23T04:02:14+01:00", 0),
        ("2026-11-23T03:02:14.1Z", 100_000),
        ("2026-11-23T03:02:14.123456789Z", 123_456),
    ],
)
def test_times_may_have_any_fraction_and_offset(text: str, micros: int) -> None:
    assert parse_time(text) == datetime(2026, 11, 23, 3, 2, 14, micros, UTC)


@pytest.mark.parametrize("size", [1, 40_000])
def test_a_byte_order_mark_before_a_body_is_removed(size: int) -> None:
    raw = (
        b"\xef\xbb\xbf"
        + json.dumps(body(alerts=[alert(annotations={"note": "x" * size})])).encode()
        + b"\r\n"
    )
    group = AlertGroup.from_bytes(raw)
    assert AlertGroup.within(BodyLimits(), raw)[0] == group
    assert group.alerts[0].annotations["note"] == "x" * size
