"""A router that goes from the shared store to its spool and back."""

import asyncio
import re
import signal
from pathlib import Path

import pytest

from alert_router.fields import Rate
from alert_router.outbox import spooled
from alert_router.outbox.base import StoreUnavailable
from alert_router.outbox.model import (
    Action,
    ActionKind,
    Health,
    HeartbeatState,
    Observation,
    Role,
    Settlement,
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
from tests.speed import clock_of_the_loop


@pytest.fixture
async def up(tmp_path, monkeypatch):
    """One that uses the shared store, and looks after its spool only if the test says so."""
    monkeypatch.setattr(spooled, "_LOOK_EVERY", 3600.0)
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


async def test_a_webhook_is_accepted_where_the_tables_are_not_as_the_program_needs_them(up):
    connection = await up._shared.database.connect()
    await connection.execute("ALTER TABLE alert_group RENAME COLUMN body TO content")

    await put(up, group("one"))

    assert up.is_spooling
    assert names(await take_one(up)) == ["one"]
    await connection.execute("ALTER TABLE alert_group RENAME COLUMN content TO body")
    connection.terminate()


async def test_a_webhook_that_the_database_does_not_take_is_delivered_and_keeps_nothing_back(up):
    connection = await up._shared.database.connect()
    await connection.execute("ALTER TABLE alert_group ADD CHECK (id <> 'odd')")
    connection.terminate()

    await put(up, group("odd", lane="odd"), group("fine"))
    await up._reconcile()

    assert not up.is_spooling
    assert await up.spooled() == 1
    found = await up.claim(A, owner=up.owner, limit=9, now=up.now(), lease=60, fold=True)
    assert sorted(name for claim in found for name in names(claim)) == ["fine", "odd"]
