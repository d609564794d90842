"""From tallies by day to alerts by rank."""

from dataclasses import replace
from pathlib import Path

from alert_router.alert_stats.report import gather, read_observed, state_of
from alert_router.outbox.observed import Observation
from alert_router.outbox.sqlite import SqliteOutbox

DAY = 86_400.0
NOW = 20_000 * DAY + 3600  # 2024-10-04T01:00:00Z
REDIS = Observation(20_000, "RedisDown", "alerts/redis-issues", "table", 4, 1, NOW)


def test_a_runbook_covers_a_table_may_want_none_and_all_else_is_uncovered() -> None:
    assert state_of("alerts/redis-issues", "default") == "covered"
    assert state_of(None, "table") == "none-wanted"
    assert state_of("", "none") == "uncovered"


def test_what_woke_most_comes_first_then_what_came_most_then_by_name() -> None:
    rows = [
        replace(REDIS, alert="Often", woken=0, received=90),
        replace(REDIS, alert="B", woken=1, received=1),
        replace(REDIS, alert="A", woken=1, received=1),
        replace(REDIS, alert="Wakes", woken=2, received=0),
    ]
    names = [alert.name for alert in gather(rows, 30, "").alerts]
    assert names == ["Wakes", "A", "B", "Often"]


def test_days_add_up_and_the_runbook_is_the_one_seen_last() -> None:
    rows = [
        replace(REDIS, day=19_999, runbook="", way="none", received=6, seen_at=NOW - DAY),
        REDIS,
        replace(REDIS, day=19_998, received=2, seen_at=NOW - 2 * DAY),
    ]
    [alert] = gather(rows, 30, "").alerts
    assert [(it.runbook, it.received, it.woken) for it in alert.choices] == [
        ("alerts/redis-issues", 6, 2),
        ("", 6, 1),
    ]
    assert alert.state == "covered"
    assert alert.last_seen.isoformat() == "2024-10-04T01:00:00+00:00"
    assert (alert.counts.received, alert.counts.woken, alert.counts.percent) == (12, 3, 50.0)


def test_the_share_is_of_what_wants_a_runbook() -> None:
    watchdog = replace(REDIS, alert="Watchdog", runbook="", received=96)
    assert gather([REDIS, watchdog], 30, "").totals.percent == 100.0
    assert gather([], 30, "").totals.percent == 100.0
    lost = replace(REDIS, alert="Lost", runbook="", way="none", received=12)
    assert gather([REDIS, watchdog, lost], 30, "").totals.percent == 25.0


def test_a_short_list_says_how_many_are_not_listed() -> None:
    found = gather([replace(REDIS, alert=str(n)) for n in range(5)], 30, "").as_json(2)
    assert (len(found["alerts"]), found["not_listed"]) == (2, 3)
    assert found["totals"]["alerts"] == 5


async def test_today_is_one_of_the_days(tmp_path: Path) -> None:
    outbox = SqliteOutbox.open(tmp_path / "store.db")
    days = range(20_000 - 30, 20_001)
    await outbox.observe([replace(REDIS, day=day, alert=str(day)) for day in days])
    found = {days: await read_observed(outbox, days, NOW) for days in (1, 7, 30)}
    await outbox.close()
    assert {days: len(it.alerts) for days, it in found.items()} == {1: 1, 7: 7, 30: 30}
    assert [it.since for it in found.values()] == ["2024-10-04", "2024-09-28", "2024-09-05"]
