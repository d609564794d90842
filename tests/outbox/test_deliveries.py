"""Deliveries as people see and handle them."""

import pytest

from alert_router.outbox import deliveries
from alert_router.outbox.model import DeliveryFilter, Destination, Settlement, State, Verdict
from alert_router.outbox.postgres.pool import PostgresSession
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
    put,
    set_health,
    take,
    take_one,
)


async def kill(outbox, *groups, to=A):
    """Accept the groups, one lane after another, and have them die."""
    for one in groups:
        await put(outbox, one)
        await end(outbox, await take_one(outbox, to), Verdict.DEAD, reason="rejected")


async def test_lists_are_newest_first_filtered_and_paged(outbox):
    await kill(outbox, group("one", lane="x"), group("two", lane="y"))
    await put(outbox, group("three", B, lane="x"), group("four", lane="z"))

    async def listed(**how):
        return [row.group for row in await outbox.deliveries(DeliveryFilter(**how))]

    assert await listed() == ["four", "three", "two", "one"]
    assert await listed(state=State.DEAD) == ["two", "one"]
    assert await listed(state=State.WAITING, receiver=A.receiver, notifier=A.notifier) == ["four"]
    assert await listed(receiver=A.receiver) == ["four", "three", "two", "one"]
    assert await listed(receiver="no", notifier="such") == []
    assert await listed(reason="rejected") == ["two", "one"]
    assert await listed(reason="rejected' OR TRUE --\0") == []
    first = await outbox.deliveries(limit=2)
    (second,) = await outbox.deliveries(limit=1, before=first[-1].id)
    assert second.group == "two"


async def test_lists_have_what_was_accepted_in_a_time(outbox):
    await put(outbox, *(group(f"{at}", lane=f"{at}", at=NOW + at) for at in range(4)))
    within = DeliveryFilter(since=NOW + 1, until=NOW + 3)
    assert [row.group for row in await outbox.deliveries(within)] == ["2", "1"]


async def test_what_is_far_down_a_list_is_found_in_short_transactions(outbox, monkeypatch):
    monkeypatch.setattr(deliveries, "_AT_ONCE", 2)
    await kill(outbox, group("old", lane="old"))
    await put(outbox, *(group(f"{n}", lane=f"{n}") for n in range(5)))
    assert [row.group for row in await outbox.deliveries(DeliveryFilter(reason="rejected"))] == [
        "old"
    ]
    assert [row.group for row in await outbox.deliveries(limit=3)] == ["4", "3", "2"]


async def test_the_last_success_of_a_destination_is_no_message_that_was_left_out(
    outbox, monkeypatch
):
    for at, (name, to, more) in enumerate(
        [
            ("one", A, {}),
            ("two", B, {}),
            ("three", B, {"reason": "send_resolved"}),
            ("four", A, {}),
        ]
    ):
        await put(outbox, group(name, to, lane=name))
        claim = await take_one(outbox, to)
        verdict = Verdict.DROPPED if more else Verdict.DELIVERED
        await outbox.settle(claim, Settlement(verdict, NOW + at, **more))
    assert await outbox.last_successes() == {A: NOW + 3, B: NOW + 1}

    monkeypatch.setattr(deliveries, "_MOST_SUCCESSES", 1)
    assert await outbox.last_successes() == {A: NOW + 3}
    await set_health(outbox, B, failing(NOW + 1.5))
    assert await outbox.last_successes() == {A: NOW + 3, B: NOW + 1}


async def test_the_deliveries_of_a_group_are_found_by_its_id(outbox):
    await put(outbox, group("one", A, B, lane="x"), group("two", A, lane="y"))

    found = await outbox.of_group("one")

    assert [(row.destination, row.group) for row in found] == [(A, "one"), (B, "one")]
    assert await outbox.of_group("three") == []


async def test_what_waits_for_a_destination_that_rests_says_why_and_until_when(outbox):
    await put(outbox, group("one"))
    rests = failing(until=NOW + 300, why="404 Not Found: no_service")
    await set_health(outbox, A, rests)

    [row] = await outbox.deliveries()

    assert (row.due_at, row.message) == (NOW + 300, "404 Not Found: no_service")


async def test_show_has_the_row_and_the_body_as_it_came(outbox):
    await put(outbox, group("one", body=b"\xff\x00raw"))
    [row] = await outbox.deliveries()
    assert await outbox.show(row.id) == (row, b"\xff\x00raw")
    assert row.fingerprints == ("fp-one",)
    assert await outbox.show(99) is None


async def test_a_dead_delivery_goes_again_as_a_new_one_and_counts_as_dead_no_more(outbox):
    await kill(outbox, group("one"))
    [dead] = await outbox.deliveries()

    new = await outbox.replay(dead.id, now=NOW + 500)

    claim = await take_one(outbox)
    assert (names(claim), claim.attempt) == (["one"], 1)
    assert (claim.groups[0].delivery, claim.groups[0].accepted_at) == (new, NOW + 500)
    assert await outbox.deliveries(DeliveryFilter(State.DEAD)) == []
    assert (await outbox.backlog())[0].dead == 0
    old, _ = await outbox.show(dead.id)
    assert (old.state, old.message) == (State.DEAD, f"replayed as {new}")


async def test_the_dead_of_a_lane_are_replayed_in_their_order(outbox):
    await kill(outbox, group("one"), group("two"))
    for row in reversed(await outbox.deliveries()):
        await outbox.replay(row.id, now=NOW)
    assert names(await take_one(outbox)) == ["one", "two"]


async def test_a_replay_takes_force_once_the_lane_has_moved_on(outbox):
    await kill(outbox, group("one"))
    await put(outbox, group("two"))
    with pytest.raises(ValueError, match="newer notification"):
        await outbox.replay(1, now=NOW)
    await end(outbox, await take_one(outbox), Verdict.DELIVERED)
    with pytest.raises(ValueError, match="newer notification"):
        await outbox.replay(1, now=NOW)

    await outbox.replay(1, now=NOW, force=True)
    assert names(await take_one(outbox)) == ["one"]


async def test_a_replay_takes_force_the_second_time(outbox):
    await kill(outbox, group("one"))
    new = await outbox.replay(1, now=NOW)
    with pytest.raises(ValueError, match=f"replayed already, as {new}"):
        await outbox.replay(1, now=NOW)
    assert await outbox.replay(1, now=NOW, force=True) > new


async def test_what_was_delivered_can_be_sent_again(outbox):
    await put(outbox, group("one"))
    await end(outbox, await take_one(outbox), Verdict.DELIVERED)
    await outbox.replay(1, now=NOW)
    assert names(await take_one(outbox)) == ["one"]


async def test_a_replay_to_another_destination_joins_its_lane_of_the_same_group(outbox):
    await kill(outbox, group("one", A, B))
    await outbox.replay(1, now=NOW, to=B)
    assert await take(outbox, A) == []
    assert names(await take_one(outbox, B)) == ["one", "one"]

    await outbox.replay(1, now=NOW, to=Destination("new", "one"), force=True)
    assert names(await take_one(outbox, Destination("new", "one"))) == ["one"]


async def test_what_waits_or_is_not_there_cannot_be_replayed(outbox):
    await put(outbox, group("one"))
    with pytest.raises(ValueError, match="still pending"):
        await outbox.replay(1, now=NOW, force=True)
    with pytest.raises(LookupError):
        await outbox.replay(2, now=NOW)


async def test_a_dead_or_waiting_delivery_can_be_discarded(outbox):
    await kill(outbox, group("one"))
    await put(outbox, group("two"))

    for delivery in (1, 2):
        await outbox.discard(delivery, now=NOW)
        with pytest.raises(LookupError):
            await outbox.discard(delivery, now=NOW)

    assert await outbox.deliveries() == []
    assert await take(outbox) == []
    await put(outbox, group("three"))
    assert names(await take_one(outbox)) == ["three"]


async def test_what_was_delivered_or_is_being_sent_cannot_be_discarded(outbox):
    await put(outbox, group("one"))
    claim = await take_one(outbox)
    with pytest.raises(ValueError, match="being sent"):
        await outbox.discard(1, now=NOW)
    await put(outbox, group("two"))
    await outbox.discard(2, now=NOW)  # behind the one that is being sent

    await end(outbox, claim, Verdict.DELIVERED)
    with pytest.raises(ValueError, match="delivered"):
        await outbox.discard(1, now=NOW)
    assert await take(outbox) == []


async def test_discarding_part_of_a_batch_in_doubt_leaves_the_rest_under_its_id(outbox):
    await put(outbox, group("one"), group("two"))
    first = await take_one(outbox)
    await put(outbox, group("three"))
    await end(outbox, first, Verdict.DOUBT)
    await outbox.discard(2, now=NOW)

    second = await take_one(outbox)
    assert (names(second), second.id) == (["one"], first.id)

    await end(outbox, second, Verdict.DOUBT)
    await outbox.discard(1, now=NOW)
    third = await take_one(outbox)
    assert (names(third), third.resent) == (["three"], False)
    assert third.id != first.id


async def test_discarding_what_a_dead_process_was_sending(outbox):
    await put(outbox, group("one"))
    claim = await take_one(outbox)
    await outbox.discard(1, now=NOW + LEASE)
    assert await take(outbox, now=NOW + LEASE) == []
    await end(outbox, claim, Verdict.DELIVERED)
    assert await outbox.deliveries() == []


async def test_a_delivery_that_is_discarded_while_it_is_read_is_unknown(tmp_path, monkeypatch):
    outbox = await open_postgres(tmp_path)
    await kill(outbox, group("one"))
    [row] = await outbox.deliveries()
    rows = PostgresSession.rows

    async def then_discarded(session, name, *rest):
        found = await rows(session, name, *rest)
        if name == "rows":
            await outbox.discard(row.id, now=NOW)
        return found

    monkeypatch.setattr(PostgresSession, "rows", then_discarded)
    assert await outbox.show(row.id) is None
    await outbox.close()
