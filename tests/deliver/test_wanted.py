"""What of a group a notifier wants to be told."""

import pytest

from alert_router.deliver.compose import wanted
from alert_router.model import AlertGroup
from alert_router.model.severity import STANDARD
from alert_router.notify.console import ConsoleNotifier
from tests.notify.notifications import alert, body

FIRING, OVER = alert(pod="a"), alert(pod="b", resolved=True)


def told(*alerts, **keys):
    found = wanted(AlertGroup.from_bytes(body(list(alerts))), ConsoleNotifier(**keys), STANDARD)
    return found if isinstance(found, str) else [one.labels.get("pod") for one in found.alerts]


def test_everything_is_wanted_unless_it_is_said_otherwise():
    assert told(FIRING, OVER) == ["a", "b"]


def test_without_send_resolved_only_what_fires_is_told():
    assert told(FIRING, OVER, send_resolved=False) == ["a"]
    assert told(OVER, send_resolved=False) == "send_resolved"


@pytest.mark.parametrize(
    ("least", "pods"),
    [("critical", ["c", "odd"]), ("s3", ["c", "w", "odd"]), ("INFO", ["c", "w", "i", "odd"])],
)
def test_what_is_minor_is_left_out_and_what_is_unknown_is_not(least, pods):
    alerts = [
        alert(pod="c", severity="page"),
        alert(pod="w", severity="warning"),
        alert(pod="i", severity="info"),
        alert(pod="odd", severity="of our own making"),
    ]
    assert told(*alerts, min_severity=least) == pods


def test_a_group_that_is_minor_altogether_is_not_told():
    assert told(alert(severity="info"), min_severity="critical") == "min_severity"


def test_what_is_common_is_computed_over_what_is_told():
    alerts = [alert(pod="a"), alert(pod="b", severity="info")]
    group = AlertGroup.from_bytes(body(alerts))
    found = wanted(group, ConsoleNotifier(min_severity="critical"), STANDARD)
    assert found.common_labels["pod"] == "a"
