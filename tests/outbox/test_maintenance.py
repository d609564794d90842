"""The backlog, expiry and pruning."""

from alert_router.outbox.model import Backlog, DeliveryFilter, Health, Settlement, State, Verdict
from tests.outbox.kit import (
    LEASE,
    NOW,
    A,
    B,
    end,
    failing,
    group,
    names,
    put,
    put_many,
    set_health,
    take,
    take_one,
)

DAY = 86_400.0


async def test_the_backlog_counts_what_waits_and_what_is_dead(outbox):
    assert await outbox.backlog() == []
    await put(outbox, group("one", A, B, at=NOW - 9), group("two", A), group("three", lane="x"))
    await end(outbox, await take_one(outbox, B), Verdict.DELIVERED)
    await end(outbox, await take_one(outbox, A, fold=False), Verdict.DEAD)

    assert await outbox.backlog() == [
        Backlog(A, waiting=2, oldest_accepted_at=NOW, dead=1),
        Backlog(B, waiting=0, oldest_accepted_at=None, dead=0),
    ]


async def test_what_a_destination_took_is_known_by_the_message(outbox):
    await put(outbox, group("old", lane="old"))
    await end(outbox, await take_one(outbox), Verdict.DELIVERED, now=NOW - 90)
    await put(outbox, group("one"), group("two"), group("three", lane="x", at=NOW + 1))
    await end(outbox, await take_one(outbox), Verdict.DELIVERED, now=NOW - 20)  # both in one
    await end(outbox, await take_one(outbox), Verdict.DELIVERED, now=NOW - 10)
    await put(outbox, group("elsewhere", B))
    await end(outbox, await take_one(outbox, B), Verdict.DELIVERED, now=NOW - 5)

    assert sorted(await outbox.sent(A, since=NOW - 60, now=NOW)) == [NOW - 20, NOW - 10]
    assert await outbox.sent(B, since=NOW - 60, now=NOW) == [NOW - 5]


async def test_what_was_refused_or_dropped_was_not_sent_and_what_is_in_doubt_may_have_been(outbox):
    for lane, verdict, reason in [
        ("refused", Verdict.RETRY, "server_error"),
        ("dead", Verdict.DEAD, "rejected"),
        ("dropped", Verdict.DROPPED, "below min_severity"),
        ("doubt", Verdict.DOUBT, "timeout"),
    ]:
        await put(outbox, group(lane, lane=lane))
        claim = await take_one(outbox)
        await end(outbox, claim, verdict, now=NOW - 10, due_at=NOW + 99, reason=reason)

    assert await outbox.sent(A, since=NOW - 60, now=NOW) == [NOW]


async def test_to_a_destination_that_is_not_known_nothing_was_sent(outbox):
    assert await outbox.sent(A, since=0.0, now=NOW) == []


async def test_what_waits_too_long_expires_unless_it_is_being_sent(outbox):
    await put(outbox, group("sent", lane="x", at=NOW - 9), group("old", lane="y", at=NOW - 9))
    await take_one(outbox)
    await put(outbox, group("behind", lane="x", at=NOW - 8), group("new", lane="y", at=NOW))

    assert await outbox.expire(older_than=NOW - 5, now=NOW, served=()) == {A: 2}

    dead = await outbox.deliveries(DeliveryFilter(State.DEAD))
    assert {(row.group, row.reason, row.settled_at) for row in dead} == {
        ("old", "expired", NOW),
        ("behind", "expired", NOW),
    }
    assert [names(claim) for claim in await take(outbox)] == [["new"]]
    assert await outbox.expire(older_than=NOW - 5, now=NOW + LEASE, served=()) == {A: 1}


async def test_at_a_destination_that_is_served_only_what_was_tried_expires(outbox):
    await put(outbox, group("tried", lane="x", at=NOW - 9), group("new", lane="y", at=NOW - 9))
    await end(outbox, await take_one(outbox), Verdict.RETRY, due_at=NOW + 30)
    await put(outbox, group("behind", lane="x", at=NOW - 8), group("elsewhere", B, at=NOW - 9))
    await put(outbox, group("sent", lane="z", at=NOW - 9))
    [new, _] = await take(outbox)
    ahead = NOW + 10 * DAY  # no lease lasts that long
    await end(outbox, new, Verdict.RELEASED)

    assert await outbox.expire(older_than=ahead - 5, now=ahead, served=[A]) == {A: 2, B: 1}

    assert {row.group for row in await outbox.deliveries(DeliveryFilter(State.DEAD))} == {
        "tried",
        "behind",
        "elsewhere",
    }


async def test_at_a_destination_that_is_failing_everything_old_was_tried(outbox):
    await put(outbox, group("old", at=NOW - 9), group("new", lane="y", at=NOW))
    await set_health(outbox, A, failing(NOW - 9))
    assert await outbox.expire(older_than=NOW - 5, now=NOW, served=[A]) == {A: 1}
    assert [row.group for row in await outbox.deliveries(DeliveryFilter(State.DEAD))] == ["old"]


async def test_many_expire_in_one_go(outbox):
    many = [group(f"{n}", lane=f"{n % 40}") for n in range(1200)]
    await put_many(outbox, many)
    assert await outbox.expire(older_than=NOW + 1, now=NOW, served=()) == {A: 1200}
    assert (await outbox.backlog())[0].dead == 1200
    assert await take(outbox) == []


async def test_after_a_clock_was_set_back_nothing_waits_for_its_time_to_come_again(outbox):
    ahead = NOW + 10 * DAY
    await put(
        outbox, group("tried", lane="x"), group("rests", B, lane="y"), group("sent", lane="z")
    )
    claim = await take_one(outbox, now=ahead)
    sent = await take_one(outbox)
    assert names(sent) == ["sent"]
    failed = Settlement(Verdict.RETRY, ahead, due_at=ahead + 30, health=failing(ahead))
    assert await outbox.settle(claim, failed)
    asked = Health(NOW, 1, "rate_limited", next_at=ahead + 300, asked_until=ahead + 300)
    await set_health(outbox, B, asked)

    assert await outbox.hasten(latest=NOW + 3600, now=NOW) == 3

    assert [names(claim) for claim in await take(outbox)] == [["tried"]]
    assert [names(claim) for claim in await take(outbox, B)] == [["rests"]]
    assert {row.health.failing_since for row in await outbox.backlog()} == {NOW}
    assert (await outbox.health(B)).asked_until == NOW
    assert await end(outbox, sent, Verdict.DELIVERED)


async def test_what_is_put_off_as_the_schedule_has_it_is_not_hastened(outbox):
    await put(outbox, group("one"))
    await end(outbox, await take_one(outbox), Verdict.RETRY, due_at=NOW + 300)
    await set_health(outbox, B, failing(until=NOW + 3600))

    assert await outbox.hasten(latest=NOW + 3600, now=NOW) == 0
    assert await take(outbox) == []


async def settle_three(outbox):
    """One delivered, one dead, one that waits; each in a lane of its own."""
    await put(outbox, *(group(name, lane=name) for name in ("delivered", "dead", "waiting")))
    delivered, dead = await take(outbox, limit=2)
    await end(outbox, delivered, Verdict.DELIVERED)
    await end(outbox, dead, Verdict.DEAD)


async def prune(outbox, delivered_before=NOW - 1, dead_before=NOW - 1, limit=100):
    return await outbox.prune(
        delivered_before=delivered_before, dead_before=dead_before, limit=limit
    )


async def test_settled_rows_are_pruned_by_age_each_kind_by_its_own(outbox):
    await settle_three(outbox)
    assert await prune(outbox) == 0
    assert await prune(outbox, delivered_before=NOW + 1) == 1
    assert [row.group for row in await outbox.deliveries()] == ["waiting", "dead"]
    assert await prune(outbox, dead_before=NOW + 1) == 1
    assert [row.group for row in await outbox.deliveries()] == ["waiting"]


async def test_pruning_goes_in_small_steps_until_it_says_0(outbox):
    await put(outbox, *(group(f"{n}") for n in range(5)))
    await end(outbox, await take_one(outbox), Verdict.DELIVERED)
    steps = [await prune(outbox, delivered_before=NOW + 1, limit=2) for _ in range(4)]
    assert steps == [2, 2, 1, 0]


async def test_a_group_stays_while_one_of_its_deliveries_needs_it(outbox):
    await put(outbox, group("one", A, B))
    await end(outbox, await take_one(outbox, A), Verdict.DELIVERED)
    await prune(outbox, delivered_before=NOW + 1)
    [waiting] = (await take_one(outbox, B)).groups
    assert waiting.body == b"one"


async def test_the_last_word_outlives_its_deliveries_by_a_day(outbox):
    await put(outbox, group("one", says="x"))
    await end(outbox, await take_one(outbox), Verdict.DELIVERED)
    window = 10 * DAY

    await prune(outbox, delivered_before=NOW + DAY - 1)
    assert await outbox.deliveries() == []
    assert (await outbox.accept(group("two", says="x"), window)).id == "one"
    assert await prune(outbox, delivered_before=NOW + DAY + 1) == 1
    assert (await outbox.accept(group("two", says="x"), window)).id == "two"


async def test_a_last_word_is_forgotten_though_its_lane_is_still_in_use(outbox):
    await put(outbox, group("one", says="x"))
    assert await prune(outbox, delivered_before=NOW + DAY + 1) == 1
    assert await prune(outbox, delivered_before=NOW + DAY + 1) == 0
    assert (await outbox.accept(group("two", says="x"), 10 * DAY)).id == "two"
    assert names(await take_one(outbox)) == ["one", "two"]


async def test_a_reference_outlives_its_deliveries_by_a_week(outbox):
    await put(outbox, group("one"))
    await end(outbox, await take_one(outbox), Verdict.DELIVERED, reference="ts")
    await prune(outbox, delivered_before=NOW + 7 * DAY - 1)
    assert await outbox.deliveries() == []
    await put(outbox, group("two"))
    claim = await take_one(outbox)
    assert claim.reference == "ts"
    await end(outbox, claim, Verdict.DELIVERED)

    while await prune(outbox, delivered_before=NOW + 7 * DAY + 1):
        pass
    await put(outbox, group("three"))
    assert (await take_one(outbox)).reference is None
