"""What a router accepted without the database is moved there: each group once, in order."""

import asyncio
import re
import time
from dataclasses import replace

import pytest

from alert_router.outbox import actions, transfer
from alert_router.outbox.base import StoreRefused, StoreUnavailable
from alert_router.outbox.model import (
    Action,
    ActionKind,
    DeliveryFilter,
    Destination,
    Observation,
    Role,
    Settlement,
    State,
    Storage,
    Verdict,
    day_of,
)
from alert_router.outbox.opening import copy
from alert_router.outbox.postgres.database import Database
from alert_router.outbox.postgres.outbox import PostgresOutbox
from tests.outbox.kit import (
    NOW,
    A,
    B,
    end,
    failing,
    group,
    names,
    open_postgres,
    open_sqlite,
    put,
    set_health,
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


async def test_what_came_in_a_long_outage_is_moved_with_as_few_statements(spool, shared):
    """A statement for each would take longer than those who accept into the spool may wait."""
    await shared.health(A)  # connects
    counts = []
    for lane, size in ("short", 3), ("long", 400):
        groups = [group(f"{lane}-{n}", A, B, lane=lane, at=NOW + n) for n in range(size)]
        await asyncio.gather(*(spool.accept(one, 0) for one in groups))
        [identity] = await spool.identities()
        content = await spool.export(identity)
        [session] = shared._pool._idle
        statements = []
        with session.connection.query_logger(statements.append):
            await shared.reconcile(content)
        counts.append(len(statements))
        await spool.remove(identity)
        claim = await take_one(shared)
        assert names(claim) == [one.id for one in groups]
        await end(shared, claim, Verdict.DELIVERED)
    assert counts[1] <= counts[0]  # the first also makes the destinations


async def test_what_is_moved_again_since_the_answer_was_lost_takes_as_few_statements(spool, shared):
    """The spool has delivered all of it meanwhile."""
    await shared.health(A)  # connects
    counts = []
    for lane, size in ("short", 3), ("long", 400):
        groups = [group(f"{lane}-{n}", A, B, lane=lane, at=NOW + n) for n in range(size)]
        await asyncio.gather(*(spool.accept(one, 0) for one in groups))
        [identity] = await spool.identities()
        await shared.reconcile(await spool.export(identity))
        for to in A, B:
            await end(spool, await take_one(spool, to), Verdict.DELIVERED)
        content = await spool.export(identity)
        [session] = shared._pool._idle
        statements = []
        with session.connection.query_logger(statements.append):
            await shared.reconcile(content)
        counts.append(len(statements))
        await spool.remove(identity)
        assert await take(shared) == await take(shared, B) == []
    assert counts[1] <= counts[0]


async def test_what_is_replayed_in_a_spool_after_the_answer_was_lost_is_moved_too(spool, shared):
    await put(spool, group("one"))
    [identity] = await spool.identities()
    await shared.reconcile(await spool.export(identity))
    await end(spool, await take_one(spool), Verdict.DEAD)
    [dead] = await spool.deliveries()
    await spool.replay(dead.id, now=NOW)
    await spool.replay(dead.id, now=NOW, to=B, force=True)
    await move(spool, shared)
    assert names(await take_one(shared)) == names(await take_one(shared, B)) == ["one"]
    assert await take(shared) == await take(shared, B) == []
    assert [row.dead for row in await shared.backlog()] == [0, 0]


async def kept_since(outbox, asked):
    groups = (await outbox.history(asked)).groups
    return {one.id: one.since - NOW if one.since else None for one in groups}


async def test_what_fires_on_while_the_database_is_down_keeps_its_beginning(spool, shared):
    await put(shared, group("one"))
    await put(spool, group("two", at=NOW + 10), group("end", at=NOW + 20, is_over=True))
    await put(spool, group("next", at=NOW + 30))
    await move(spool, shared)
    await put(shared, group("last", at=NOW + 40))

    known = {"one": 0, "two": 0, "end": 0, "next": 30, "last": 30}
    assert await kept_since(shared, "one") == known


async def test_what_both_routers_of_a_pair_spooled_has_one_beginning(spool, shared, tmp_path):
    (tmp_path / "other").mkdir()
    other = await open_sqlite(tmp_path / "other")
    await put(shared, group("one"))
    await put(spool, group("a", at=NOW + 10))
    await put(other, group("b", at=NOW + 9))
    for store in (spool, other):
        await move(store, shared)
    await other.close()
    await put(shared, group("last", at=NOW + 40))

    assert set((await kept_since(shared, "one")).values()) == {0}


async def test_what_begins_while_the_database_is_down_begins_there(spool, shared):
    await put(shared, group("end", is_over=True))
    await put(spool, group("one", at=NOW + 10), group("two", at=NOW + 20))
    await move(spool, shared)
    await put(shared, group("three", at=NOW + 30))

    known = {"end": 0, "one": 10, "two": 10, "three": 10}
    assert await kept_since(shared, "one") == known


def did(kind, who, after, **more):
    return Action(kind, who, NOW + after, NOW, **more)


async def test_what_people_did_is_moved_once_and_in_the_order_of_time(spool, shared, tmp_path):
    (tmp_path / "other").mkdir()
    other = await open_sqlite(tmp_path / "other")
    await put(shared, group("one"))
    await shared.act(b"lane", did(ActionKind.TAKE, "Ana", 1))
    for store, who, after in ((spool, "Ben", 9), (other, "Eve", 5)):
        await put(store, group(who, at=NOW + after))
        await store.act(b"lane", did(ActionKind.TAKE, who, after))
        await store.act(b"lane", did(ActionKind.TICK, who, after + 1, step="s1"))
        await move(store, shared)
        assert await store.actions_since(0, 10) == []
    await other.close()

    kept = (await shared.history("one")).actions
    assert [(one.who, one.kind) for one in kept] == [
        ("Ana", "take"), ("Eve", "take"), ("Eve", "tick"), ("Ben", "take"), ("Ben", "tick"),
    ]  # fmt: skip


async def test_what_people_did_without_a_delivery_is_moved(spool, shared):
    await spool.act(b"lane", did(ActionKind.TAKE, "Ana", 1))
    await move(spool, shared)
    [(identity, action)] = await shared.actions_since(0, 10)
    assert (identity, action.who) == (b"lane", "Ana")


async def test_messages_say_what_people_did_once_it_is_moved(spool, shared):
    await put(shared, group("one"))
    await end(shared, await take_one(shared), Verdict.DELIVERED, reference="message-1")
    await spool.act(b"lane", did(ActionKind.TAKE, "Ana", 1))
    await move(spool, shared)

    later = shared.now() + 60
    wanted = {"owner": "s", "limit": 1, "lease": 60, "fold": True, "changes": True}
    [claim] = await shared.claim(A, now=later, **wanted)
    assert (names(claim), claim.only_change) == (["one"], True)
    assert await end(shared, claim, Verdict.DELIVERED, now=later)
    assert await shared.claim(A, now=later + 60, **wanted) == []


async def test_of_heartbeats_in_two_stores_the_latest_times_hold(open_outbox, tmp_path):
    outbox = await open_outbox(tmp_path)
    cases = {  # seconds after NOW: received and missing since, there, here and together
        "both missing": ((5, 5), (9, 9), (9, 9)),
        "missing here": ((5, 0), (3, 3), (5, 3)),
        "missing there": ((3, 3), (5, 0), (5, 3)),
        "well": ((3, 0), (5, 0), (5, 0)),
        "back there": ((9, 2), (5, 5), (9, 5)),
    }

    def rows(number):
        return [
            (name, NOW + one[number][0], one[number][1] and NOW + one[number][1])
            for name, one in cases.items()
        ]

    for number in (1, 0, 0):
        await outbox.keep_heartbeats(rows(number))

    assert sorted(await outbox.every_heartbeat()) == sorted(rows(2))
    await outbox.close()


async def test_what_is_being_sent_says_so(spool):
    await put(spool, group("one"))
    await take_one(spool)
    [identity] = await spool.identities()
    assert (await spool.export(identity)).is_being_sent


async def store_at(directory, kind):
    directory.mkdir()
    url = await server().database(directory) if kind == "postgres" else ""
    return Storage(directory / "alert-router.db", url=url)


async def opened(storage):
    if not storage.url:
        return await open_sqlite(storage.path.parent)
    return await open_postgres(storage.path.parent)


async def fill(outbox):
    """Deliveries in every state, one of them replayed, one diverted, counts and actions."""
    await put(outbox, *(group(f"{n}", A, B, lane=f"{n}") for n in range(9)))
    ways = (Verdict.DELIVERED, Verdict.DEAD, Verdict.DOUBT, Verdict.DEAD)
    for verdict, claim in zip(ways, await take(outbox, limit=4), strict=True):
        await end(outbox, claim, verdict, reason="why", message="a\0b", reference="ts-1")
    dead = await outbox.deliveries(DeliveryFilter(State.DEAD))
    await outbox.replay(dead[0].id, now=NOW, to=Destination("other", "one"))
    await set_health(outbox, B, failing(NOW - 600))
    assert await outbox.divert(B, (Destination("other", "two"),), failing_before=NOW, now=NOW) == 9
    seen = Observation(day_of(time.time()), "Up", "alerts/up", "label", 3, 1, NOW)
    await outbox.observe([seen])
    for n, who in enumerate(("ann", "b\0b")):
        action = Action(ActionKind.TAKE, who, at=NOW + n, since=NOW)
        assert await outbox.act(b"0", action)
    assert len(await outbox.secret("links")) == 32
    await outbox.beat(["watchdog"], NOW)
    assert await outbox.act(b"pruned", Action(ActionKind.TAKE, "ann", at=NOW, since=NOW))


async def content(outbox):
    """What is kept in a store, but for ids and schedules."""
    rows = [
        replace(row, id=0, due_at=None, message=re.sub(r"\d+", "N", row.message).replace("\0", "␀"))
        for row in await outbox.deliveries()
    ]
    actions = [
        (identity, replace(action, who=action.who.replace("\0", "␀")))
        for identity, action in await outbox.actions_since(0, 99)
    ]
    backlog = [(row.destination, row.waiting, row.dead) for row in await outbox.backlog()]
    since = {row.id: row.since for row in await outbox.latest(0, 99)}
    return {
        "deliveries": sorted(map(repr, rows)),
        "since": since,
        "actions": actions,
        "secret": await outbox.secret("links"),
        "heartbeats": await outbox.heartbeats(["watchdog"], NOW + 1),
        "observed": await outbox.observed(day_of(time.time())),
        "backlog": [row for row in backlog if row[1:] != (0, 0)],
    }


async def test_the_message_that_is_updated_is_known_after_the_next_pruning(spool, shared):
    await put(spool, group("one"))
    await end(spool, await take_one(spool), Verdict.DELIVERED, reference="message-1")
    await move(spool, shared)

    await shared.prune(delivered_before=NOW - 1, dead_before=NOW - 1, limit=100)

    await put(shared, group("two"))
    assert (await take_one(shared)).reference == "message-1"


async def test_a_change_never_shows_what_the_spool_sent_before(spool, shared):
    await put(spool, group("one"))
    await end(spool, await take_one(spool), Verdict.DELIVERED, reference="message-1")
    await put(shared, group("two", at=NOW + 1))
    claim = await take_one(shared, now=NOW + 1)
    await end(shared, claim, Verdict.DELIVERED, now=NOW + 2, reference="message-2")
    await move(spool, shared)
    taken = Action(ActionKind.TAKE, "Ana", NOW + 50, NOW)
    await shared.act(group("two").identity, taken)

    claims = await shared.claim(
        A, owner="s", limit=1, now=NOW + 100, lease=60, fold=True, changes=True
    )

    assert [names(claim) for claim in claims] == [["two"]]


async def test_actions_that_are_moved_are_bounded_as_those_that_are_made(
    spool, shared, monkeypatch
):
    for module in (actions, transfer):
        monkeypatch.setattr(module, "MOST_ACTIONS", 5)

    async def tick(outbox, steps, at):
        for number, step in enumerate(steps):
            one = Action(ActionKind.TICK, "Ana", at + number, at, step=step)
            assert await outbox.act(b"lane", one)

    await tick(shared, "abc", NOW)
    await tick(spool, "defg", NOW)
    await tick(spool, "hij", NOW + 600)
    await move(spool, shared)

    kept = [action.step for _, action in await shared.actions_since(0, 99)]
    assert sorted(kept) == ["a", "b", "c", "d", "e", "h", "i", "j"]


async def test_a_claim_whose_answer_never_came_is_due_once_its_owner_looks(shared):
    await put(shared, group("one"), group("two", lane="other"))
    held, lost = await take(shared, owner="me")

    assert await shared.recover("me", {held.lane}) == 1

    [again] = await take(shared, owner="me")
    assert (again.lane, again.id, again.resent) == (lost.lane, lost.id, True)
    assert await end(shared, held, Verdict.DELIVERED)


@pytest.mark.parametrize("to", ["sqlite", "postgres"])
@pytest.mark.parametrize("from_", ["sqlite", "postgres"])
async def test_a_store_is_copied_whole_and_a_second_copy_adds_nothing(tmp_path, from_, to):
    source = await store_at(tmp_path / "from", from_)
    target = await store_at(tmp_path / "to", to)
    old = await opened(source)
    await fill(old)
    before = await content(old)
    await old.close()

    seen = []
    with pytest.raises(InterruptedError):
        await copy(source, target, interrupted)
    for _ in range(2):
        assert await copy(source, target, lambda *some: seen.append(some)) == 11
    assert seen[0] == (0, 11)
    assert seen[-1] == (11, 11)

    new = await opened(target)
    assert await content(new) == before
    claims = {names(claim)[0]: claim for claim in await take(new, limit=20)}
    assert claims["2"].resent
    [(_, diverted), *_] = [(0, claim) for claim in await take(new, Destination("other", "two"))]
    assert diverted.groups[0].instead_of == B
    assert await new.divert(B, (A,), failing_before=NOW, now=NOW) == 0
    await put(new, group("again", lane="0"))
    assert (await take_one(new)).reference == "ts-1"
    await new.close()


def interrupted(done, _):
    if done == 4:
        raise InterruptedError


async def test_a_replay_that_is_no_longer_kept_does_not_make_a_dead_letter_of_it(tmp_path):
    source, target = [await store_at(tmp_path / name, "sqlite") for name in ("from", "to")]
    old = await opened(source)
    await put(old, group("one"))
    await end(old, await take_one(old), Verdict.DEAD)
    [row] = await old.deliveries()
    await old.discard(await old.replay(row.id, now=NOW), now=NOW)
    await old.close()
    await copy(source, target, lambda *_: None)
    new = await opened(target)
    [row] = await new.deliveries()
    assert (row.state, row.message) == (State.DEAD, "replayed")
    assert [one.dead for one in await new.backlog()] == [0]
    await new.close()


async def test_a_store_that_a_router_uses_is_not_copied(tmp_path):
    for kind, why in ("sqlite", "in use by another running service"), ("postgres", "1 routers"):
        source = await store_at(tmp_path / f"from-{kind}", kind)
        target = await store_at(tmp_path / f"to-{kind}", "sqlite")
        running = await opened(source)
        with pytest.raises(StoreRefused, match=why):
            await copy(source, target, lambda *_: None)
        await running.close()


async def test_a_store_is_not_copied_into_itself(tmp_path):
    source = await store_at(tmp_path / "from", "sqlite")
    with pytest.raises(StoreRefused, match="the same store"):
        await copy(source, source, lambda *_: None)


async def test_a_server_that_may_lose_what_it_committed_is_refused_unless_told(tmp_path):
    url = await server().database(tmp_path)
    name = url.rpartition("/")[2]
    await server().execute(f"ALTER DATABASE {name} SET synchronous_commit = off")
    with pytest.raises(StoreRefused, match="synchronous_commit"):
        await PostgresOutbox.open(Database(url, None, unsafe=False), Role.SERVICE)
    await (await PostgresOutbox.open(Database(url, None, unsafe=True), Role.SERVICE)).close()


async def test_a_database_that_cannot_hold_every_text_is_refused():
    await server().execute(
        "CREATE DATABASE latin TEMPLATE template0 ENCODING 'LATIN1' LC_COLLATE 'C' LC_CTYPE 'C'"
    )
    with pytest.raises(StoreRefused, match="encoding LATIN1"):
        await PostgresOutbox.open(Database(server().of("latin"), None, False), Role.SERVICE)


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
