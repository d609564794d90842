"""Bodies over the limits are cut before they are parsed, with a mark, and remain valid."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from alert_router.model import AlertGroup, BodyLimits, PayloadError
from alert_router.model.limits import trim

SMALL = BodyLimits(alerts=3, labels=4, name=64, value=64)


def alert(name: str = "A", **labels: str) -> dict[str, Any]:
    return {"status": "firing", "labels": {"alertname": name, **labels}, "annotations": {}}


def group(*alerts: Any, **more: Any) -> dict[str, Any]:
    return {"groupKey": "k", "status": "firing", "alerts": list(alerts), **more}


def trimmed(data: Any, limits: BodyLimits = SMALL) -> dict[str, Any]:
    cut: dict[str, Any] = json.loads(trim(json.dumps(data).encode(), limits))
    return cut


def test_a_body_within_the_limits_is_the_same_object() -> None:
    raw = json.dumps(group(alert(), alert("B")), indent=2).encode()
    assert trim(raw, SMALL) is raw


def test_alerts_over_the_limit_are_cut_and_added_to_truncated_alerts() -> None:
    cut = trimmed(group(*(alert(f"A{n}") for n in range(10)), truncatedAlerts=5))

    assert [it["labels"]["alertname"] for it in cut["alerts"]] == ["A0", "A1", "A2"]
    assert cut["truncatedAlerts"] == 12
    assert cut["alertRouterCut"] == {"alerts": 7, "labels": 0, "values": 0}


def test_labels_and_annotations_over_the_limit_are_cut_and_counted() -> None:
    many = {f"l{n}": "x" for n in range(10)}
    one = {"labels": many, "annotations": many}
    cut = trimmed(group(one, commonLabels=many))

    assert cut["alerts"][0]["labels"] == {"l0": "x", "l1": "x", "l2": "x", "l3": "x"}
    assert len(cut["alerts"][0]["annotations"]) == len(cut["commonLabels"]) == 4
    assert cut["alertRouterCut"]["labels"] == 18


@pytest.mark.parametrize(
    "value", ["x" * 100, "\u20ac" * 100, "\U0001f600" * 100, '"\\' * 100, "\n" * 100, "\x01" * 100]
)
def test_a_long_value_is_cut_between_characters_with_a_mark(value: str) -> None:
    for escaped in (False, True):
        raw = json.dumps(group(alert(pod=value)), ensure_ascii=escaped).encode()
        kept = json.loads(trim(raw, SMALL))["alerts"][0]["labels"]["pod"]
        head, _, mark = kept.rpartition(" … [cut: ")
        assert value.startswith(head)
        assert head
        assert mark.startswith(f"{len(json.dumps(value, ensure_ascii=escaped).encode()) - 2} bytes")


@given(st.text(min_size=60, max_size=200), st.booleans())
def test_a_cut_value_is_not_cut_again(value: str, escaped: bool) -> None:
    data = group(*(alert(pod=value, a=value) for _ in range(5)), groupKey=value)
    raw = json.dumps(data, ensure_ascii=escaped).encode("utf-8", "replace")
    cut = trim(raw, SMALL)
    assert trim(cut, SMALL) is cut


def test_long_values_that_differ_stay_different() -> None:
    """Otherwise two group keys with the same beginning were one identity."""
    one, other = (trimmed(group(alert(), groupKey="k" * 100 + end))["groupKey"] for end in "ab")
    assert one != other


def test_a_long_name_is_cut_too() -> None:
    (name,) = trimmed(group({"labels": {"n" * 100: "x"}}))["alerts"][0]["labels"]
    assert name.startswith("nnnnnnnn")
    assert " … [cut: 100 bytes, " in name
    assert len(name.encode()) == 64


@pytest.mark.parametrize("value", [list(range(100)), {"a": ["x"] * 50}, 10**99])
def test_a_long_value_that_is_not_a_string_becomes_the_mark(value: Any) -> None:
    assert trimmed(group(alert(), extra=value))["extra"].startswith("… [cut: ")


@pytest.mark.parametrize("piece", ["[]", "{}", '{"":0}', "1.5", '""'])
@pytest.mark.parametrize("place", ["a label", "a field of an alert", "a field of the group"])
def test_nested_values_are_limited_in_the_whole_body(piece: str, place: str) -> None:
    nested = json.loads(f"[{','.join([piece] * 8000)}]")
    data = group(*(alert(f"A{n}") for n in range(20)))
    holders: list[dict[str, Any]] = {
        "a label": [it["labels"] for it in data["alerts"]],
        "a field of an alert": data["alerts"],
        "a field of the group": [data],
    }[place]
    names = [f"x{n}" for n in range(20 // len(holders))]
    for holder in holders:
        holder.update(dict.fromkeys(names, nested))
    raw = json.dumps(data, separators=(",", ":")).encode()

    cut = trim(raw, BodyLimits())

    after = json.loads(cut)
    found = {
        "a label": [it["labels"].get("x0") for it in after["alerts"]],
        "a field of an alert": [it.get("x0") for it in after["alerts"]],
        "a field of the group": [after.get(name) for name in names],
    }[place]
    kept = [value for value in found if value == nested]
    marked = [value for value in found if str(value).startswith("… [cut: ")]
    assert len(found) == len(kept) + len(marked) == 20
    assert 1 <= len(kept) <= 2
    assert after["alertRouterCut"] == {"alerts": 0, "labels": 0, "values": len(marked)}
    assert trim(cut, BodyLimits()) is cut
    assert len(AlertGroup.within(BodyLimits(), raw)[0].alerts) == 20


def test_a_few_nested_values_are_unchanged() -> None:
    raw = json.dumps(group(*[alert() | {"x": {"a": [1, 2, {"b": []}]}}] * 1000)).encode()
    assert trim(raw, BodyLimits()) is raw


def test_alerts_full_of_values_are_cut_before_the_count_of_alerts_is_reached() -> None:
    limits = BodyLimits(alerts=10, labels=1000)
    full = {"labels": {f"l{n}": "x" for n in range(300)}}
    cut = trimmed(group(*[full] * 10), limits)
    assert len(cut["alerts"]) == 1
    assert cut["truncatedAlerts"] == 9


@pytest.mark.parametrize(
    "raw",
    [
        *(b"", b" ", b"[]", b"1", b'"x"', b"{", b'{"a"', b'{"a":', b'{"a":1', b'{"a":1,', b"{,}"),
        *(b'{"a" 1}', b'{"a":}', b'{"a":1 "b":2}', b"{1:2}", b'{"a":"x', b'{"a":"x\\', b'{"a":[1}'),
        *(b'{"a":1}}', b'{"a":1} x', b'{"a":{"b":1]}', b'{"a":' + b"[" * 1000, b'{"alerts":[{]}'),
        b"\xff",
    ],
)
def test_other_than_a_json_object_is_rejected(raw: bytes) -> None:
    with pytest.raises(PayloadError):
        trim(raw, SMALL)


JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-9999, 9999) | st.floats(0, 1e6) | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=4), inner),
    max_leaves=12,
)
GROUPS = st.dictionaries(
    st.sampled_from(["alerts", "labels", "groupLabels", "commonLabels", "status", "x", ""]),
    JSON | st.lists(st.dictionaries(st.sampled_from(["labels", "annotations", "a"]), JSON)),
)


@given(GROUPS, st.booleans(), st.sampled_from([None, 1]))
def test_any_json_object_within_the_limits_is_unchanged(
    data: dict[str, Any], escaped: bool, indent: int | None
) -> None:
    raw = json.dumps(data, ensure_ascii=escaped, indent=indent).encode("utf-8", "replace")
    assert trim(raw, BodyLimits()) is raw


@given(GROUPS, st.booleans())
def test_a_cut_body_is_json_within_the_limits(data: dict[str, Any], escaped: bool) -> None:
    limits = BodyLimits(alerts=1, labels=2, name=4, value=12)
    raw = json.dumps(data, ensure_ascii=escaped).encode("utf-8", "replace")
    cut = json.loads(trim(raw, limits))
    if isinstance(cut.get("alerts"), list):
        assert len(cut["alerts"]) <= 1
    assert json.loads(trim(trim(raw, limits), BodyLimits())) == cut


def test_small_bodies_are_cut_too() -> None:
    limits = BodyLimits(alerts=2, labels=2)
    raw = json.dumps(group(*(alert(f"A{n}", a="1", b="2") for n in range(4)))).encode()
    cut, body = AlertGroup.within(limits, raw)
    assert [len(it.labels) for it in cut.alerts] == [2, 2]
    assert cut.cut == (2, 2, 0)
    assert AlertGroup.from_bytes(body) == cut


def test_any_cut_counts_of_a_sender_are_accepted() -> None:
    for claim in (None, 3, [], {"alerts": "x"}, {"alerts": -1, "labels": True}):
        raw = json.dumps(group(alert(), alertRouterCut=claim)).encode()
        assert AlertGroup.from_bytes(raw).cut.alerts == 0
