"""Services that share a database announce to each other what is due."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from alert_router.outbox.model import Destination, Role, Verdict
from alert_router.outbox.postgres.database import Database
from alert_router.outbox.postgres.outbox import PostgresOutbox
from alert_router.outbox.postgres.pool import destination_named, named
from tests.outbox.kit import (
    NOW,
    A,
    B,
    end,
    failing,
    group,
    open_postgres,
    put,
    set_health,
    take_one,
)
from tests.postgres import server
from tests.programs import eventually


class Listening:
    """A service and what it heard."""

    def __init__(self, outbox: PostgresOutbox) -> None:
        self.outbox = outbox
        self.heard: list[Destination | None] = []
        outbox.listen(self.heard.append)

    async def hears(self, *what: Destination | None) -> None:
        await eventually(lambda: set(what) <= set(self.heard), f"an announcement of {what}")
        self.heard.clear()


@pytest.fixture
async def one(tmp_path: Path) -> AsyncIterator[PostgresOutbox]:
    outbox = await open_postgres(tmp_path)
    yield outbox
    await outbox.close()


@pytest.fixture
async def other(tmp_path: Path, one: PostgresOutbox) -> AsyncIterator[Listening]:
    del one
    outbox = await open_postgres(tmp_path)
    yield Listening(outbox)
    await outbox.close()


async def test_what_a_service_cannot_take_is_announced_to_the_others(one, other):
    one.announce(A)
    one.announce(B)
    await other.hears(A, B)
    one.announce(A)
    await other.hears(A)


async def test_what_is_announced_just_before_a_stop_is_heard(one, other):
    one.announce(A)
    await one.close()
    await other.hears(A)


async def test_a_delivery_that_a_command_replays_is_announced(tmp_path, one, other):
    await put(one, group("one"))
    await end(one, await take_one(one), Verdict.DEAD)
    [row] = await one.deliveries()
    url = await server().database(tmp_path)
    command = await PostgresOutbox.open(Database(url, None, False), Role.COMMAND)
    await command.replay(row.id, now=NOW)
    await command.close()
    await other.hears(A)


async def test_a_destination_that_is_well_again_is_announced(one, other):
    await put(one, group("one"), group("two", lane="two"))
    await end(one, await take_one(one), Verdict.RETRY, due_at=NOW + 60, health=failing())
    await set_health(one, A, failing())
    other.heard.clear()
    await end(one, await take_one(one), Verdict.DELIVERED)
    await other.hears(A)


async def test_a_claim_that_is_given_back_at_a_stop_is_announced(one, other):
    await put(one, group("one"))
    await end(one, await take_one(one), Verdict.RELEASED)
    await other.hears(A)


async def test_what_is_diverted_is_announced_to_its_new_destination(one, other):
    await put(one, group("one"))
    await set_health(one, A, failing(NOW - 600))
    other.heard.clear()
    assert await one.divert(A, (B,), failing_before=NOW, now=NOW) == 1
    await other.hears(B)


async def test_a_service_listens_again_after_its_connection_was_lost(tmp_path, one, other):
    name = (await server().database(tmp_path)).rpartition("/")[2]
    await server().execute(
        f"SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = '{name}'"
    )
    await other.hears(None)  # anything may have been announced meanwhile

    async def is_heard() -> bool:
        one.announce(A)
        await asyncio.sleep(0.05)
        return A in other.heard

    await eventually(is_heard, "an announcement after the connection was lost")


@pytest.mark.parametrize("text", ["", "[", "[1]", '["a", 1]', "[" * 6_000, '{"a": 1}'])
def test_an_announcement_that_is_not_ours_means_any_destination(text):
    assert destination_named(text) is None


@pytest.mark.parametrize("name", ["päge/\N{PILE OF POO}", "a\0b", "x\ud800", "n" * 9_000])
def test_names_of_all_kinds_can_be_announced(name):
    text = named(Destination(name, name))
    assert len(text.encode()) < 8_000
    assert "\0" not in text
    assert destination_named(text) in (Destination(name, name), None)
    assert (text == "") == (len(name) > 1_000)
