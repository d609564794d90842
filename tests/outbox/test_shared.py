"""What one router finds out about a destination binds the others that share the store."""

import select
from dataclasses import replace

import pytest

from alert_router.fields import Rate
from alert_router.outbox.base import StoreUnavailable
from alert_router.outbox.model import HEALTHY, Health, Probe, Verdict
from alert_router.outbox.postgres.outbox import ACCEPT_SECONDS
from alert_router.outbox.postgres.pool import InDoubt
from tests.outbox.kit import LEASE, NOW, A, end, failing, group, names, open_postgres, put, take


@pytest.fixture
async def both(tmp_path):
    one, other = await open_postgres(tmp_path), await open_postgres(tmp_path)
    yield one, other
    await one.close()
    await other.close()


async def claims(one, other):
    """A lane for each of two routers, and one more that is due."""
    await put(one, *(group(f"g{n}", lane=f"l{n}") for n in range(3)))
    [mine] = await take(one, limit=1)
    [theirs] = await take(other, limit=1)
    return mine, theirs


ASKED = Health(NOW, 3, "rate_limited", "429", next_at=NOW + 60, asked_until=NOW + 60)


@pytest.mark.parametrize(
    ("verdict", "found"),
    [
        (Verdict.DELIVERED, HEALTHY),
        (Verdict.RETRY, Health(NOW + 1, 1, "server_error", next_at=NOW + 2)),
        (Verdict.RETRY, replace(ASKED, failing_since=NOW + 1, failures=1, asked_until=NOW + 9)),
    ],
)
async def test_a_pause_stays_whatever_an_attempt_finds_that_began_before(both, verdict, found):
    one, other = both
    mine, theirs = await claims(one, other)
    await end(one, mine, Verdict.RETRY, due_at=NOW, health=ASKED)
    await end(other, theirs, verdict, due_at=NOW, health=found)

    for router in both:
        assert await router.health(A) == ASKED
        assert await take(router, now=NOW + 59) == []
        assert await take(router, now=NOW + 59, probe=Probe.URGENT) == []
    assert len(await take(one, now=NOW + 60)) == 1


async def test_the_longer_of_two_pauses_is_kept(both):
    mine, theirs = await claims(*both)
    longer = replace(ASKED, failing_since=NOW + 1, next_at=NOW + 90, asked_until=NOW + 90)
    await end(both[0], mine, Verdict.RETRY, due_at=NOW, health=ASKED)
    await end(both[1], theirs, Verdict.RETRY, due_at=NOW, health=longer)
    expected = replace(ASKED, next_at=NOW + 90, asked_until=NOW + 90)
    assert await both[0].health(A) == expected


async def test_one_router_tries_a_destination_that_is_failing_and_the_others_wait(both):
    one, other = both
    mine, theirs = await claims(one, other)
    await end(one, mine, Verdict.RETRY, due_at=NOW, health=failing(until=NOW + 10))

    assert await take(other, now=NOW + 9) == []
    [probe] = await take(other, now=NOW + 10)  # it does not know yet, and gets one all the same
    assert await take(one, now=NOW + 10, probe=Probe.OTHER) == []
    assert await take(one, now=NOW + 10) == []
    await end(other, probe, Verdict.DELIVERED, health=HEALTHY)
    assert len(await take(one, now=NOW + 10)) == 1

    await end(other, theirs, Verdict.DELIVERED)
    assert await one.health(A) == HEALTHY


async def test_a_router_that_died_while_it_tried_a_destination_is_replaced_after_its_lease(both):
    one, other = both
    mine, _ = await claims(one, other)
    await end(one, mine, Verdict.RETRY, due_at=NOW, health=failing())
    assert len(await take(one, probe=Probe.URGENT)) == 1
    assert await take(other, now=NOW + LEASE - 1, probe=Probe.URGENT) == []
    assert len(await take(other, now=NOW + LEASE, probe=Probe.URGENT)) == 1


async def test_after_a_clock_was_set_back_a_router_that_died_keeps_no_one_waiting(both):
    one, other = both
    mine, _ = await claims(one, other)
    await end(one, mine, Verdict.RETRY, due_at=NOW, health=failing())
    assert len(await take(one, now=NOW + 1e6, probe=Probe.URGENT)) == 1
    await other.hasten(latest=NOW + 3600, now=NOW)
    assert len(await take(other, probe=Probe.URGENT)) == 1


async def test_a_rate_holds_over_all_routers(both):
    one, other = both
    await put(one, *(group(f"g{n}", lane=f"l{n}") for n in range(9)))
    rate = Rate(5, 60.0)
    first = await take(one, limit=3, rate=rate)
    second = await take(other, limit=3, rate=rate)
    assert [len(first), len(second)] == [3, 2]
    assert await take(one, rate=rate) == []

    await end(one, first[0], Verdict.RETRY, due_at=NOW + 100)  # certainly not delivered
    for claim in (*first[1:], *second):
        await end(one, claim, Verdict.DELIVERED)
    assert len(await take(other, rate=rate)) == 1
    assert await take(other, now=NOW + 59, rate=rate) == []
    assert [names(claim) for claim in await take(other, now=NOW + 61, limit=9, rate=rate)]


async def test_what_a_router_locked_that_stands_still_is_free_before_others_use_their_spools(both):
    still, other = both
    await put(still, group("one"))
    held = await still.database.connect()
    await held.execute("BEGIN")
    await held.execute("SELECT 1 FROM identity FOR UPDATE")
    (milliseconds,) = await held.fetchrow(
        "SELECT setting FROM pg_settings WHERE name = 'idle_in_transaction_session_timeout'"
    )
    assert float(milliseconds) / 1000 < ACCEPT_SECONDS

    await put(other, group("two"))
    assert [names(claim) for claim in await take(other)] == [["one", "two"]]
    held.terminate()


async def test_moving_many_deliveries_may_take_longer_between_two_statements(both):
    outbox, _ = both

    async def limit(session):
        name = "idle_in_transaction_session_timeout"
        return await session.connection.fetchval(f"SELECT current_setting('{name}')")

    assert await outbox._transfer(limit) == "20s"
    assert await outbox._run(limit) == "600ms"


async def test_a_transaction_that_the_server_has_ended_is_run_again(both):
    outbox, _ = both
    tries = []

    async def operation(session):
        tries.append(session)
        if len(tries) == 1:
            await session.connection.execute("SELECT pg_terminate_backend(pg_backend_pid())")
        return await session.connection.fetchval("SELECT 'done'")

    assert await outbox._run(operation) == "done"
    assert len(tries) == 2


async def test_a_transaction_that_the_server_ended_before_its_commit_is_run_again(both):
    """The router was busy with something else for too long."""
    outbox, _ = both
    await put(outbox, group("one"))
    tries = []

    async def operation(session):
        tries.append(session)
        await session.connection.execute("UPDATE identity SET content = 'done'")
        if len(tries) == 1:
            await session.connection.execute("SET idle_in_transaction_session_timeout = '1ms'")
            socket = session.connection._transport.get_extra_info("socket")
            select.select([socket.fileno()], [], [])  # what the server says is not read yet

    await outbox._run(operation)
    assert len(tries) == 2


async def test_a_commit_whose_answer_is_missing_is_not_run_again(both):
    outbox, _ = both
    await put(outbox, group("one"))
    tries = []

    async def operation(session):
        tries.append(session)
        transport = session.connection._transport
        transport.pause_reading()  # nobody notices the end before COMMIT is sent
        other = await outbox.database.connect()
        pid = session.connection.get_server_pid()
        await other.execute("SELECT pg_terminate_backend($1)", pid)
        select.select([transport.get_extra_info("socket").fileno()], [], [])
        transport.resume_reading()
        other.terminate()

    with pytest.raises(InDoubt):
        await outbox._run(operation)
    assert len(tries) == 1


@pytest.mark.parametrize("statement", ["SELECT nothing FROM identity", "SELECT * FROM nowhere"])
async def test_tables_that_are_not_as_the_program_needs_them_are_trouble_of_the_store(
    both, statement
):
    outbox, _ = both

    async def operation(session):
        await session.connection.fetch(statement)

    with pytest.raises(StoreUnavailable, match="does not exist"):
        await outbox._run(operation)
    await put(outbox, group("one"))
