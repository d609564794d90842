"""Claiming and settling: order, batches, doubt, leases and fences."""

import asyncio
import sqlite3
from contextlib import closing
from dataclasses import replace

import pytest

from alert_router.outbox import lanes as claiming
from alert_router.outbox.model import (
    HEALTHY,
    DeliveryFilter,
    Health,
    Probe,
    Settlement,
    State,
    Verdict,
)
from alert_router.outbox.postgres.batches import settle
from tests.outbox.kit import (
    LEASE,
    NOW,
    A,
    B,
    end,
    failing,
    group,
    names,
    open_postgres,
    open_sqlite,
    put,
    set_health,
    take,
    take_one,
)
from tests.postgres import server

MIB = 1024 * 1024


async def test_all_that_waits_in_a_lane_is_one_batch_oldest_first(outbox):
    await put(outbox, group("one"), group("two"), group("three"))
    claim = await take_one(outbox)
    assert names(claim) == ["one", "two", "three"]
    assert (claim.attempt, claim.crashes, claim.resent, claim.smaller) == (1, 0, False, False)


async def test_unfolded_the_oldest_goes_alone_and_the_next_at_once_after_it(outbox):
    await put(outbox, group("one"), group("two"))
    first = await take_one(outbox, fold=False)
    assert names(first) == ["one"]
    assert await take(outbox, fold=False) == []

    assert await end(outbox, first, Verdict.DELIVERED)

    second = await take_one(outbox, fold=False)
    assert names(second) == ["two"]
    assert second.id != first.id


async def test_a_leased_lane_blocks_itself_and_no_other(outbox):
    await put(outbox, group("one", A, B, lane="x"))
    await take_one(outbox)
    await put(outbox, group("two", lane="x"), group("three", lane="y"))

    assert [names(claim) for claim in await take(outbox)] == [["three"]]
    assert [names(claim) for claim in await take(outbox, B)] == [["one"]]


async def test_critical_lanes_go_first_then_the_oldest(outbox):
    await put(
        outbox,
        group("calm", lane="1", priority=2, at=NOW - 50),
        group("usual", lane="2", at=NOW - 20),
        group("older", lane="3", at=NOW - 30),
        group("page", lane="4", priority=0, at=NOW),
    )
    claims = await take(outbox, limit=3)
    assert [names(claim) for claim in claims] == [["page"], ["older"], ["usual"]]
    assert names(await take_one(outbox)) == ["calm"]


async def test_a_lane_is_as_urgent_as_the_most_urgent_that_waits_in_it(outbox):
    await put(outbox, group("one", lane="x"), group("two", lane="y"))
    await put(outbox, group("page", lane="y", priority=0), group("three", lane="y"))
    assert names(await take_one(outbox)) == ["two", "page", "three"]


async def test_a_lane_is_no_longer_urgent_once_the_page_is_out(outbox):
    await put(outbox, group("page", lane="x", priority=0))
    page = await take_one(outbox)
    await put(outbox, group("later", lane="x", at=NOW + 1), group("one", lane="y"))
    await end(outbox, page, Verdict.DELIVERED)
    assert [names(claim) for claim in await take(outbox)] == [["one"], ["later"]]


async def test_of_the_lanes_whose_back_off_ends_the_critical_go_first_too(outbox):
    await put(outbox, *(group(f"{n}", lane=f"{n}", priority=n % 3) for n in range(9)))
    for claim in await take(outbox):
        await end(outbox, claim, Verdict.RETRY, due_at=NOW + 10)
    await put(outbox, group("new", lane="new", priority=1, at=NOW + 5))

    assert [names(claim) for claim in await take(outbox)] == [["new"]]
    claims = await take(outbox, now=NOW + 10, limit=9)
    assert [int(claim.groups[0].group) % 3 for claim in claims] == [0] * 3 + [1] * 3 + [2] * 3


async def test_after_a_certain_failure_the_lane_is_folded_anew_under_a_new_id(outbox):
    await put(outbox, group("one"))
    first = await take_one(outbox)
    await put(outbox, group("two"))
    await end(outbox, first, Verdict.RETRY, due_at=NOW + 5, reason="server_error", message="502")

    assert await take(outbox, now=NOW + 4) == []
    second = await take_one(outbox, now=NOW + 5)
    assert names(second) == ["one", "two"]
    assert (second.attempt, second.resent) == (2, False)
    assert second.id != first.id


async def test_a_batch_in_doubt_goes_again_exactly_under_its_id(outbox):
    await put(outbox, group("one"), group("two"))
    first = await take_one(outbox)
    await put(outbox, group("three"))
    await end(outbox, first, Verdict.DOUBT, due_at=NOW + 5)

    second = await take_one(outbox, now=NOW + 5)
    assert names(second) == ["one", "two"]
    assert (second.id, second.attempt, second.resent) == (first.id, 2, True)

    await end(outbox, second, Verdict.DELIVERED)
    assert names(await take_one(outbox)) == ["three"]


async def test_a_batch_in_doubt_stays_whole_where_the_lane_is_unfolded_since(outbox):
    await put(outbox, group("one"), group("two"))
    await end(outbox, await take_one(outbox), Verdict.DOUBT)
    assert names(await take_one(outbox, fold=False)) == ["one", "two"]


async def test_a_lease_that_ran_out_is_a_crash_and_the_batch_in_doubt(outbox):
    await put(outbox, group("one"))
    first = await take_one(outbox)
    await put(outbox, group("two"))
    assert await take(outbox, now=NOW + LEASE - 1) == []

    second = await take_one(outbox, now=NOW + LEASE)
    assert names(second) == ["one"]
    assert (second.id, second.attempt, second.crashes, second.resent) == (first.id, 2, 1, True)
    assert not await end(outbox, first, Verdict.DELIVERED)

    third = await take_one(outbox, now=NOW + 2 * LEASE)
    assert third.crashes == 2
    assert await end(outbox, third, Verdict.DELIVERED)
    assert (await take_one(outbox)).crashes == 0


async def test_a_lease_that_ran_out_may_still_be_settled_while_nobody_took_the_lane(outbox):
    await put(outbox, group("one"))
    claim = await take_one(outbox)
    assert await end(outbox, claim, Verdict.DELIVERED, now=NOW + 10 * LEASE)
    assert await take(outbox, now=NOW + 10 * LEASE) == []


async def test_settling_twice_changes_nothing(outbox):
    await put(outbox, group("one"), group("two"))
    claim = await take_one(outbox, fold=False)
    assert await end(outbox, claim, Verdict.DELIVERED)
    assert await end(outbox, claim, Verdict.DELIVERED)
    assert await end(outbox, claim, Verdict.DEAD)
    assert [row.state for row in await outbox.deliveries()] == [State.WAITING, State.DELIVERED]

    await take_one(outbox)
    assert not await end(outbox, claim, Verdict.DELIVERED)
    assert (await outbox.deliveries(DeliveryFilter(State.WAITING)))[0].group == "two"


async def test_what_was_claimed_by_a_process_that_died_is_due_at_once(open_outbox, tmp_path):
    dead = await open_outbox(tmp_path)
    await put(dead, group("one"), group("two", lane="other"))
    claims = await take(dead)
    await end(dead, claims[1], Verdict.RETRY, due_at=NOW + 50)
    await put(dead, group("three"))
    await dead.close()  # a claim is open: as if it had been killed

    outbox = await open_outbox(tmp_path)
    assert await take(outbox) == []
    assert await outbox.recover("service") == 1
    again = await take_one(outbox)
    assert names(again) == ["one"]
    assert (again.id, again.crashes, again.resent) == (claims[0].id, 1, True)
    assert not await end(outbox, claims[0], Verdict.DELIVERED)
    other = await take_one(outbox, now=NOW + 50)
    assert (names(other), other.attempt, other.resent) == (["two"], 2, False)
    await outbox.close()


async def test_one_that_starts_ends_its_own_leases_and_no_others(outbox):
    await put(outbox, group("one", lane="x"), group("two", lane="y"))
    [mine] = await take(outbox, limit=1, owner="a")
    [others] = await take(outbox, limit=1, owner="b")
    assert await outbox.recover("a") == 1
    assert await outbox.recover("a") == 0
    [again] = await take(outbox, owner="a")
    assert (names(again), again.crashes) == (names(mine), 1)
    assert not await end(outbox, mine, Verdict.DELIVERED)
    assert await end(outbox, others, Verdict.DELIVERED)


async def test_two_that_claim_at_once_never_get_the_same_lane(outbox):
    await put(outbox, *(group(f"{n}", lane=f"{n}") for n in range(40)))
    claims = await asyncio.gather(
        *(take(outbox, limit=3, owner=owner) for owner in "abab" for _ in range(5))
    )
    got = sorted(name for some in claims for claim in some for name in names(claim))
    assert got == sorted(f"{n}" for n in range(40))


async def test_one_that_was_paused_past_its_lease_settles_nothing(outbox):
    await put(outbox, group("one"))
    [paused] = await take(outbox, owner="a")
    [other] = await take(outbox, owner="b", now=NOW + LEASE)
    assert (other.id, other.resent) == (paused.id, True)
    assert not await end(outbox, paused, Verdict.DEAD, health=failing())
    assert await outbox.health(A) == HEALTHY
    assert await end(outbox, other, Verdict.DELIVERED)
    assert not await end(outbox, paused, Verdict.RETRY)
    assert [row.state for row in await outbox.deliveries()] == [State.DELIVERED]


async def test_what_was_released_is_as_if_never_claimed(outbox):
    await put(outbox, group("one"))
    first = await take_one(outbox)
    await put(outbox, group("two"))
    await end(outbox, first, Verdict.RELEASED)

    second = await take_one(outbox)
    assert names(second) == ["one", "two"]
    assert (second.attempt, second.crashes, second.resent) == (1, 0, False)


async def test_a_batch_in_doubt_that_is_released_stays_in_doubt(outbox):
    await put(outbox, group("one"))
    await end(outbox, await take_one(outbox), Verdict.DOUBT)
    second = await take_one(outbox)
    await put(outbox, group("two"))
    await end(outbox, second, Verdict.RELEASED)

    third = await take_one(outbox)
    assert names(third) == ["one"]
    assert (third.id, third.attempt, third.resent) == (second.id, 2, True)


async def test_a_dead_batch_leaves_the_lane_to_what_waits_behind_it(outbox):
    await put(outbox, group("one"))
    for verdict in (Verdict.RETRY, Verdict.DEAD):
        claim = await take_one(outbox)
        await put(outbox, group(f"behind {verdict}"))
        await end(outbox, claim, verdict, reason="rejected", message="no such channel")

    dead = await outbox.deliveries(DeliveryFilter(State.DEAD))
    assert [(row.group, row.reason, row.message, row.attempts) for row in dead] == [
        ("behind retry", "rejected", "no such channel", 2),
        ("one", "rejected", "no such channel", 2),
    ]
    claim = await take_one(outbox)
    assert (names(claim), claim.attempt) == (["behind dead"], 1)


async def test_what_was_dropped_is_done_and_says_why(outbox):
    await put(outbox, group("one"))
    await end(outbox, await take_one(outbox), Verdict.DROPPED, reason="send_resolved")
    [row] = await outbox.deliveries()
    assert (row.state, row.reason, row.settled_at) == (State.DELIVERED, "send_resolved", NOW)


async def test_a_success_resets_attempts_and_leaves_its_reference(outbox):
    await put(outbox, group("one"))
    await end(outbox, await take_one(outbox), Verdict.RETRY, smaller=True)
    second = await take_one(outbox)
    assert (second.attempt, second.smaller, second.reference) == (2, True, None)
    await end(outbox, second, Verdict.DELIVERED, reference="ts-1")

    await put(outbox, group("two"))
    third = await take_one(outbox)
    assert (third.attempt, third.smaller, third.reference) == (1, False, "ts-1")
    await end(outbox, third, Verdict.DELIVERED)

    await put(outbox, group("three"))
    assert (await take_one(outbox)).reference == "ts-1"


async def test_a_reference_belongs_to_its_lane(outbox):
    await put(outbox, group("one", A, B))
    await end(outbox, await take_one(outbox), Verdict.DELIVERED, reference="ts-1")
    assert (await take_one(outbox, B)).reference is None


async def test_a_batch_is_bounded_in_bytes_but_takes_one_at_least(outbox):
    await put(outbox, group("huge", body=bytes(20 * MIB)), group("two"), group("three"))
    first = await take_one(outbox)
    assert names(first) == ["huge"]
    await end(outbox, first, Verdict.DELIVERED)
    assert names(await take_one(outbox)) == ["two", "three"]


async def test_the_batches_of_one_call_are_bounded_together(outbox):
    await put(outbox, *(group(f"{n}", lane=f"{n}", body=bytes(3 * MIB // 2)) for n in range(4)))
    first, second = await take(outbox), await take(outbox)
    assert [names(claim) for claim in first + second] == [[f"{n}"] for n in range(4)]
    assert len(first) == 2


async def test_a_batch_is_bounded_in_rows(outbox):
    await asyncio.gather(*(outbox.accept(group(f"{n}"), 0) for n in range(1010)))
    first = await take_one(outbox)
    assert len(first.groups) == 1000
    await end(outbox, first, Verdict.DELIVERED)
    assert len((await take_one(outbox)).groups) == 10


async def test_a_paused_destination_gives_no_claims_until_it_is_resumed(outbox):
    await put(outbox, group("one", A, B))
    await set_health(outbox, A, failing(until=NOW + 100))
    assert await take(outbox, now=NOW + 99) == []
    assert len(await take(outbox, B)) == 1
    await set_health(outbox, A, HEALTHY)
    assert len(await take(outbox)) == 1


async def test_a_pause_ends_by_itself_and_outlasts_a_restart(open_outbox, tmp_path):
    first = await open_outbox(tmp_path)
    await set_health(first, A, failing(until=NOW + 100))
    await first.close()
    outbox = await open_outbox(tmp_path)
    await put(outbox, group("one"))
    assert await take(outbox, now=NOW + 99) == []
    assert len(await take(outbox, now=NOW + 100)) == 1
    await outbox.close()


async def test_a_probe_claims_the_most_urgent_lane_of_a_destination_that_rests(outbox):
    later = group("page", lane="page", at=NOW + 9, priority=0)
    await put(outbox, group("one", lane="one"), group("two", lane="two"), later)
    await set_health(outbox, A, failing(until=NOW + 100))
    assert await take(outbox) == []
    [claim] = await take(outbox, probe=Probe.URGENT)
    assert (names(claim), claim.most_urgent) == (["page"], 0)


async def test_another_probe_claims_the_lane_that_was_tried_least(outbox):
    await put(outbox, *(group(f"g{n}", lane=f"l{n}", priority=0) for n in range(3)))
    tried = []
    for number in range(6):
        [claim] = await take(outbox, probe=Probe.OTHER)
        assert claim.most_urgent == 0
        tried += names(claim)
        await end(outbox, claim, Verdict.RETRY, due_at=NOW, health=failing(until=NOW + number))
    assert tried == ["g0", "g1", "g2"] * 2


async def test_a_destination_that_is_well_again_has_everything_due(outbox):
    await put(outbox, *(group(f"g{n}", lane=f"l{n}") for n in range(3)))
    one, two, three = await take(outbox)
    await end(outbox, one, Verdict.RETRY, due_at=NOW + 300)
    await end(outbox, two, Verdict.DOUBT, due_at=NOW, health=failing(until=NOW + 300))
    assert await take(outbox) == []
    await end(outbox, three, Verdict.DELIVERED)
    assert await outbox.health(A) == HEALTHY
    assert [names(claim) for claim in await take(outbox)] == [["g0"], ["g1"]]


async def test_a_destination_that_was_well_keeps_its_lanes_in_back_off(outbox):
    await put(outbox, group("g0", lane="l0"), group("g1", lane="l1"))
    one, two = await take(outbox)
    await end(outbox, one, Verdict.RETRY, due_at=NOW + 300)
    await end(outbox, two, Verdict.DELIVERED)
    assert await take(outbox) == []


async def test_how_a_destination_is_outlasts_a_restart(open_outbox, tmp_path):
    first = await open_outbox(tmp_path)
    assert await first.health(A) == HEALTHY
    health = Health(NOW, 7, "rate_limited", "429 \ud800", NOW + 60, NOW + 50)
    await set_health(first, A, health)
    await first.close()
    again = await open_outbox(tmp_path)
    assert await again.health(A) == replace(health, message="429 ?")
    await again.close()


async def test_claiming_and_probing_read_only_a_few_of_many_lanes(tmp_path):
    """Every statement that a claim runs finds its rows by an index, and sorts none."""
    from alert_router.outbox.sqlite.database import QUERIES

    await (await open_sqlite(tmp_path)).close()
    with closing(sqlite3.connect(tmp_path / "alert-router.db")) as raw:
        for name, index in {
            "ready_lanes": "lane_ready",
            "later_lanes": "lane_later",
            "next_priority": "lane_later",
            "all_is_due": "lane_later",
        }.items():
            values = (0,) * QUERIES[name].count("?")
            plan = raw.execute(f"EXPLAIN QUERY PLAN {QUERIES[name]}", values).fetchall()
            steps = [step for *_, step in plan if " lane" in step or "TEMP" in step]
            assert steps, (name, plan)
            assert all(f"INDEX {index} (" in step for step in steps), (name, plan)


async def test_a_storm_that_postgresql_has_not_analyzed_makes_no_claim_read_all_of_it(tmp_path):
    """Plans made while tables are empty, or from statistics of that time, would read all rows."""
    outbox = await open_postgres(tmp_path)
    for n in range(10):
        await put(outbox, group(f"few-{n}", lane=f"few-{n}"))
        await end(outbox, await take_one(outbox), Verdict.DELIVERED)
    database = (await server().database(tmp_path)).rpartition("/")[2]
    await server().execute(f"ANALYZE; {STORM}", database)

    async def rows_read(session):
        wanted = claiming.Wanted("service", 10, NOW, LEASE, fold=True)
        before = await session.connection.fetch(READ)
        claims = await claiming.claim(session, A, wanted)
        await settle(session, [(one, Settlement(Verdict.DELIVERED, NOW)) for one in claims[:5]])
        rows = zip(before, await session.connection.fetch(READ), strict=True)
        return len(claims), {late[0]: late[1] - early[1] for early, late in rows}

    count, read = await outbox._pool.run(rows_read)
    assert count == 10
    assert max(read.values()) < 200, read
    await outbox.close()


READ = """
SELECT relname, coalesce(seq_tup_read, 0) + coalesce(idx_tup_fetch, 0)
FROM pg_stat_xact_user_tables ORDER BY relname"""
# 4,000 lanes, half of them due and half in back-off.
STORM = f"""
INSERT INTO alert_router.lane (identity, destination, phase, priority, oldest, due_at)
SELECT n, 1, 1 + n % 2, 1, {NOW}, 1e12 FROM generate_series(101, 4100) n;
INSERT INTO alert_router.delivery
    (lane, destination, alert_group, priority, accepted_at, fingerprints)
SELECT id, destination, 1 + id % 10, 1, {NOW}, '[]' FROM alert_router.lane WHERE phase > 0"""


async def test_nothing_is_claimed_for_a_destination_without_rows_or_with_no_limit(outbox):
    await put(outbox, group("one"))
    assert await take(outbox, B) == []
    assert await take(outbox, limit=0) == []


async def test_what_a_hostile_answer_says_can_be_written_down(outbox):
    await put(outbox, group("one"))
    claim = await take_one(outbox)
    assert await end(outbox, claim, Verdict.DEAD, reason="rejected", message="\ud800 \x00 \x1b[")
    [row] = await outbox.deliveries()
    assert row.message in ("? \x00 \x1b[", "? \u2400 \x1b[")  # text in PostgreSQL has no zeros


@pytest.mark.parametrize("verdict", [Verdict.RETRY, Verdict.DOUBT])
async def test_what_waits_shows_the_last_failure_of_its_lane(outbox, verdict):
    await put(outbox, group("one"))
    claim = await take_one(outbox)
    [row] = await outbox.deliveries()
    assert (row.attempts, row.due_at) == (1, None)

    await end(outbox, claim, verdict, due_at=NOW + 9, reason="timeout", message="no answer")
    [row] = await outbox.deliveries()
    assert (row.state, row.attempts, row.due_at) == (State.WAITING, 1, NOW + 9)
    assert (row.reason, row.message) == ("timeout", "no answer")


async def test_a_claim_of_many_lanes_has_all_that_is_pending_in_each(outbox):
    sizes = {"few": 1, "some": 16, "many": 17, "most": 40}
    for lane, size in sizes.items():
        await put(outbox, *(group(f"{lane}-{n}", lane=lane) for n in range(size)))
    claims = await take(outbox)
    assert {names(claim)[0]: names(claim) for claim in claims} == {
        f"{lane}-0": [f"{lane}-{n}" for n in range(size)] for lane, size in sizes.items()
    }


async def test_claims_that_end_at_the_same_time_end_each_in_its_way(outbox):
    """Settled together: one that another has taken since, one that is settled twice, and lanes in
    which more is pending."""
    ways = [*Verdict, "lost", "twice"]
    for way in ways:
        await put(outbox, group(f"{way}", lane=way))
    claims = {names(claim)[0]: claim for claim in await take(outbox)}
    for way in ways:
        await put(outbox, group(f"{way}-behind", lane=way, priority=0))
    claims["lost"] = replace(claims["lost"], fence=claims["lost"].fence - 1)
    verdicts = {way: way if way in list(Verdict) else Verdict.DELIVERED for way in ways}
    more = {"due_at": NOW, "reason": "why", "reference": "ts"}
    asked = [
        end(outbox, claims[way], verdicts[way], **more) for way in [*ways, "twice", "delivered"]
    ]
    answers = await asyncio.gather(*asked)
    assert [way for way, answer in zip(ways, answers, strict=False) if not answer] == ["lost"]
    rows = {row.group: row for row in await outbox.deliveries()}
    assert {name: rows[name].state for name in ways} == {
        **dict.fromkeys(ways, State.WAITING),
        "delivered": State.DELIVERED,
        "dropped": State.DELIVERED,
        "twice": State.DELIVERED,
        "dead": State.DEAD,
    }
    next_ones = {names(claim)[0]: claim for claim in await take(outbox)}
    assert {name: claim.reference for name, claim in next_ones.items()} == {
        "delivered-behind": "ts",
        "dropped-behind": None,
        "twice-behind": "ts",
        "dead-behind": None,
        "retry": None,
        "doubt": None,
        "released": None,
    }
    assert names(next_ones["retry"]) == ["retry", "retry-behind"]
    assert names(next_ones["doubt"]) == ["doubt"]


async def test_of_attempts_that_end_together_the_latest_says_how_the_destination_is(outbox):
    for late, early in (HEALTHY, failing()), (failing(), HEALTHY):
        lanes = [f"{late.is_failing}-{n}" for n in range(2)]
        await put(outbox, *(group(lane, lane=lane) for lane in lanes))
        first, second = await take(outbox)
        await asyncio.gather(
            end(outbox, first, Verdict.DEAD, now=NOW + 1, health=late),
            end(outbox, second, Verdict.DEAD, now=NOW, health=early),
        )
        if outbox.is_shared:
            assert (await outbox.health(A)).is_failing == late.is_failing
        await set_health(outbox, A, HEALTHY)
