"""Accepting, and what is a duplicate."""

import asyncio

import pytest

from alert_router.outbox.base import StoreUnavailable
from alert_router.outbox.model import Accepted, State
from tests.outbox.kit import NOW, A, B, group, names, put, take, take_one

WINDOW = 300.0


async def test_a_group_becomes_a_delivery_for_each_destination(outbox):
    assert await outbox.accept(group("one", A, B, body=b"\x00raw"), WINDOW) == Accepted(
        "one", duplicate=False
    )

    for destination in (A, B):
        claim = await take_one(outbox, destination)
        [waiting] = claim.groups
        assert (waiting.group, waiting.body, waiting.fingerprints, waiting.accepted_at) == (
            "one",
            b"\x00raw",
            ("fp-one",),
            NOW,
        )


async def test_the_same_again_is_a_duplicate_and_names_the_accepted_id(outbox):
    await outbox.accept(group("one", says="x"), WINDOW)

    again = await outbox.accept(group("two", says="x", at=NOW + 10), WINDOW)

    assert again == Accepted("one", duplicate=True)
    assert names(await take_one(outbox)) == ["one"]


async def test_a_duplicate_does_not_prolong_the_window(outbox):
    await outbox.accept(group("one", says="x"), WINDOW)
    assert (await outbox.accept(group("two", says="x", at=NOW + 200), WINDOW)).duplicate
    assert (await outbox.accept(group("three", says="x", at=NOW + 300), WINDOW)).duplicate
    assert not (await outbox.accept(group("four", says="x", at=NOW + 301), WINDOW)).duplicate


async def test_firing_resolved_firing_is_three_messages(outbox):
    for name, says in (("one", "firing"), ("two", "resolved"), ("three", "firing")):
        assert not (await outbox.accept(group(name, says=says), WINDOW)).duplicate

    assert names(await take_one(outbox)) == ["one", "two", "three"]


async def test_a_repeat_is_no_duplicate_but_what_it_says_is_remembered(outbox):
    await outbox.accept(group("one", says="x"), WINDOW)
    repeat = group("two", says="x", at=NOW + 200, is_repeat=True)

    assert await outbox.accept(repeat, WINDOW) == Accepted("two", duplicate=False)
    assert (await outbox.accept(group("three", says="x", at=NOW + 400), WINDOW)).id == "two"


async def test_other_identities_are_no_duplicates(outbox):
    await outbox.accept(group("one", says="x", lane="a"), WINDOW)
    assert not (await outbox.accept(group("two", says="x", lane="b"), WINDOW)).duplicate


async def test_without_a_window_nothing_is_a_duplicate(outbox):
    await outbox.accept(group("one", says="x"), 0.0)
    assert not (await outbox.accept(group("two", says="x"), 0.0)).duplicate


async def test_a_clock_set_back_does_not_make_everything_a_duplicate(outbox):
    await outbox.accept(group("one", says="x", at=NOW + 86_400), WINDOW)
    assert not (await outbox.accept(group("two", says="x"), WINDOW)).duplicate


async def test_of_two_at_once_one_is_the_duplicate(outbox):
    answers = await asyncio.gather(
        *(outbox.accept(group(name, says="x"), WINDOW) for name in ("one", "two"))
    )
    assert sorted(answer.duplicate for answer in answers) == [False, True]
    assert len({answer.id for answer in answers}) == 1


async def test_those_of_one_identity_that_come_at_once_are_taken_in_their_order(outbox):
    at_once = [
        group("one", says="x"),
        group("other", lane="another"),
        group("two", says="y"),
        group("three", says="y"),
    ]

    answers = await asyncio.gather(*(outbox.accept(each, WINDOW) for each in at_once))

    assert [answer.id for answer in answers] == ["one", "other", "two", "two"]
    assert [answer.duplicate for answer in answers] == [False, False, False, True]
    claims = await take(outbox)
    assert sorted(names(claim) for claim in claims) == [["one", "two"], ["other"]]


async def test_of_many_that_come_at_once_each_keeps_its_own_body_and_destinations(outbox):
    await outbox.accept(group("known", A, says="x"), WINDOW)  # its identity is group's own
    numbers = range(150)
    storm = [
        group(f"{number}", *((A, B) if number % 3 else (B,)), lane=f"{number}",
              body=b"body %d" % number)
        for number in numbers
    ]  # fmt: skip
    storm.insert(70, group("changed", A, says="y"))

    answers = await asyncio.gather(*(outbox.accept(each, WINDOW) for each in storm))

    assert [answer.id for answer in answers] == [each.id for each in storm]
    for destination in (A, B):
        claims = await take(outbox, destination, limit=200)
        waiting = [one for claim in claims for one in claim.groups]
        bodies = {one.group: one.body for one in waiting if one.group.isdigit()}
        assert bodies == {
            f"{number}": b"body %d" % number for number in numbers if destination == B or number % 3
        }
        assert len(waiting) == len(bodies) + (2 if destination == A else 0)


async def test_a_group_for_nobody_is_remembered_all_the_same(outbox):
    nobody = group("one", says="x")
    nobody = type(nobody)(**{f: getattr(nobody, f) for f in nobody.__slots__} | {"targets": ()})

    assert await outbox.accept(nobody, WINDOW) == Accepted("one", duplicate=False)
    assert (await outbox.accept(nobody, WINDOW)).duplicate
    assert await outbox.deliveries() == []


async def test_a_group_that_cannot_be_stored_harms_no_other(outbox):
    bad = group("bad", body="text, where bytes belong \ud800")  # type: ignore[arg-type]

    async def accept(one):
        return await outbox.accept(one, WINDOW)

    good = [group(f"good{n}", lane=f"{n}") for n in range(5)]
    results = await asyncio.gather(
        *(accept(one) for one in [*good[:2], bad, *good[2:]]), return_exceptions=True
    )

    refused = results.pop(2)
    assert isinstance(refused, Exception)
    assert not isinstance(refused, StoreUnavailable)
    assert [result.id for result in results] == [one.id for one in good]
    assert {row.group for row in await outbox.deliveries()} == {one.id for one in good}


async def test_what_a_cancelled_caller_wanted_does_not_disturb_the_others(outbox):
    tasks = [asyncio.create_task(outbox.accept(group(f"{n}", lane=f"{n}"), 0)) for n in range(9)]
    await asyncio.sleep(0)
    tasks[3].cancel()

    done = await asyncio.gather(*tasks, return_exceptions=True)

    assert isinstance(done[3], asyncio.CancelledError)
    assert all(isinstance(one, Accepted) for n, one in enumerate(done) if n != 3)


async def test_what_was_accepted_is_there_after_a_restart(open_outbox, tmp_path):
    first = await open_outbox(tmp_path)
    await put(first, group("one"), group("two"))
    await first.close()

    second = await open_outbox(tmp_path)
    rows = await second.deliveries()
    assert [(row.group, row.state) for row in rows] == [
        ("two", State.WAITING),
        ("one", State.WAITING),
    ]
    assert (await second.accept(group("again", says="two"), WINDOW)).id == "two"
    await second.close()


async def test_a_closed_store_says_so(open_outbox, tmp_path):
    outbox = await open_outbox(tmp_path)
    await outbox.close()
    await outbox.close()
    with pytest.raises(StoreUnavailable, match="closed"):
        await take(outbox)
