"""A message is changed once people did something: once, later than everything that is pending, and
never to something older than what was sent last."""

import asyncio

import pytest

from alert_router.fields import Rate
from alert_router.outbox.base import Outbox
from alert_router.outbox.model import CHANGES_APART, ActionKind, Claim, Verdict
from tests.outbox.kit import LEASE, NOW, A, B, end, group, names, open_postgres, put, take
from tests.outbox.test_actions import IDENTITY, action

LATER = NOW + 100


async def sent(outbox: Outbox, *groups: str, reference: str | None = "message-1") -> None:
    """What was sent as one message."""
    await put(outbox, *(group(name) for name in groups))
    [claim] = await take(outbox)
    await end(outbox, claim, Verdict.DELIVERED, reference=reference)


async def to_change(outbox: Outbox, now: float = LATER, **more: object) -> list[Claim]:
    return await outbox.claim(
        A, owner="service", limit=10, now=now, lease=LEASE, fold=True, changes=True, **more
    )  # type: ignore[arg-type]


async def test_an_action_has_the_message_changed_once(outbox):
    await sent(outbox, "one", "two")
    assert await to_change(outbox) == []

    await outbox.act(IDENTITY, action(ActionKind.TAKE, after=50))
    [claim] = await to_change(outbox)

    assert (claim.only_change, claim.has_actions, claim.resent) == (True, True, False)
    assert (claim.reference, names(claim)) == ("message-1", ["one", "two"])
    assert await to_change(outbox) == []
    await end(outbox, claim, Verdict.DELIVERED, now=LATER, reference="message-2")
    assert await to_change(outbox) == []
    await put(outbox, group("three"))
    [claim] = await take(outbox)
    assert (claim.reference, claim.only_change, claim.has_actions) == ("message-2", False, True)


async def test_a_change_is_not_due_to_who_does_not_ask_for_changes(outbox):
    await sent(outbox, "one")
    await outbox.act(IDENTITY, action())

    assert await take(outbox, now=LATER) == []
    assert len(await to_change(outbox)) == 1


async def test_actions_that_follow_each_other_are_one_change_a_few_seconds_later(outbox):
    await sent(outbox, "one")
    await outbox.act(IDENTITY, action(after=50, step="s1"))
    [claim] = await to_change(outbox, NOW + 50)
    await end(outbox, claim, Verdict.DELIVERED, now=NOW + 51)

    for number in range(2, 5):
        await outbox.act(IDENTITY, action(after=50 + number, step=f"s{number}"))

    assert await to_change(outbox, NOW + 51 + CHANGES_APART - 0.1) == []
    assert len(await to_change(outbox, NOW + 51 + CHANGES_APART)) == 1


async def test_an_action_while_the_message_is_being_changed_changes_it_again(outbox):
    await sent(outbox, "one")
    await outbox.act(IDENTITY, action(after=50, step="s1"))
    [claim] = await to_change(outbox)
    await outbox.act(IDENTITY, action(after=51, step="s2"))
    assert await to_change(outbox) == []

    await end(outbox, claim, Verdict.DELIVERED, now=LATER)

    assert len(await to_change(outbox, LATER + CHANGES_APART)) == 1


async def test_an_action_while_the_first_message_is_being_sent_changes_it_afterwards(outbox):
    await put(outbox, group("one", A, B))
    [claim], [other] = await take(outbox), await take(outbox, B)
    await outbox.act(IDENTITY, action(after=0))

    await end(outbox, claim, Verdict.DELIVERED, reference="message-1")
    await end(outbox, other, Verdict.DELIVERED)  # tells nothing of where its message is

    assert len(await to_change(outbox)) == 1
    more = {"owner": "service", "limit": 1, "now": LATER, "lease": LEASE, "fold": True}
    assert await outbox.claim(B, changes=True, **more) == []


async def test_a_notification_that_is_pending_goes_first_and_says_it_too(outbox):
    await sent(outbox, "one")
    await outbox.act(IDENTITY, action())
    await put(outbox, group("two"), group("elsewhere", lane="elsewhere"))

    claims = await to_change(outbox)

    assert sorted(map(names, claims)) == [["elsewhere"], ["two"]]
    assert not any(claim.only_change for claim in claims)
    for claim in claims:
        assert claim.has_actions == (names(claim) == ["two"])
        await end(outbox, claim, Verdict.DELIVERED, now=LATER)
    assert await to_change(outbox, LATER + 100) == []


async def test_what_fires_while_the_message_is_being_changed_follows_at_once(outbox):
    await sent(outbox, "one")
    await outbox.act(IDENTITY, action())
    [claim] = await to_change(outbox)
    await put(outbox, group("two"))
    assert await to_change(outbox) == []

    await end(outbox, claim, Verdict.RETRY, now=LATER, due_at=LATER + 30)

    [claim] = await to_change(outbox)
    assert (names(claim), claim.only_change, claim.attempt) == (["two"], False, 1)


@pytest.mark.parametrize("verdict", [Verdict.RETRY, Verdict.DOUBT])
async def test_a_change_that_failed_is_tried_again_and_concerns_nothing_else(outbox, verdict):
    await sent(outbox, "one")
    await outbox.act(IDENTITY, action())
    [claim] = await to_change(outbox)

    await end(outbox, claim, verdict, now=LATER, due_at=LATER + 30)

    assert await to_change(outbox, LATER + 29) == []
    [row] = await outbox.deliveries()
    assert (row.state, row.reason) == ("delivered", "")
    [claim] = await to_change(outbox, LATER + 30)
    assert (claim.only_change, claim.resent) == (True, False)


async def test_a_change_that_nobody_settled_is_made_after_a_restart(outbox):
    await sent(outbox, "one")
    await outbox.act(IDENTITY, action())
    [lost] = await to_change(outbox)

    assert await outbox.recover("service") == 1

    [claim] = await to_change(outbox)
    assert (claim.only_change, claim.crashes, claim.resent) == (True, 1, False)
    assert not await end(outbox, lost, Verdict.DELIVERED)
    await end(outbox, claim, Verdict.DELIVERED, now=LATER)
    assert await to_change(outbox, LATER + 100) == []


async def test_after_a_restart_what_fired_meanwhile_replaces_the_change(outbox):
    await sent(outbox, "one")
    await outbox.act(IDENTITY, action())
    [lost] = await to_change(outbox)
    await put(outbox, group("two"))
    await outbox.recover("service")

    [claim] = await to_change(outbox)

    assert (names(claim), claim.only_change, claim.resent) == (["two"], False, False)
    assert claim.id != lost.id
    assert claim.has_actions


@pytest.mark.parametrize(
    ("verdict", "reason"), [(Verdict.DEAD, "rejected"), (Verdict.DROPPED, "send_resolved")]
)
async def test_a_message_that_missed_the_latest_state_is_left_alone(outbox, verdict, reason):
    await sent(outbox, "one")
    await put(outbox, group("resolved"))
    [claim] = await take(outbox)
    await end(outbox, claim, verdict, reason=reason)

    await outbox.act(IDENTITY, action())

    assert await to_change(outbox) == []
    await put(outbox, group("three"))
    assert [names(claim) for claim in await to_change(outbox)] == [["three"]]


async def test_what_is_discarded_while_the_message_is_being_changed_does_not_free_the_lane(outbox):
    await sent(outbox, "one")
    await outbox.act(IDENTITY, action())
    [claim] = await to_change(outbox)
    await put(outbox, group("two"))
    [row, _] = await outbox.deliveries()
    await outbox.discard(row.id, now=LATER)
    await put(outbox, group("three"))

    assert await to_change(outbox) == []

    assert await end(outbox, claim, Verdict.DELIVERED, now=LATER)
    assert [names(claim) for claim in await to_change(outbox)] == [["three"]]


async def test_what_is_discarded_before_others_leaves_a_running_change_its_lease(outbox):
    await sent(outbox, "one")
    await outbox.act(IDENTITY, action())
    [claim] = await to_change(outbox)
    await put(outbox, group("two"), group("three"))
    [_, row, _] = await outbox.deliveries()
    await outbox.discard(row.id, now=LATER)

    assert await end(outbox, claim, Verdict.DELIVERED, now=LATER)
    assert [names(claim) for claim in await to_change(outbox)] == [["three"]]


async def test_a_notification_that_says_it_too_counts_once_for_the_rate(outbox):
    await sent(outbox, "one")
    await outbox.act(IDENTITY, action())
    await put(outbox, group("two"))
    [claim] = await to_change(outbox)
    await end(outbox, claim, Verdict.DELIVERED, now=LATER)

    assert await outbox.sent(A, since=LATER - 60, now=LATER) == [LATER]


async def test_changes_count_for_the_rate(outbox):
    await sent(outbox, "one")
    await outbox.act(IDENTITY, action())
    [claim] = await to_change(outbox, rate=Rate(2, 60.0))
    await end(outbox, claim, Verdict.DELIVERED, now=LATER)

    assert await outbox.sent(A, since=LATER - 60, now=LATER) == [LATER]


async def test_an_opinion_changes_no_message(outbox):
    await sent(outbox, "one")

    await outbox.act(IDENTITY, action(ActionKind.HELPED))

    assert await to_change(outbox) == []


async def test_a_message_whose_deliveries_were_pruned_is_left_alone(outbox):
    await sent(outbox, "one")
    await outbox.act(IDENTITY, action())
    more = {"delivered_before": NOW + 10, "dead_before": NOW, "limit": 10}
    while await outbox.prune(**more):
        pass

    assert await to_change(outbox) == []


async def test_a_secret_is_made_once_and_stays(open_outbox, tmp_path):
    first = await open_outbox(tmp_path)
    made = await first.secret("links")
    other = await first.secret("another")
    await first.close()
    again = await open_outbox(tmp_path)
    assert (await again.secret("links"), await again.secret("another")) == (made, other)
    await again.close()
    assert len(made) == 32
    assert made != other


async def test_large_messages_are_changed_as_a_whole_and_few_at_a_time(outbox):
    large = b"x" * (3 * 1024 * 1024)
    for lane in ("lane", "other"):
        await put(outbox, group(f"{lane} 1", lane=lane, body=b"1"))
        await put(outbox, group(f"{lane} 2", lane=lane, body=large))
        [claim] = await take(outbox)
        await end(outbox, claim, Verdict.DELIVERED, reference=lane)
        await outbox.act(lane.encode(), action())

    found = []
    for _ in range(2):
        [claim] = await to_change(outbox)
        found.append(names(claim))
        await end(outbox, claim, Verdict.DELIVERED, now=LATER)

    assert sorted(found) == [["lane 1", "lane 2"], ["other 1", "other 2"]]


async def test_of_two_services_one_changes_the_message(tmp_path):
    first, second = [await open_postgres(tmp_path), await open_postgres(tmp_path)]
    await sent(first, "one")
    await second.act(IDENTITY, action())

    claims = await asyncio.gather(to_change(first), to_change(second))

    assert sorted(map(len, claims)) == [0, 1]
    secrets = await asyncio.gather(first.secret("links"), second.secret("links"))
    assert secrets[0] == secrets[1]
    await first.close()
    await second.close()
