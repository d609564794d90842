"""A router that goes from the shared store to its spool and back."""

import asyncio
import re
import signal
from dataclasses import replace
from pathlib import Path

import pytest
from structlog.testing import capture_logs

from alert_router.fields import Rate
from alert_router.outbox import spooled
from alert_router.outbox.base import StoreUnavailable
from alert_router.outbox.model import (
    Action,
    ActionKind,
    DeliveryFilter,
    Health,
    HeartbeatState,
    Observation,
    Role,
    Settlement,
    State,
    Verdict,
    day_of,
)
from alert_router.outbox.spooled import SpooledOutbox
from tests.outbox.kit import (
    NOW,
    A,
    end,
    group,
    names,
    open_postgres,
    open_sqlite,
    put,
    take,
    take_one,
)
from tests.postgres import server
from tests.programs import PATIENCE, eventually
from tests.speed import clock_of_the_loop


def unhurried(monkeypatch):
    """No router looks after its spool unless the test says so, nor takes a busy machine for a
    database that does not answer."""
    for limit in "_LOOK_EVERY", "_ACCEPT_SECONDS", "_PAUSED_SECONDS", "_MOVE_SECONDS":
        monkeypatch.setattr(spooled, limit, 3600.0)


@pytest.fixture
async def up(tmp_path, monkeypatch):
    """One that uses the shared store, and looks after its spool only if the test says so."""
    unhurried(monkeypatch)
    shared = await open_postgres(tmp_path)
    outbox = SpooledOutbox(shared, await open_sqlite(tmp_path))
    await outbox.start()
    yield outbox
    await outbox.close()


async def too_late(*_args, **_more):
    raise StoreUnavailable("the store has not answered within 5 s")


async def test_messages_of_the_spool_say_what_people_did(tmp_path):
    shared = await open_postgres(tmp_path)
    outbox = SpooledOutbox(shared, await open_sqlite(tmp_path))
    outbox._go_down("it was never up")
    try:
        await put(outbox, group("one"))
        await end(outbox, await take_one(outbox), Verdict.DELIVERED, reference="message-1")
        assert await outbox.act(b"lane", Action(ActionKind.TAKE, "Ana", NOW + 9, NOW))
        wanted = {"owner": "s", "limit": 1, "lease": 60, "fold": True, "changes": True}
        [claim] = await outbox.claim(A, now=NOW + 60, **wanted)
        assert claim.only_change
        assert await end(outbox, claim, Verdict.DELIVERED, now=NOW + 60)
        assert await outbox.claim(A, now=NOW + 120, **wanted) == []
    finally:
        await outbox.close()


async def test_a_pause_stays_when_the_store_changes_until_it_ends(tmp_path):
    shared = await open_postgres(tmp_path)
    await shared.prepare(Role.SERVICE)
    outbox = SpooledOutbox(shared, await open_sqlite(tmp_path))
    await outbox.start()
    try:
        now = outbox.now()
        for store, seconds in (("shared", 60), ("spool", 120)):
            await put(outbox, group(store, lane=store, at=now))
            asked = Health(now, 1, "rate_limited", "429", now + seconds, now + seconds)
            claim = await take_one(outbox, now=now + (100 if store == "spool" else 0))
            retry = Settlement(Verdict.RETRY, now, due_at=now, health=asked)
            assert await outbox.settle(claim, retry)
            assert await outbox.health(A) == asked
            if store == "shared":
                outbox._go_down("the test says so")
                assert outbox.is_spooling
                assert await outbox.health(A) == asked
        await outbox._come_up()
        assert not outbox.is_spooling
        assert await outbox.health(A) == asked
        outbox._shared.database.offset += 121
        assert await outbox.health(A) != asked
    finally:
        await outbox.close()


async def test_what_was_sent_before_an_outage_counts_for_the_rate(up):
    rate, now = Rate(3, 3600.0), up.now()
    wanted = {"since": now - rate.seconds, "now": now}
    await put(up, group("one", at=now))
    assert await up.sent(A, **wanted) == []
    assert len(await take(up, now=now, rate=rate)) == 1

    up._go_down("the test says so")

    assert await up.sent(A, **wanted) == [now]
    await put(up, group("two", at=now))
    await end(up, await take_one(up, now=now), Verdict.DELIVERED, now=now)
    assert await up.sent(A, **wanted) == [now, now]
    assert await up.sent(A, since=now, now=now + rate.seconds) == []


async def test_a_webhook_is_in_the_spool_after_the_seconds_that_the_documentation_promises(
    tmp_path, monkeypatch
):
    """Also where it waits for others that wait for the database."""
    page = (Path(__file__).parents[2] / "docs/scaling.md").read_text()
    [promised] = re.findall(r"no answer to a webhook within ([\d.]+) seconds", page)
    monkeypatch.setattr(spooled, "_PAUSED_SECONDS", 3600.0)  # however busy this machine is
    outbox = SpooledOutbox(await open_postgres(tmp_path), await open_sqlite(tmp_path))
    await outbox.start()
    try:
        server().freeze(signal.SIGSTOP)
        with clock_of_the_loop() as clock:
            accepting = []
            for number in range(4):
                new = group(f"g{number}", lane=f"lane{number}")
                accepting.append(asyncio.create_task(outbox.accept(new, 60)))
                await clock.turns()
            assert not any(one.done() for one in accepting)
            clock.passes(float(promised))
            await clock.until(lambda: all(one.done() for one in accepting))
        assert not any(one.duplicate for one in await asyncio.gather(*accepting))
        assert outbox.is_spooling
    finally:
        server().freeze(signal.SIGCONT)
        await outbox.close()


TAKE = Action(ActionKind.TAKE, "Ana", NOW, NOW)
ASKED = {
    "backlog": lambda it: it.backlog(),
    "deliveries": lambda it: it.deliveries(),
    "last_successes": lambda it: it.last_successes(),
    "of_group": lambda it: it.of_group("one"),
    "show": lambda it: it.show(1),
    "replay": lambda it: it.replay(1, now=NOW),
    "discard": lambda it: it.discard(1, now=NOW),
    "history": lambda it: it.history("one"),
    "latest": lambda it: it.latest(0, 9),
    "actions_since": lambda it: it.actions_since(0, 9),
    "usage": lambda it: it.usage("alerts/x"),
    "secret": lambda it: it.secret("links"),
    "forget_actions": lambda it: it.forget_actions(before=NOW, limit=9),
    "heartbeats": lambda it: it.heartbeats(["watchdog"], NOW),
    "change_heartbeat": lambda it: it.change_heartbeat(
        HeartbeatState("watchdog", NOW), NOW, group("two")
    ),
    "forget_heartbeat": lambda it: it.forget_heartbeat("watchdog"),
    "observe": lambda it: it.observe([Observation(day_of(NOW), "Up", "x", "label", 1, 1, NOW)]),
    "observed": lambda it: it.observed(day_of(NOW)),
}


async def test_what_pages_ask_and_get_too_late_sends_no_webhook_to_the_spool(up, monkeypatch):
    for method, ask in ASKED.items():
        monkeypatch.setattr(up._shared, method, too_late)
        with pytest.raises(StoreUnavailable, match="within 5 s"):
            await ask(up)
        assert not up.is_spooling, method
    await put(up, group("one"))
    assert await up.spooled() == 0


async def test_what_people_do_is_kept_while_the_shared_store_is_slow(up, monkeypatch):
    await put(up, group("one"))
    with monkeypatch.context() as slow:
        slow.setattr(up._shared, "act", too_late)
        slow.setattr(up._shared, "beat", too_late)
        assert await up.act(b"lane", TAKE)
        await up.beat(["watchdog"], NOW)
    assert not up.is_spooling

    await up._reconcile()

    assert (await up.history("one")).actions == (TAKE,)
    assert await up.act(b"lane", TAKE) is False
    [state] = await up.heartbeats(["watchdog"], NOW + 9)
    assert state.seen_at == NOW


async def test_what_people_did_is_known_before_it_is_moved(up):
    later = replace(TAKE, who="Ben", at=NOW + 9)
    await put(up, group("one"))
    assert await up.act(b"lane", later)
    up._go_down("the test says so")
    assert await up.act(b"lane", TAKE)
    up._is_up = True

    both = [(b"lane", TAKE), (b"lane", later)]
    assert await up.actions_since(0, 9) == both
    await up._shared.reconcile(await up._spool.export(b"lane"))
    assert await up.actions_since(0, 9) == both
    assert await up.actions_since(0, 1) == both[:1]


async def test_a_webhook_is_accepted_where_the_tables_are_not_as_the_program_needs_them(up):
    connection = await up._shared.database.connect()
    await connection.execute("ALTER TABLE alert_group RENAME COLUMN body TO content")

    await put(up, group("one"))

    assert up.is_spooling
    assert names(await take_one(up)) == ["one"]
    await connection.execute("ALTER TABLE alert_group RENAME COLUMN content TO body")
    connection.terminate()


class Clock:
    """In place of the module `time`, for pauses between tries."""

    def __init__(self):
        self.now = 1000.0

    def monotonic(self):
        return self.now


@pytest.fixture
def clock(monkeypatch):
    clock = Clock()
    monkeypatch.setattr(spooled, "time", clock)
    return clock


async def execute(outbox, statement):
    connection = await outbox._shared.database.connect()
    await connection.execute(statement)
    connection.terminate()


async def claimed(outbox):
    """The groups that are claimed, in the order of their names."""
    found = await take(outbox, limit=20, now=outbox.now())
    return sorted(name for claim in found for name in names(claim))


async def test_a_webhook_that_the_database_does_not_take_is_delivered_and_keeps_nothing_back(
    up, clock, monkeypatch
):
    await execute(up, "ALTER TABLE alert_group ADD CONSTRAINT no_odd CHECK (id <> 'odd')")
    reconcile, tries = up._shared.reconcile, []

    async def counted(content):
        tries.append(clock.now)
        await reconcile(content)

    monkeypatch.setattr(up._shared, "reconcile", counted)
    with capture_logs() as logs:
        await put(up, group("odd", lane="odd"), group("fine"))
        for _ in range(4000):
            await up._reconcile()
            clock.now += 1

    assert not up.is_spooling
    assert await up.spooled() == 1
    assert await claimed(up) == ["fine", "odd"]
    assert len(tries) < 20
    assert tries[-1] - tries[-2] <= 601
    [said] = [one for one in logs if "cannot move" in one["event"]]
    assert (said["group_id"], "no_odd" in said["error"]) == ("odd", True)
    assert list(up.unmovable) == [b"odd"]

    await execute(up, "ALTER TABLE alert_group DROP CONSTRAINT no_odd")
    await up.recover(up.owner)
    clock.now += 601
    await up._reconcile()

    assert (await up.spooled(), up.unmovable, up.spooled_identities) == (0, {}, frozenset())


async def test_a_group_that_is_not_moved_in_time_keeps_no_other_and_not_the_database_back(
    up, clock, monkeypatch
):
    reconcile = up._shared.reconcile

    async def slow(content):
        if content.digest == b"slow":
            await too_late()
        await reconcile(content)

    monkeypatch.setattr(up._shared, "reconcile", slow)
    up._go_down("the test says so")
    lanes = ["slow", *(f"lane{number}" for number in range(9))]
    await put(up, *(group(lane, lane=lane) for lane in lanes))

    await up._come_up()

    assert not up.is_spooling
    assert up.spooled_identities == {b"slow"}
    assert not up.unmovable
    for _ in range(2):
        clock.now += 60
        with pytest.raises(StoreUnavailable):
            await up._reconcile()
    assert "within 5 s" in up.unmovable[b"slow"]
    assert await claimed(up) == sorted(lanes)


async def test_a_database_that_takes_nothing_stays_out_of_use_until_it_takes_all(up, monkeypatch):
    with monkeypatch.context() as full:
        full.setattr(up._shared, "reconcile", too_late)
        up._go_down("the test says so")
        await put(up, *(group(f"g{number}", lane=f"lane{number}") for number in range(3)))
        for _ in range(9):
            await up.beat(["watchdog"], NOW)  # for little there is room
            with pytest.raises(StoreUnavailable, match="within 5 s"):
                await up._come_up()
            assert up.is_spooling
    assert not up.unmovable

    await up._come_up()

    assert not up.is_spooling
    assert not up.spooled_identities


async def test_what_the_spool_cannot_take_goes_to_the_database_though_it_may_overtake(
    up, monkeypatch
):
    up._go_down("the test says so")
    await put(up, group("one"))
    up._is_up = True
    with monkeypatch.context() as full:
        full.setattr(up._spool, "accept", too_late)
        await put(up, group("two", at=NOW + 1))
        assert names(await take_one(up._shared)) == ["two"]
        up._go_down("the test says so")
        with pytest.raises(StoreUnavailable):
            await put(up, group("other", lane="other"))
    assert up.spooled_identities == {b"lane"}


async def test_what_is_spooled_is_delivered_though_nobody_waits_for_the_answer(up, monkeypatch):
    accept, is_there = up._spool.accept, asyncio.Event()

    async def slow(*arguments):
        await accept(*arguments)
        is_there.set()
        await asyncio.Event().wait()

    monkeypatch.setattr(up._spool, "accept", slow)
    up._go_down("the test says so")
    accepting = asyncio.create_task(up.accept(group("one"), 0.0))
    await is_there.wait()
    accepting.cancel()
    await asyncio.wait([accepting])

    assert names(await take_one(up, now=up.now())) == ["one"]


async def test_large_groups_and_what_was_too_slow_have_more_time_to_be_moved(
    up, clock, monkeypatch
):
    monkeypatch.setattr(spooled, "_MOVE_SECONDS", 1.0)
    reconcile, is_slow = up._shared.reconcile, asyncio.Event()

    async def taking(seconds):
        async def slow(content):
            is_slow.set()
            await asyncio.sleep(seconds)
            is_slow.clear()
            await reconcile(content)

        monkeypatch.setattr(up._shared, "reconcile", slow)
        with clock_of_the_loop() as passing:
            moving = asyncio.create_task(up._reconcile())
            while not moving.done():
                await passing.turns()
                passing.passes(0.1 if is_slow.is_set() else 0)
        is_slow.clear()
        await moving

    up._go_down("the test says so")
    await put(up, group("large", lane="large", body=bytes(6_000_000)))
    await taking(3)
    assert not up.spooled_identities
    await put(up, group("small"))
    up._is_up = True
    with pytest.raises(StoreUnavailable):
        await taking(1.9)
    clock.now += 60
    await taking(1.9)
    assert not up.spooled_identities


async def test_while_a_group_is_moved_others_are_accepted_and_claimed(up, monkeypatch):
    monkeypatch.setattr(spooled, "_CLAIM_SECONDS", 0.0)
    reconcile, is_moving, may_move = up._shared.reconcile, asyncio.Event(), asyncio.Event()

    async def slow(content):
        is_moving.set()
        await may_move.wait()
        await reconcile(content)

    monkeypatch.setattr(up._shared, "reconcile", slow)
    await put(up, group("stored", lane="stored"))
    up._go_down("the test says so")
    await put(up, group("one"))
    coming = asyncio.create_task(up._come_up())
    await is_moving.wait()

    await put(up, group("other", lane="other"))
    assert await claimed(up) == []
    up._is_up = True
    assert await claimed(up) == ["stored"]
    next_one = asyncio.create_task(up.accept(group("two", at=NOW + 1), 0.0))
    await asyncio.sleep(0)  # it has begun
    may_move.set()
    await asyncio.gather(coming, next_one)

    assert up.spooled_identities == {b"other"}
    assert names(await take_one(up._shared)) == ["one", "two"]


async def test_a_router_that_was_away_does_not_end_the_leases_of_one_that_took_its_name(
    up, tmp_path
):
    name = up.owner
    up._go_down("the test says so")
    up._shared._holding.cancel()  # it does not come to it yet
    up._shared._held.terminate()
    other = await named(tmp_path, name)
    await put(other, group("one"))
    claim = await take_one(other, now=other.now())

    with pytest.raises(StoreUnavailable, match="name"):
        await up._look_again()
    up._shared._holding = asyncio.create_task(up._shared._hold_name())
    await eventually(lambda: up.owner != name, "another name")
    await up._look_again()

    assert not up.is_spooling
    assert await end(other, claim, Verdict.DELIVERED)
    assert [row.state for row in await up.deliveries()] == [State.DELIVERED]
    await other.close()


async def named(folder, name):
    """A router of that name, once the server knows that nobody has it any more."""
    while (outbox := await open_postgres(folder)).owner != name:
        await outbox.close()
    return outbox


async def test_an_outcome_that_the_database_refuses_keeps_it_out_of_use_no_longer(up):
    await put(up, group("one"), group("two", lane="two"))
    claims = await take(up, now=up.now())
    up._go_down("the test says so")
    for claim, message in zip(claims, ("odd", "fine"), strict=True):
        assert await end(up, claim, Verdict.DEAD, message=message)
    await execute(up, "ALTER TABLE delivery ADD CHECK (message <> 'odd')")

    await up._come_up()

    assert not up.is_spooling
    rows = {row.group: row.message for row in await up.deliveries(DeliveryFilter(State.DEAD))}
    assert rows == {"two": "fine"}


async def test_what_is_left_in_a_spool_that_could_not_be_read_at_the_start_is_moved_later(
    tmp_path, monkeypatch
):
    monkeypatch.setattr(spooled, "_LOOK_EVERY", 0.01)
    spool = await open_sqlite(tmp_path)
    await put(spool, group("left"))
    outbox = SpooledOutbox(await open_postgres(tmp_path), spool)
    with monkeypatch.context() as full:
        full.setattr(spool, "identities", too_late)
        await outbox.start()
    try:

        async def is_moved():
            return not await spool.identities()

        await eventually(is_moved, "the spool to be moved")
        assert names(await take_one(outbox._shared)) == ["left"]
    finally:
        await outbox.close()


async def test_a_start_does_not_wait_until_all_of_a_large_spool_is_moved(tmp_path, monkeypatch):
    unhurried(monkeypatch)
    monkeypatch.setattr(spooled, "_START_SECONDS", 0.01)
    shared, spool = await open_postgres(tmp_path), await open_sqlite(tmp_path)
    await put(spool, group("left"))
    may_move = asyncio.Event()
    reconcile = shared.reconcile

    async def slow(content):
        await may_move.wait()
        await reconcile(content)

    monkeypatch.setattr(shared, "reconcile", slow)
    outbox = SpooledOutbox(shared, spool)
    async with asyncio.timeout(PATIENCE):
        await outbox.start()
    try:
        assert outbox.is_spooling
        await put(outbox, group("later", lane="other"))
        await end(outbox, await take_one(outbox), Verdict.DELIVERED)  # the one that was left

        may_move.set()
        await outbox._look_again()
        assert not outbox.is_spooling
        assert names(await take_one(outbox)) == ["later"]
        assert await outbox.spooled() == 0
    finally:
        await outbox.close()


async def test_why_the_database_cannot_be_used_is_said_once_for_each_reason(up, monkeypatch):
    monkeypatch.setattr(spooled, "_LOOK_EVERY", 0.0)
    reasons = ["refused", "refused", "wrong password", "wrong password", None]

    async def probe():
        if (reason := reasons.pop(0)) is not None:
            raise StoreUnavailable(reason)

    monkeypatch.setattr(up._shared, "probe", probe)
    with capture_logs() as logs:
        up._go_down("refused")
        watching = asyncio.create_task(up._watch())
        await eventually(lambda: not up.is_spooling, "the database")
        watching.cancel()
    said = [one["error"] for one in logs if one["log_level"] == "error"]
    assert said == ["refused", "wrong password"]
