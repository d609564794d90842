"""A store of an earlier version is brought up to date, and nothing in it is lost."""

import sqlite3
from contextlib import closing
from hashlib import sha256
from pathlib import Path

import pytest

from alert_router.outbox.base import StoreUnavailable
from alert_router.outbox.model import Observation, Role, State
from alert_router.outbox.sqlite import SqliteOutbox
from alert_router.outbox.sqlite.database import MIGRATIONS
from tests.outbox.kit import NOW, B, group, names, put, take

EARLIER = Path(__file__).parent / "store-1.sql"


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """A store as the program of version 1 left it."""
    path = tmp_path / "alert-router.db"
    with closing(sqlite3.connect(path)) as raw:
        raw.executescript(EARLIER.read_text(encoding="utf-8"))
    return path


def version(path: Path) -> int:
    with closing(sqlite3.connect(path)) as raw:
        return raw.execute("PRAGMA user_version").fetchone()[0]


async def test_the_service_brings_an_earlier_store_up_to_date_and_carries_on(path):
    assert version(path) == 1
    outbox = SqliteOutbox.open(path)
    assert {
        (row.group, row.destination.notifier): row.state for row in await outbox.deliveries()
    } == {
        ("delivered", "slack"): State.DELIVERED,
        ("waiting", "slack"): State.WAITING,
        ("waiting", "webhook"): State.WAITING,
        ("dead", "webhook"): State.DEAD,
    }
    assert [names(claim) for claim in await take(outbox, B)] == [["waiting"]]
    await put(outbox, group("new", lane="a"))
    assert [claim.reference for claim in await take(outbox) if names(claim) == ["new"]] == [
        "message-1"
    ]
    seen = Observation(1, "RedisDown", "", "none", 1, 0, NOW)
    await outbox.observe([seen])
    assert await outbox.observed(1) == [seen]
    await outbox.close()
    assert version(path) == len(MIGRATIONS)


@pytest.mark.parametrize("earlier", range(1, 4))
async def test_what_backed_off_for_its_destination_is_due_once_the_store_is_up_to_date(
    path, earlier
):
    with closing(sqlite3.connect(path)) as raw:
        for number in range(1, earlier):
            raw.executescript(f"{MIGRATIONS[number]};PRAGMA user_version = {number + 1};")
        raw.execute("UPDATE destination SET paused_until = 9e9, pause_reason = '404'")
        raw.execute("UPDATE lane SET phase = 2, leased = 0, due_at = 9e9 WHERE phase = 1")
        raw.commit()
    assert version(path) == earlier
    outbox = SqliteOutbox.open(path)
    assert [names(claim) for claim in await take(outbox, B)] == [["waiting"]]
    await outbox.close()
    assert version(path) == len(MIGRATIONS)


async def test_an_updated_store_has_the_tables_of_a_new_one(path, tmp_path):
    def tables(of: Path) -> dict[str, str]:
        with closing(sqlite3.connect(of)) as raw:
            found = raw.execute("SELECT name, sql FROM sqlite_master WHERE sql NOT NULL")
            # A table made anew from a dump has quotes around its name, nothing else differs.
            return {name: sql.replace('"', "") for name, sql in found}

    new = tmp_path / "new.db"
    for store in (path, new):
        await SqliteOutbox.open(store).close()
    assert tables(path) == tables(new)


def test_a_command_leaves_an_earlier_store_to_the_service(path):
    with pytest.raises(StoreUnavailable, match=r"older version: start the service once"):
        SqliteOutbox.open(path, Role.COMMAND)
    assert version(path) == 1


async def test_an_update_that_fails_leaves_the_store_as_it_was(path):
    with closing(sqlite3.connect(path)) as raw:
        raw.execute("CREATE TABLE observed (something TEXT)")
    with pytest.raises(StoreUnavailable, match="cannot open the store"):
        SqliteOutbox.open(path)
    assert version(path) == 1


def test_the_scripts_of_versions_in_use_never_change():
    """A store made by the script of its day would lack whatever is added to it later: what is
    new goes into a script of its own."""
    digests = [sha256(script.encode()).hexdigest()[:16] for script in MIGRATIONS]
    assert digests == [
        "f3ba8a93ed2018b5",
        "4764fb6f2dc924ed",
        "d4a78afd5254fc99",
        "69e5aae2bb98d15a",
        "54436510e50706cb",
        "9724f80f5bd044cb",
        "d5dabd23bd72c423",
        "261a49222075de93",
        "46dbbabb9288eb9b",
        "b9a27605b5e9aa33",
    ]
