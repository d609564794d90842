"""`alert-router coverage --observed`, on a store with known counts."""

import asyncio
import time
from datetime import UTC, datetime
from xml.etree import ElementTree as ET

import pytest

from alert_router.outbox.model import Observation, Role, Storage, day_of
from alert_router.outbox.opening import open_outbox

NOW = time.time()
DAY = datetime.fromtimestamp(NOW, UTC).date().isoformat()


def seen(
    alert: str, runbook: str, way: str, received: int, notified: int, age: float = 0
) -> Observation:
    moment = NOW - age
    return Observation(day_of(moment), alert, runbook, way, received, notified, moment)


def keep(router, *rows: Observation) -> None:
    """Have the store of the configuration hold these."""

    async def run() -> None:
        outbox = await open_outbox(Storage(router.directory / "store.db"), Role.SERVICE)
        await outbox.observe(rows)
        await outbox.close()

    asyncio.run(run())


@pytest.fixture
def kept(router):
    keep(
        router,
        seen("RedisDown", "alerts/redis-issues", "table", 6, 9),
        seen("RedisDown", "", "none", 2, 3, age=0.5),
        seen("Unheard", "", "none", 4, 20),
        seen("Watchdog", "", "table", 88, 0),
    )
    return router


def test_alerts_are_ranked_by_notifications(kept):
    result = kept.run("coverage", "--observed")
    assert result.exit_code == 0
    rows = [line.split("  ") for line in result.stdout.splitlines() if DAY in line]
    assert [[cell.strip() for cell in row if cell] for row in rows[:3]] == [
        ["1", "Unheard", "20", "4", "none", DAY, "0 %"],
        ["2", "RedisDown", "12", "8", "alerts/redis-issues (by table) (before: 1 other)", DAY,
         "75 %"],
        ["3", "Watchdog", "0", "88", "none wanted", DAY, "-"],
    ]  # fmt: skip
    assert (
        "The runbook is the one chosen when an alert was last received or notified."
        in result.stdout
    )
    assert result.stdout.splitlines()[-1].endswith(
        ": 100 received, 6 with a runbook, 6 without, 88 with none wanted; "
        "32 notifications; 50 % covered"
    )


@pytest.mark.parametrize(("wanted", "exit_code"), [("50", 0), ("50.1", 1)])
def test_fail_under_applies_to_received_alerts(kept, wanted, exit_code):
    for output in ("text", "json", "markdown", "junit"):
        options = ("--fail-under", wanted, "--output", output)
        assert kept.run("coverage", "--observed", *options).exit_code == exit_code


def test_json_lists_every_alert_with_its_runbooks_latest_first(kept):
    found = kept.json("coverage", "--observed", "--days", "2")
    assert (found["days"], found["fail_under"], found["not_listed"]) == (2, None, 0)
    redis = found["alerts"][1]
    assert [(it["runbook"], it["way"], it["received"]) for it in redis["choices"]] == [
        ("alerts/redis-issues", "table", 6),
        (None, "none", 2),
    ]
    assert found["totals"]["percent"] == 50.0


def test_only_the_requested_days_count(router):
    keep(
        router,
        seen("Today", "", "none", 1, 0),
        seen("LastWeek", "", "none", 1, 0, age=7 * 86_400),
    )
    for days, names in (("7", ["Today"]), ("8", ["LastWeek", "Today"])):
        found = router.json("coverage", "--observed", "--days", days)
        assert [alert["alert"] for alert in found["alerts"]] == names


def test_junit_fails_alerts_without_a_runbook(kept):
    root = ET.fromstring(kept.run("coverage", "--observed", "--output", "junit").stdout)
    assert [(case.get("name"), [child.tag for child in case]) for case in root[0]] == [
        ("Unheard", ["failure"]),
        ("RedisDown", []),
        ("Watchdog", ["skipped"]),
    ]


def test_hostile_names_stay_text_in_every_output(router):
    keep(router, seen("a|b`@team <img src=x>\x1b[31m\n# h", "", "none", 1, 1))
    text = router.run("coverage", "--observed").stdout
    assert "\x1b" not in text
    assert "a|b`@team <img src=x>\\x1b[31m\\n# h" in text
    markdown = router.run("coverage", "--observed", "--output", "markdown").stdout
    row = next(line for line in markdown.splitlines() if "@team" in line)
    assert row.startswith("| 1 | `` a\\|b`@team <img src=x>\\x1b[31m\\n# h `` | 1 | 1 |")
    ET.fromstring(router.run("coverage", "--observed", "--output", "junit").stdout)


def test_an_empty_store_and_a_missing_store_are_reported(router):
    result = router.run("coverage", "--observed")
    assert result.exit_code == 1
    assert "there is no store" in result.stderr
    keep(router)
    result = router.run("coverage", "--observed")
    assert result.exit_code == 0
    assert result.stdout.startswith("no alerts received since ")


@pytest.mark.parametrize(
    "options",
    [
        ("--observed", "rules.yaml"),
        ("--observed", "--label", "team=x"),
        ("--days", "3", "rules.yaml"),
        ("--observed", "--days", "31"),
        ("--observed", "--days", "0"),
        (),
    ],
    ids=" ".join,
)
def test_options_that_exclude_each_other_are_a_usage_error(router, options):
    assert router.run("coverage", *options).exit_code == 2
