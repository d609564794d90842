"""What waits for a destination that takes nothing is told elsewhere as well."""

from alert_router.outbox.model import Destination, Verdict
from tests.outbox.kit import NOW, A, B, end, failing, group, names, put, take, take_one

MAIL = Destination("backup", "email")
PAGER = Destination("backup", "pager")


async def fail(outbox, *, at=NOW, verdict=Verdict.RETRY, concerns_destination=True, to=A):
    """One attempt that ends so; the lane is due again at once."""
    claim = await take_one(outbox, to, now=at)
    before = await outbox.health(to)
    health = failing(before.failing_since or at) if concerns_destination else None
    await end(outbox, claim, verdict, now=at, due_at=at, health=health)


async def divert(outbox, *to, at=NOW + 600, after=600.0):
    return await outbox.divert(A, to or (MAIL,), failing_before=at - after, now=at)


async def test_what_waits_is_told_elsewhere_once_it_has_failed_long_enough(outbox):
    await put(outbox, group("g1", lane="one"), group("g2", lane="two"))
    await fail(outbox)
    assert await divert(outbox, at=NOW + 599) == 0
    assert await divert(outbox) == 2
    claims = await take(outbox, MAIL, now=NOW + 600)
    assert sorted(name for claim in claims for name in names(claim)) == ["g1", "g2"]
    assert {waiting.instead_of for claim in claims for waiting in claim.groups} == {A}


async def test_it_still_waits_where_it_was_meant_for(outbox):
    await put(outbox, group("g1"))
    await fail(outbox)
    await divert(outbox)
    claim = await take_one(outbox, now=NOW + 600)
    assert names(claim) == ["g1"]
    assert claim.groups[0].instead_of is None


async def test_each_delivery_is_diverted_once_and_what_comes_later_too(outbox):
    await put(outbox, group("g1"))
    await fail(outbox)
    assert await divert(outbox) == 1
    assert await divert(outbox) == 0
    await put(outbox, group("g2", at=NOW + 700))
    assert await divert(outbox, at=NOW + 700) == 1
    assert names(await take_one(outbox, MAIL, now=NOW + 700)) == ["g1", "g2"]


async def test_a_success_ends_it(outbox):
    await put(outbox, group("g1", lane="one"), group("g2", lane="two"))
    await fail(outbox)
    await fail(outbox, verdict=Verdict.DELIVERED, concerns_destination=False)
    assert await divert(outbox) == 0
    await fail(outbox, at=NOW + 500)
    assert await divert(outbox) == 0, "it fails anew, and not for long"
    assert await divert(outbox, at=NOW + 1100) == 1


async def test_a_message_that_is_refused_says_nothing_of_the_destination(outbox):
    await put(outbox, group("g1"))
    await fail(outbox, concerns_destination=False)
    assert await divert(outbox) == 0


async def test_what_stands_for_another_is_not_diverted_again(outbox):
    await put(outbox, group("g1"))
    await fail(outbox)
    await divert(outbox)
    await fail(outbox, to=MAIL, at=NOW + 600)
    late = NOW + 6000
    assert await outbox.divert(MAIL, (A,), failing_before=late - 600, now=late) == 0


async def test_whoever_is_told_anyway_is_not_told_twice(outbox):
    await put(outbox, group("g1", A, MAIL))
    await fail(outbox)
    await divert(outbox, MAIL, PAGER)
    (claim,) = await take(outbox, MAIL, now=NOW + 600)
    assert [waiting.instead_of for waiting in claim.groups] == [None]
    assert names(await take_one(outbox, PAGER, now=NOW + 600)) == ["g1"]


async def test_since_when_it_fails_outlives_a_restart(open_outbox, tmp_path):
    outbox = await open_outbox(tmp_path)
    await put(outbox, group("g1"))
    await fail(outbox)
    await fail(outbox, at=NOW + 60)
    await outbox.close()
    again = await open_outbox(tmp_path)
    (backlog,) = [row for row in await again.backlog() if row.destination == A]
    assert backlog.health.failing_since == NOW
    assert await divert(again) == 1
    await again.close()


async def test_more_than_one_transaction_holds_is_diverted_whole(outbox):
    await put(outbox, *(group(f"g{n}", lane=f"l{n}") for n in range(1203)))
    await fail(outbox)
    assert await divert(outbox) == 1203


async def test_a_destination_that_nobody_knows_has_nothing_to_divert(outbox):
    assert await outbox.divert(B, (MAIL,), failing_before=NOW, now=NOW) == 0
    await put(outbox, group("g1"))
    await fail(outbox)
    assert await outbox.divert(A, (), failing_before=NOW + 1, now=NOW + 2) == 0
