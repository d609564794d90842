"""Folding: what waits in a lane becomes what is true now."""

import json
from collections.abc import Sequence

from hypothesis import given, settings
from hypothesis import strategies as st

from alert_router.deliver.compose import fold
from alert_router.model import AlertGroup, BodyLimits, Status
from alert_router.outbox.model import WaitingGroup


def waiting(states: dict[str, str], truncated: int = 0, routed: Sequence[str] | None = None):
    alerts = [
        {
            "status": status,
            "labels": {"alertname": name},
            "fingerprint": name,
            "startsAt": "2026-11-23T03:00:00Z",
        }
        for name, status in states.items()
    ]
    body = {"groupKey": "g", "status": "firing", "alerts": alerts, "truncatedAlerts": truncated}
    return WaitingGroup(
        delivery=1, group="id", body=json.dumps(body).encode(),
        fingerprints=tuple(states if routed is None else routed), accepted_at=0.0,
    )  # fmt: skip


def told(*groups: WaitingGroup) -> dict[str, str]:
    return {alert.fingerprint: str(alert.status) for alert in fold(groups).alerts}


def test_one_group_is_itself() -> None:
    assert told(waiting({"a": "firing", "b": "resolved"})) == {"a": "firing", "b": "resolved"}


def test_the_newest_body_counts() -> None:
    assert told(waiting({"a": "firing"}), waiting({"a": "resolved"})) == {"a": "resolved"}


def test_an_alert_resolved_earlier_and_absent_since_is_still_told() -> None:
    assert told(
        waiting({"a": "firing", "b": "firing"}),
        waiting({"a": "firing", "b": "resolved"}),
        waiting({"a": "firing"}),
    ) == {"a": "firing", "b": "resolved"}


def test_an_alert_that_fired_earlier_and_is_absent_is_silenced_and_not_told() -> None:
    assert told(waiting({"a": "firing", "b": "firing"}), waiting({"a": "firing"})) == {
        "a": "firing"
    }


def test_an_alert_resolved_and_firing_again_and_then_absent_is_not_told_as_resolved() -> None:
    assert told(
        waiting({"b": "resolved", "a": "firing"}),
        waiting({"b": "firing", "a": "firing"}),
        waiting({"a": "firing"}),
    ) == {"a": "firing"}


def test_earlier_firing_alerts_are_told_where_the_newest_was_truncated() -> None:
    assert told(waiting({"a": "firing", "b": "firing"}), waiting({"a": "firing"}, truncated=1)) == {
        "a": "firing",
        "b": "firing",
    }


def test_only_alerts_routed_to_the_receiver_count() -> None:
    assert told(
        waiting({"a": "resolved", "x": "resolved"}, routed=["a"]),
        waiting({"b": "resolved", "x": "firing"}, routed=["b"]),
    ) == {"b": "resolved", "a": "resolved"}


def test_status_and_common_labels_are_those_of_what_is_told() -> None:
    group = fold([waiting({"a": "resolved"}), waiting({"b": "resolved"})])
    assert group.status is Status.RESOLVED
    assert group.common_labels == {}


STATES = st.dictionaries(
    st.sampled_from("abcd"), st.sampled_from(["firing", "resolved"]), min_size=1
)


@given(st.lists(STATES, min_size=1, max_size=5))
@settings(deadline=None)
def test_no_resolution_is_ever_swallowed(history: list[dict[str, str]]) -> None:
    """Whatever was last seen as resolved is told as resolved, and nothing fires that does not
    fire in the newest body."""
    last: dict[str, str] = {}
    for states in history:
        last |= states
    result = told(*(waiting(states) for states in history))
    for name, status in last.items():
        if status == "resolved":
            assert result[name] == "resolved"
    assert {name for name, status in result.items() if status == "firing"} == {
        name for name, status in history[-1].items() if status == "firing"
    }


def test_a_stored_alert_without_a_fingerprint_is_not_lost_when_the_limits_cut_its_labels() -> None:
    """As after an upgrade, or a reload with lower limits: the digest of its labels changes."""
    alerts = [{"labels": {"alertname": name, "long": "x" * 5000}} for name in ("a", "b")]
    body = json.dumps({"groupKey": "g", "status": "firing", "alerts": alerts}).encode()
    fingerprints = tuple(alert.fingerprint for alert in AlertGroup.from_bytes(body).alerts)
    stored = WaitingGroup(1, "id", body, fingerprints, 0.0)

    found = fold([stored], BodyLimits(value=100))

    assert [alert.name for alert in found.alerts] == ["a", "b"]
    assert len(found.alerts[0].labels["long"]) < 200
