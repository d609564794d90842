"""A router that goes from the shared store to its spool and back."""

from alert_router.outbox.model import Health, Role, Settlement, Verdict
from alert_router.outbox.spooled import SpooledOutbox
from tests.outbox.kit import A, group, open_postgres, open_sqlite, put, take_one


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
