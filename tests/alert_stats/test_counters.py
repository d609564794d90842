"""Counting in memory: bounded whatever comes, and lost by no trouble of the store's."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from alert_router.alert_stats.counters import Tally
from alert_router.enrich import Choice
from alert_router.model import Alert
from alert_router.outbox.base import StoreUnavailable
from alert_router.outbox.observed import MOST_A_DAY, OTHERS, day_of
from alert_router.outbox.sqlite import SqliteOutbox

NOW = 1_700_000_000.0
TODAY = day_of(NOW)
REDIS = Choice("alerts/redis-issues", "table", 0)


@pytest.fixture
async def outbox(tmp_path: Path) -> AsyncIterator[SqliteOutbox]:
    opened = SqliteOutbox.open(tmp_path / "store.db")
    yield opened
    await opened.close()


def alert(name: str) -> Alert:
    return Alert.model_construct(status="firing", labels={"alertname": name}, fingerprint="f")


async def counted(tally: Tally, outbox: SqliteOutbox, day: int = TODAY) -> dict[str, tuple]:
    await tally.write(outbox)
    return {row.alert: (row.received, row.woken) for row in await outbox.observed(day)}


async def test_what_is_received_and_told_is_written_once(outbox) -> None:
    tally = Tally()
    tally.receive("RedisDown", "alerts/redis-issues", "table", 3, NOW)
    tally.wake([alert("RedisDown"), alert("RedisDown"), alert("Slow")], lambda _: REDIS, NOW)
    expected = {"RedisDown": (3, 1), "Slow": (0, 1)}
    assert await counted(tally, outbox) == expected
    assert await counted(tally, outbox) == expected


async def test_a_day_ends_at_midnight_utc(outbox) -> None:
    tally = Tally()
    midnight = (TODAY + 1) * 86_400.0
    tally.receive("A", None, "none", 1, midnight - 0.001)
    tally.receive("A", None, "none", 2, midnight)
    assert await counted(tally, outbox) == {"A": (1, 0)}
    assert await counted(tally, outbox, TODAY + 1) == {"A": (2, 0)}


async def test_a_name_is_cut_and_many_names_become_one(outbox) -> None:
    tally = Tally()
    tally.receive("x" * 5000, None, "none", 1, NOW)
    tally.receive("x" * 4000, None, "none", 1, NOW)
    for number in range(MOST_A_DAY + 49):
        tally.receive(f"A{number}", None, "none", 1, NOW)
    found = await counted(tally, outbox)
    assert found.pop("x" * 200 + "…") == (2, 0)
    assert found[OTHERS] == (50, 0)
    assert len(found) == MOST_A_DAY


async def test_a_choice_that_fails_counts_as_none_and_harms_nothing(outbox) -> None:
    def fails(_: Alert) -> Choice:
        raise RuntimeError

    tally = Tally()
    tally.wake([alert("A")], fails, NOW)
    await tally.write(outbox)
    [row] = await outbox.observed(TODAY)
    assert (row.runbook, row.way, row.woken) == ("", "none", 1)


async def test_what_the_store_cannot_take_is_kept_for_the_next_time(tmp_path) -> None:
    closed = SqliteOutbox.open(tmp_path / "store.db")
    await closed.close()
    tally = Tally()
    tally.receive("A", None, "none", 1, NOW)
    await tally.write(closed)
    with pytest.raises(StoreUnavailable):
        await closed.observed(TODAY)
    tally.receive("A", None, "none", 1, NOW)
    again = SqliteOutbox.open(tmp_path / "store.db")
    assert await counted(tally, again) == {"A": (2, 0)}
    await again.close()
