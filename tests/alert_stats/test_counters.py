"""Alert counts in memory: bounded, and kept while the store is unavailable."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from alert_router.alert_stats import AlertCounters
from alert_router.enrich import Choice
from alert_router.model import Alert
from alert_router.outbox.base import Outbox, StoreUnavailable
from alert_router.outbox.model import MOST_A_DAY, OTHERS, Role, Storage, day_of
from alert_router.outbox.opening import open_outbox

NOW = 1_700_000_000.0
TODAY = day_of(NOW)
REDIS = Choice("alerts/redis-issues", "table", 0)


@pytest.fixture
async def outbox(tmp_path: Path) -> AsyncIterator[Outbox]:
    opened = await open_outbox(Storage(tmp_path / "store.db"), Role.SERVICE)
    yield opened
    await opened.close()


def alert(name: str) -> Alert:
    return Alert.model_construct(status="firing", labels={"alertname": name}, fingerprint="f")


async def counted(counters: AlertCounters, outbox: Outbox, day: int = TODAY) -> dict[str, tuple]:
    await counters.write(outbox)
    return {row.alert: (row.received, row.notified) for row in await outbox.observed(day)}


async def test_received_alerts_and_notifications_are_written_once(outbox) -> None:
    counters = AlertCounters()
    counters.count_received("RedisDown", "alerts/redis-issues", "table", 3, NOW)
    counters.count_notified(
        [alert("RedisDown"), alert("RedisDown"), alert("Slow")], lambda _: REDIS, NOW
    )
    expected = {"RedisDown": (3, 1), "Slow": (0, 1)}
    assert await counted(counters, outbox) == expected
    assert await counted(counters, outbox) == expected


async def test_a_day_ends_at_midnight_utc(outbox) -> None:
    counters = AlertCounters()
    midnight = (TODAY + 1) * 86_400.0
    counters.count_received("A", None, "none", 1, midnight - 0.001)
    counters.count_received("A", None, "none", 2, midnight)
    assert await counted(counters, outbox) == {"A": (1, 0)}
    assert await counted(counters, outbox, TODAY + 1) == {"A": (2, 0)}


async def test_long_names_are_cut_and_too_many_names_are_counted_together(outbox) -> None:
    counters = AlertCounters()
    counters.count_received("x" * 5000, None, "none", 1, NOW)
    counters.count_received("x" * 4000, None, "none", 1, NOW)
    for number in range(MOST_A_DAY + 49):
        counters.count_received(f"A{number}", None, "none", 1, NOW)
    found = await counted(counters, outbox)
    assert found.pop("x" * 200 + "…") == (2, 0)
    assert found[OTHERS] == (50, 0)
    assert len(found) == MOST_A_DAY


async def test_a_failing_runbook_choice_counts_as_none(outbox) -> None:
    def fails(_: Alert) -> Choice:
        raise RuntimeError

    counters = AlertCounters()
    counters.count_notified([alert("A")], fails, NOW)
    await counters.write(outbox)
    [row] = await outbox.observed(TODAY)
    assert (row.runbook, row.way, row.notified) == ("", "none", 1)


async def test_counts_are_kept_while_the_store_is_unavailable(tmp_path) -> None:
    closed = await open_outbox(Storage(tmp_path / "store.db"), Role.SERVICE)
    await closed.close()
    counters = AlertCounters()
    counters.count_received("A", None, "none", 1, NOW)
    await counters.write(closed)
    with pytest.raises(StoreUnavailable):
        await closed.observed(TODAY)
    counters.count_received("A", None, "none", 1, NOW)
    again = await open_outbox(Storage(tmp_path / "store.db"), Role.SERVICE)
    assert await counted(counters, again) == {"A": (2, 0)}
    await again.close()
