"""Tallies of what came in: kept by day, bounded, forgotten."""

from collections import Counter
from dataclasses import replace

from hypothesis import given, settings
from hypothesis import strategies as st

from alert_router.outbox.model import MOST_A_DAY, OTHERS, Observation, day_of
from tests.outbox.kit import DRIVERS, NOW

TODAY = day_of(NOW)
SEEN = Observation(TODAY, "RedisDown", "alerts/redis-issues", "table", 2, 1, NOW)


def by_name(rows):
    return sorted(rows, key=lambda row: (row.alert, row.runbook, row.way))


def test_a_day_begins_at_midnight_utc():
    assert [day_of(0.0), day_of(86_399.9), day_of(86_400.0)] == [0, 0, 1]


async def test_nothing_is_known_of_a_day_without_alerts(outbox):
    assert await outbox.observed(TODAY) == []


async def test_observations_of_the_same_add_up_and_the_last_moment_stays(outbox):
    await outbox.observe([SEEN, replace(SEEN, received=1, notified=0, seen_at=NOW + 5)])
    await outbox.observe([replace(SEEN, received=0, notified=3, seen_at=NOW - 5)])
    assert await outbox.observed(TODAY) == [replace(SEEN, received=3, notified=4, seen_at=NOW + 5)]


async def test_days_names_runbooks_and_ways_are_told_apart(outbox):
    others = [
        replace(SEEN, alert="redisdown"),
        replace(SEEN, runbook=""),
        replace(SEEN, runbook="", way="none"),
    ]
    await outbox.observe([SEEN, *others, replace(SEEN, day=TODAY - 1)])
    assert by_name(await outbox.observed(TODAY)) == by_name([SEEN, *others])
    assert await outbox.observed(TODAY - 1) == [replace(SEEN, day=TODAY - 1)]


async def test_names_may_hold_any_text(outbox):
    names = ["", "\x1b[31m", "a\0b", "'; DROP TABLE observed; --", "\ud800", "\u202e", OTHERS]
    await outbox.observe([replace(SEEN, alert=name) for name in names])
    kept = {row.alert.replace("\u2400", "\0") for row in await outbox.observed(TODAY)}
    assert kept == {name.encode("utf-8", "replace").decode() for name in names}


async def test_once_a_day_is_full_new_names_are_counted_as_others_by_their_runbook(outbox):
    await outbox.observe([replace(SEEN, alert=f"A{n}") for n in range(MOST_A_DAY)])
    late = [replace(SEEN, alert=f"B{n}") for n in range(30)]
    await outbox.observe([*late, *(replace(one, runbook="", way="none") for one in late)])
    await outbox.observe([replace(SEEN, alert="A7"), replace(SEEN, day=TODAY + 1)])

    rows = await outbox.observed(TODAY)
    assert len(rows) == MOST_A_DAY + 2
    assert {(row.runbook, row.received) for row in rows if row.alert == OTHERS} == {
        ("alerts/redis-issues", 60),
        ("", 60),
    }
    assert [row.received for row in rows if row.alert == "A7"] == [4]
    assert [row.alert for row in await outbox.observed(TODAY + 1)] == ["RedisDown"]


async def test_earlier_days_are_forgotten_in_small_steps(outbox):
    old = [replace(SEEN, day=TODAY - back, alert=f"A{back}") for back in range(6)]
    await outbox.observe(old)
    steps = [await outbox.forget_observed(before_day=TODAY - 1, limit=3) for _ in range(3)]
    assert steps == [3, 1, 0]
    assert await outbox.observed(TODAY - 2) == []
    assert [len(await outbox.observed(TODAY - back)) for back in (0, 1)] == [1, 1]


async def test_what_was_observed_outlives_the_process(open_outbox, tmp_path):
    first = await open_outbox(tmp_path)
    await first.observe([SEEN])
    await first.close()
    second = await open_outbox(tmp_path)
    assert await second.observed(TODAY) == [SEEN]
    await second.close()


observations = st.builds(
    Observation,
    day=st.integers(0, 2),
    alert=st.text(max_size=3),
    runbook=st.sampled_from(["", "a"]),
    way=st.sampled_from(["table", "none"]),
    received=st.integers(0, 9),
    notified=st.integers(0, 9),
    seen_at=st.floats(0, 1e9),
)


@settings(max_examples=40, deadline=None)
@given(st.lists(st.lists(observations, max_size=8), max_size=4))
def test_no_alert_is_lost_or_counted_twice(tmp_path_factory, batches):
    import asyncio

    async def count():
        for driver in DRIVERS.values():
            outbox = await driver(tmp_path_factory.mktemp("store"))
            for batch in batches:
                await outbox.observe(batch)
            rows = [row for day in range(3) for row in await outbox.observed(day)]
            await outbox.close()
            expected, found = Counter(), Counter()
            for one in (one for batch in batches for one in batch):
                expected[one.day, one.alert] += one.received + 100 * one.notified
            for row in rows:
                found[row.day, row.alert.replace("\u2400", "\0")] += (
                    row.received + 100 * row.notified
                )
            assert found == expected

    asyncio.run(count())
