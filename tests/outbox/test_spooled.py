"""A router that goes from the shared store to its spool and back."""

import asyncio
import re
import signal
from pathlib import Path

from alert_router.outbox import spooled
from alert_router.outbox.actions import Action, ActionKind
from alert_router.outbox.model import Health, Role, Settlement, Verdict
from alert_router.outbox.spooled import SpooledOutbox
from tests.outbox.kit import NOW, A, end, group, open_postgres, open_sqlite, put, take_one
from tests.postgres import server
from tests.speed import clock_of_the_loop


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


async def test_a_webhook_is_in_the_spool_after_the_seconds_that_the_documentation_promises(
    tmp_path, monkeypatch
):
    """Also where it waits for others that wait for the database."""
    page = (Path(__file__).parents[2] / "docs/scaling.md").read_text()
    [promised] = re.findall(r"no answer within ([\d.]+) seconds goes on with its spool", page)
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
