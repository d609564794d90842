"""From counts by day to a ranked list of alerts."""

from dataclasses import replace
from pathlib import Path

from alert_router.alert_stats import coverage_state, gather, read_observed
from alert_router.outbox.model import Observation, Role, Storage
from alert_router.outbox.opening import open_outbox

DAY = 86_400.0
NOW = 20_000 * DAY + 3600  # 2024-10-04T01:00:00Z
REDIS = Observation(20_000, "RedisDown", "alerts/redis-issues", "table", 4, 1, NOW)


def test_coverage_state_of_a_runbook_choice() -> None:
    assert coverage_state("alerts/redis-issues", "default") == "covered"
    assert coverage_state(None, "table") == "none-wanted"
    assert coverage_state("", "none") == "uncovered"


def test_alerts_are_sorted_by_notifications_then_received_then_name() -> None:
    rows = [
        replace(REDIS, alert="Often", notified=0, received=90),
        replace(REDIS, alert="B", notified=1, received=1),
        replace(REDIS, alert="A", notified=1, received=1),
        replace(REDIS, alert="Wakes", notified=2, received=0),
    ]
    names = [alert.name for alert in gather(rows, 30, "").alerts]
    assert names == ["Wakes", "A", "B", "Often"]


def test_days_are_summed_and_the_latest_runbook_comes_first() -> None:
    rows = [
        replace(REDIS, day=19_999, runbook="", way="none", received=6, seen_at=NOW - DAY),
        REDIS,
        replace(REDIS, day=19_998, received=2, seen_at=NOW - 2 * DAY),
    ]
    [alert] = gather(rows, 30, "").alerts
    assert [(it.runbook, it.received, it.notified) for it in alert.choices] == [
        ("alerts/redis-issues", 6, 2),
        ("", 6, 1),
    ]
    assert alert.state == "covered"
    assert alert.last_seen.isoformat() == "2024-10-04T01:00:00+00:00"
    assert (alert.counts.received, alert.counts.notified, alert.counts.percent) == (12, 3, 50.0)


def test_percent_counts_only_alerts_that_want_a_runbook() -> None:
    watchdog = replace(REDIS, alert="Watchdog", runbook="", received=96)
    assert gather([REDIS, watchdog], 30, "").totals.percent == 100.0
    assert gather([], 30, "").totals.percent == 100.0
    lost = replace(REDIS, alert="Lost", runbook="", way="none", received=12)
    assert gather([REDIS, watchdog, lost], 30, "").totals.percent == 25.0


def test_a_limited_list_counts_the_alerts_not_listed() -> None:
    found = gather([replace(REDIS, alert=str(n)) for n in range(5)], 30, "").as_json(2)
    assert (len(found["alerts"]), found["not_listed"]) == (2, 3)
    assert found["totals"]["alerts"] == 5


async def test_the_report_includes_today(tmp_path: Path) -> None:
    outbox = await open_outbox(Storage(tmp_path / "store.db"), Role.SERVICE)
    days = range(20_000 - 30, 20_001)
    await outbox.observe([replace(REDIS, day=day, alert=str(day)) for day in days])
    found = {days: await read_observed(outbox, days, NOW) for days in (1, 7, 30)}
    await outbox.close()
    assert {days: len(it.alerts) for days, it in found.items()} == {1: 1, 7: 7, 30: 30}
    assert [it.since for it in found.values()] == ["2024-10-04", "2024-09-28", "2024-09-05"]
