"""What people do about a group is kept once, in order, and read with the group's history."""

import asyncio
from dataclasses import replace

import pytest

from alert_router.outbox.model import MOST_ACTIONS, Action, ActionKind, Verdict
from alert_router.outbox.postgres.pool import PostgresSession
from tests.outbox.kit import NOW, A, B, end, group, open_postgres, put, put_many, take, take_one

IDENTITY = b"lane"


def action(kind: ActionKind = ActionKind.TICK, who: str = "Ana", after: float = 60, **more: str):
    about = {"runbook": "alerts/x", "revision": "r1", "step": "s1", "title": "Look"}
    if kind in (ActionKind.TAKE, ActionKind.RELEASE):
        about = {}
    return Action(kind, who, NOW + after, NOW, **(about | more))


async def test_a_tick_is_kept_once_until_it_is_taken_back(outbox):
    await put(outbox, group("one"))
    tick, untick = action(), action(ActionKind.UNTICK, after=90)

    kept = [await outbox.act(IDENTITY, one) for one in (untick, tick, tick, untick, untick, tick)]

    assert kept == [False, True, False, True, False, True]
    found = await outbox.history("one")
    assert [one.kind for one in found.actions] == ["tick", "tick", "untick"]


async def test_somebody_else_can_take_a_group_over_but_nobody_takes_it_twice(outbox):
    await put(outbox, group("one"))
    takes = [action(ActionKind.TAKE, who) for who in ("Ana", "Ana", "Ben", "Ana")]

    assert [await outbox.act(IDENTITY, one) for one in takes] == [True, False, True, True]


async def test_each_person_has_one_opinion_at_a_time(outbox):
    yes, no = action(ActionKind.HELPED, step=""), action(ActionKind.NOT_HELPED, "Ben", step="")

    kept = [await outbox.act(IDENTITY, one) for one in (yes, no, yes, replace(yes, who="Ben"))]

    assert kept == [True, True, False, True]


async def test_actions_about_one_group_are_bounded(outbox):
    for number in range(MOST_ACTIONS):
        await outbox.act(IDENTITY, action(step=f"s{number}"))

    with pytest.raises(ValueError, match="already"):
        await outbox.act(IDENTITY, action(step="one more"))


@pytest.mark.parametrize("after", ["identity_of_group", "groups_of_identity"])
async def test_a_group_that_is_pruned_while_its_page_is_made_is_unknown(
    tmp_path, monkeypatch, after
):
    outbox = await open_postgres(tmp_path)
    await put(outbox, group("one"))
    await end(outbox, await take_one(outbox), Verdict.DELIVERED)
    rows = PostgresSession.rows

    async def then_pruned(session, name, *rest):
        found = await rows(session, name, *rest)
        if name == after:
            await outbox.prune(delivered_before=NOW + 1, dead_before=NOW + 1, limit=9)
        return found

    monkeypatch.setattr(PostgresSession, "rows", then_pruned)
    assert await outbox.history("one") is None
    await outbox.close()


async def test_history_has_all_groups_of_one_identity_with_their_deliveries(outbox):
    await put(
        outbox,
        group("one", A, B, at=NOW),
        group("other", A, lane="other lane"),
        group("two", A, at=NOW + 60),
    )
    await outbox.act(IDENTITY, action())

    found = await outbox.history("one")

    assert found == await outbox.history("two")
    assert found.identity == IDENTITY
    assert [(one.id, one.body) for one in found.groups] == [("one", b"one"), ("two", b"two")]
    assert [row.group for row in found.deliveries] == ["one", "one", "two"]
    assert len(found.actions) == 1
    assert await outbox.history("three") is None


async def test_large_bodies_are_left_out_of_a_history_but_never_the_latest(outbox):
    large = b"x" * (5 * 1024 * 1024)
    await put(outbox, *(group(name, body=large) for name in ("one", "two", "three")))

    found = await outbox.history("one")

    assert [one.body is None for one in found.groups] == [True, True, False]


async def sinces(outbox, asked):
    """Seconds after NOW since when each kept group fires; None where that is not known."""
    groups = (await outbox.history(asked)).groups
    return {one.id: one.since - NOW if one.since else None for one in groups}


async def test_groups_know_since_when_it_fires_until_all_is_resolved(outbox):
    firing = [group(name, at=NOW + at) for name, at in (("one", 0), ("two", 60), ("four", 180))]
    over = group("three", at=NOW + 120, is_over=True)
    elsewhere = group("other", lane="other", at=NOW + 200)

    await put(outbox, *firing[:2], over, firing[2], elsewhere)

    assert await sinces(outbox, "one") == {"one": 0, "two": 0, "three": 0, "four": 180}
    assert [one.since for one in await outbox.latest(0, 9)] == [
        *(NOW,) * 3, NOW + 180, NOW + 200
    ]  # fmt: skip


async def test_groups_that_are_accepted_at_once_know_since_when_it_fires(outbox):
    parts = [("a", 0, False), ("b", 1, True), ("c", 2, False), ("d", 3, False)]
    groups = [group(name, at=NOW + at, is_over=over) for name, at, over in parts]

    await asyncio.gather(*(outbox.accept(one, 0.0) for one in groups))

    assert await sinces(outbox, "a") == {"a": 0, "b": 0, "c": 2, "d": 2}


async def test_a_repeated_end_and_a_group_for_nobody_change_nothing(outbox):
    await put(outbox, group("one"))
    await put(outbox, replace(group("nobody", at=NOW + 9), targets=()))
    await put(outbox, group("two", at=NOW + 10), group("end", at=NOW + 20, is_over=True))
    repeated = group("end again", says="end", at=NOW + 30, is_over=True)
    assert (await outbox.accept(repeated, 300)).duplicate
    await put(outbox, group("three", at=NOW + 40))

    assert await sinces(outbox, "one") == {"one": 0, "two": 0, "end": 0, "three": 40}


async def test_the_beginning_is_known_however_many_notifications_follow(outbox):
    await put_many(outbox, [group(f"g{n}", at=NOW + n) for n in range(300)])

    found = await outbox.history("g299")
    assert (len(found.groups), found.groups[0].since) == (200, NOW)
    asked = (await outbox.history("g0")).groups
    assert [one.id for one in asked[:2]] == ["g0", "g100"]
    assert {one.since for one in asked} == {NOW}


async def test_the_beginning_is_known_after_its_groups_were_pruned(outbox):
    await put(outbox, group("one", is_over=True), group("two", at=NOW + 60))
    await end(outbox, await take_one(outbox), Verdict.DELIVERED)
    await put(outbox, group("three", at=NOW + 120))

    await outbox.prune(delivered_before=NOW + 1, dead_before=NOW + 1, limit=100)
    await put(outbox, group("four", at=NOW + 180))

    assert await sinces(outbox, "four") == {"three": 60, "four": 60}


async def test_what_an_earlier_version_accepted_makes_it_unknown_until_all_is_resolved(tmp_path):
    outbox = await open_postgres(tmp_path)
    await put(outbox, group("one"))
    await outbox._run(accept_as_before, group("earlier", at=NOW + 60))
    await put(
        outbox,
        group("two", at=NOW + 120),
        group("end", at=NOW + 180, is_over=True),
        group("three", at=NOW + 240),
    )

    known = {"one": 0, "two": None, "end": None, "three": 240}
    assert await sinces(outbox, "one") == known
    await outbox.close()


async def accept_as_before(session, earlier):
    """What version 5 of the tables has a router do about an identity."""
    await session.connection.execute(
        "UPDATE identity SET content = $1, group_id = $2, accepted_at = $3 WHERE digest = $4",
        earlier.content, earlier.id, earlier.accepted_at, earlier.identity,
    )  # fmt: skip


async def test_no_group_has_the_number_of_one_that_is_gone(outbox):
    last = 0
    for number in range(4):
        new = [group(f"{number}-{name}", lane=name) for name in "ab"]
        await asyncio.gather(*(outbox.accept(one, 0.0) for one in new[: number % 2 + 1]))
        await put(outbox, group(f"{number}-again", lane="a"))  # of an identity that is known
        found = await outbox.latest(last, 9)
        assert found[-1].id == f"{number}-again"
        assert len(found) == number % 2 + 2
        last = found[-1].seq
        for claim in await take(outbox):
            await end(outbox, claim, Verdict.DELIVERED)
        await outbox.prune(delivered_before=NOW + 1, dead_before=NOW + 1, limit=100)
        assert await outbox.latest(0, 9) == []


async def test_the_latest_groups_are_read_in_order_and_each_once(outbox):
    await put(outbox, *(group(f"g{number}", A, B, lane=f"{number}") for number in range(5)))

    first = await outbox.latest(0, 3)
    rest = await outbox.latest(first[-1].seq, 3)

    assert [one.id for one in (*first, *rest)] == ["g0", "g1", "g2", "g3", "g4"]
    assert first[1].identity == b"1"


async def test_usage_counts_ticks_by_revision_and_step(outbox):
    for number in range(3):
        tick = action(after=60 * (number + 1))
        await outbox.act(str(number).encode(), tick)
    await outbox.act(IDENTITY, action(revision="r0", after=5))
    await outbox.act(IDENTITY, action(runbook="another"))

    found = await outbox.usage("alerts/x")

    assert [(one.revision, one.step, one.count, one.after) for one in found] == [
        ("r1", "s1", 3, 120.0),
        ("r0", "s1", 1, 5.0),
    ]


async def test_actions_are_forgotten_after_their_time(outbox):
    await outbox.act(b"1", action(after=10))
    await outbox.act(b"2", action(after=20))

    assert await outbox.forget_actions(before=NOW + 15, limit=100) == 1
    assert [identity for identity, _ in await outbox.actions_since(0, 10)] == [b"2"]
