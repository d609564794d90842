"""What a router accepted without the database is moved there: each group once, in order."""

from dataclasses import replace

import pytest

from alert_router.outbox.base import StoreRefused, StoreUnavailable
from alert_router.outbox.copying import copy
from alert_router.outbox.model import Role, Settlement, State, Storage, Verdict
from alert_router.outbox.postgres.database import Database
from alert_router.outbox.postgres.outbox import PostgresOutbox
from tests.outbox.kit import (
    NOW,
    A,
    B,
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


@pytest.fixture
async def shared(tmp_path):
    opened = await open_postgres(tmp_path)
    yield opened
    await opened.close()


@pytest.fixture
async def spool(tmp_path):
    opened = await open_sqlite(tmp_path)
    yield opened
    await opened.close()


async def move(spool, shared):
    for identity in await spool.identities():
        content = await spool.export(identity)
        await shared.reconcile(content)
        await shared.reconcile(content)  # the answer to the first was lost
        await spool.remove(identity)
    assert await spool.identities() == set()
    assert await spool.deliveries() == []


async def test_what_is_pending_is_moved_once_behind_what_is_there(spool, shared):
    await put(shared, group("there"))
    await put(spool, group("one", A, B, at=NOW + 1), group("two", at=NOW + 2))
    await move(spool, shared)
    assert names(await take_one(shared)) == ["there", "one", "two"]
    assert names(await take_one(shared, B)) == ["one"]


async def test_what_was_delivered_meanwhile_is_known_and_its_repetition_a_duplicate(spool, shared):
    await put(spool, group("one", says="x"))
    await end(spool, await take_one(spool), Verdict.DELIVERED, reference="ts-1")
    await move(spool, shared)
    [row] = await shared.deliveries()
    assert (row.group, row.state, row.settled_at) == ("one", State.DELIVERED, NOW)
    assert (await shared.accept(group("again", says="x", at=NOW + 9), 300)).id == "one"
    await put(shared, group("two"))
    assert (await take_one(shared)).reference == "ts-1"


async def test_what_both_have_is_not_sent_again_once_the_spool_has_delivered_it(spool, shared):
    """The answer to COMMIT was missing, so that the group went into the spool, too."""
    await put(shared, group("one"), group("two"))
    await put(spool, group("one"))
    await end(spool, await take_one(spool), Verdict.DELIVERED)
    await move(spool, shared)
    assert names(await take_one(shared)) == ["two"]
    states = {row.group: row.state for row in await shared.deliveries()}
    assert states == {"one": State.DELIVERED, "two": State.WAITING}


async def test_what_both_have_pending_is_sent_once(spool, shared):
    await put(shared, group("one"))
    await put(spool, group("one"))
    await move(spool, shared)
    assert names(await take_one(shared)) == ["one"]


async def test_something_older_that_was_pending_goes_with_what_is_known_already(spool, shared):
    await put(shared, group("old"))
    await put(spool, group("new", at=NOW + 5))
    await end(spool, await take_one(spool), Verdict.DELIVERED)
    await move(spool, shared)
    assert names(await take_one(shared)) == ["old", "new"]


@pytest.mark.parametrize("is_delivered", [False, True])
async def test_something_older_in_the_spool_does_not_go_out_last(spool, shared, is_delivered):
    await put(spool, group("old", at=NOW))
    await put(shared, group("new", at=NOW + 1))
    if is_delivered:
        await end(shared, await take_one(shared), Verdict.DELIVERED)
    await move(spool, shared)
    assert names(await take_one(shared))[-2:] == ["old", "new"]


async def test_something_older_that_was_delivered_last_is_followed_by_the_newest(spool, shared):
    await put(spool, group("old", at=NOW))
    await put(shared, group("new", at=NOW + 1))
    await end(shared, await take_one(shared), Verdict.DELIVERED)
    late = await take_one(spool)
    await spool.settle(late, Settlement(Verdict.DELIVERED, NOW + 5))
    await move(spool, shared)
    assert names(await take_one(shared)) == ["new"]


@pytest.mark.parametrize(("sent_at", "again"), [(NOW + 0.5, []), (NOW + 2, [["new"]])])
async def test_something_older_that_was_pending_here_may_have_gone_out_last(
    spool, shared, sent_at, again
):
    """It was being sent when the newest was accepted, or it was not."""
    await put(shared, group("old", at=NOW))
    await put(spool, group("new", at=NOW + 1))
    await end(spool, await take_one(spool), Verdict.DELIVERED)
    await shared.settle(await take_one(shared), Settlement(Verdict.DELIVERED, sent_at))
    await move(spool, shared)
    assert [names(claim) for claim in await take(shared)] == again


async def test_what_both_have_and_the_spool_delivered_late_is_followed_by_the_newest(spool, shared):
    await put(spool, group("old", at=NOW))
    await put(shared, group("old", at=NOW))
    late = await take_one(spool)
    await end(shared, await take_one(shared), Verdict.DELIVERED)
    await put(shared, group("new", at=NOW + 1))
    await end(shared, await take_one(shared), Verdict.DELIVERED)
    await spool.settle(late, Settlement(Verdict.DELIVERED, NOW + 5))
    await move(spool, shared)
    assert [names(claim) for claim in await take(shared)] == [["new"]]


async def test_a_batch_in_doubt_goes_again_under_its_id(spool, shared):
    await put(spool, group("one"), group("two"))
    claim = await take_one(spool)
    await end(spool, claim, Verdict.DOUBT)
    await put(spool, group("three"))
    await move(spool, shared)
    again = await take_one(shared)
    assert (names(again), again.id, again.resent) == (["one", "two"], claim.id, True)


async def test_what_is_being_sent_says_so(spool):
    await put(spool, group("one"))
    await take_one(spool)
    [identity] = await spool.identities()
    assert (await spool.export(identity)).is_being_sent


async def test_a_store_is_copied_whole_and_a_second_copy_adds_nothing(tmp_path):
    source = Storage(tmp_path / "alert-router.db")
    old = await open_sqlite(tmp_path)
    await put(old, *(group(f"{n}", A, B, lane=f"{n}") for n in range(9)))
    for verdict, claim in zip(
        (Verdict.DELIVERED, Verdict.DEAD, Verdict.DOUBT), await take(old), strict=False
    ):
        await end(old, claim, verdict, reason="why")
    before = [replace(row, id=0, due_at=None) for row in await old.deliveries()]
    await old.close()
    target = Storage(tmp_path / "unused", url=await server().database(tmp_path))
    seen = []
    for _ in range(2):
        assert await copy(source, target, lambda *some: seen.append(some)) == 9
    assert seen[-1] == (9, 9)
    new = await PostgresOutbox.open(Database(target.url, None, False), Role.COMMAND)
    after = [replace(row, id=0, due_at=None) for row in await new.deliveries()]
    assert sorted(map(repr, after)) == sorted(map(repr, before))
    await new.close()


async def test_a_server_that_may_lose_what_it_committed_is_refused_unless_told(tmp_path):
    url = await server().database(tmp_path)
    name = url.rpartition("/")[2]
    await server().execute(f"ALTER DATABASE {name} SET synchronous_commit = off")
    with pytest.raises(StoreRefused, match="synchronous_commit"):
        await PostgresOutbox.open(Database(url, None, unsafe=False), Role.SERVICE)
    await (await PostgresOutbox.open(Database(url, None, unsafe=True), Role.SERVICE)).close()


async def test_a_command_changes_no_tables(tmp_path):
    url = await server().database(tmp_path)
    with pytest.raises(StoreUnavailable, match="storage migrate"):
        await PostgresOutbox.open(Database(url, None, unsafe=False), Role.COMMAND)


async def test_services_on_one_host_have_names_of_their_own_and_get_them_again(tmp_path):
    first, second = await open_postgres(tmp_path), await open_postgres(tmp_path)
    assert first.owner != second.owner
    await first.close()
    again = await open_postgres(tmp_path)
    assert again.owner == first.owner
    await again.close()
    await second.close()


def test_a_password_is_shown_nowhere():
    database = Database("postgresql://u:hunter2@h/d?sslmode=require&password=hunter2", None, False)
    assert database.shown == "postgresql://u@h/d"
    assert "hunter2" not in str(database.unavailable(OSError("no route")))
