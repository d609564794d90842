"""The tables in PostgreSQL are brought up to date while routers of the version before use them."""

import asyncio
import re
import sqlite3
from contextlib import suppress

import pytest

from alert_router.outbox.base import StoreRefused
from alert_router.outbox.model import Role
from alert_router.outbox.postgres import database as module
from alert_router.outbox.postgres.database import MIGRATIONS
from tests import version_before
from tests.outbox.kit import group, names, open_postgres, put, take_one
from tests.programs import eventually

# What earlier versions do not notice: they name the columns that they read and write, so that new
# ones need a default or NULL. An index is made in no time on tables whose rows are short-lived.
ALLOWED = (
    r"CREATE TABLE \w+ \(.*\)(?: WITH \(.*\))?",
    r"CREATE INDEX \w+ ON \w+ .*",
    r"DROP INDEX IF EXISTS \w+",
    r"ALTER TABLE \w+ ADD COLUMN \w+ (?!.*(?:NOT NULL(?!.* DEFAULT )|UNIQUE|REFERENCES|CHECK)).*",
    r"ALTER TABLE \w+ SET \(.*\)",
)


def forbidden(script: str) -> list[str]:
    """The statements of a script that routers of the version before may not live with."""
    without_comments = re.sub(r"--[^\n]*", "", script)
    statements = [" ".join(one.split()) for one in without_comments.split(";")]
    return [
        one for one in statements if one and not any(re.fullmatch(form, one) for form in ALLOWED)
    ]


@pytest.mark.parametrize("number", range(1, len(MIGRATIONS)))
def test_a_migration_leaves_everything_that_earlier_versions_use(number: int) -> None:
    assert forbidden(MIGRATIONS[number]) == []


@pytest.mark.parametrize(
    "statement",
    [
        "DROP TABLE action",
        "ALTER TABLE lane DROP COLUMN crashes",
        "ALTER TABLE lane RENAME COLUMN crashes TO faults",
        "ALTER TABLE lane ALTER COLUMN crashes TYPE bigint",
        "ALTER TABLE lane ADD COLUMN more integer NOT NULL",
        "ALTER TABLE lane ADD COLUMN more integer UNIQUE",
        "CREATE UNIQUE INDEX one_lane ON lane (identity)",
        "CREATE TRIGGER t AFTER INSERT ON lane EXECUTE FUNCTION f()",
        "UPDATE lane SET phase = 3",
    ],
)
def test_what_earlier_versions_could_not_live_with_is_found(statement: str) -> None:
    fine = "CREATE TABLE more (id bigint);\nALTER TABLE lane ADD COLUMN x text NOT NULL DEFAULT ''"
    assert forbidden(f"{fine}; -- a comment\n{statement};") == [statement]


async def test_the_version_before_that_tests_run_knows_its_tables_alone(tmp_path, monkeypatch):
    """Or the stories about rolling updates would try today's routers with today's."""
    monkeypatch.setattr(module, "MIGRATIONS", version_before.POSTGRES_TABLES)
    old = await open_postgres(tmp_path)
    connection = await old.database.connect()
    for statement, _ in version_before.postgres_statements().values():
        await connection.prepare(statement)
    connection.terminate()
    await old.close()


def test_the_spool_of_the_version_before_that_tests_run_knows_its_tables_alone():
    spool = sqlite3.connect(":memory:")
    for script in version_before.SQLITE_TABLES:
        spool.executescript(script)
    for statement in version_before.sqlite_statements().values():
        with suppress(sqlite3.ProgrammingError):  # for want of values; it knows all names
            spool.execute(f"EXPLAIN {statement}")


@pytest.mark.parametrize("number", range(1, len(MIGRATIONS)))
def test_a_migration_locks_one_table_that_routers_use(number: int) -> None:
    """It keeps nobody waiting who has locked what it waits for."""
    assert len(set(re.findall(r"ALTER TABLE (\w+)", MIGRATIONS[number]))) <= 1


@pytest.mark.parametrize(
    ("first", "then"),
    [
        (
            "SELECT id FROM identity FOR UPDATE",
            "INSERT INTO alert_group (id, accepted_at, body) VALUES ('two', 1, '')",
        ),
        ("SELECT id FROM alert_group", "SELECT id FROM identity"),
    ],
    ids=["accepting", "reading"],
)
async def test_a_migration_lets_transactions_end_that_began_before_it(
    tmp_path, monkeypatch, first, then
):
    monkeypatch.setattr(module, "MIGRATIONS", MIGRATIONS[:5])
    old = await open_postgres(tmp_path)
    await old.close()
    monkeypatch.setattr(module, "MIGRATIONS", MIGRATIONS)
    running, migrating, looking = [await old.database.connect() for _ in range(3)]
    await running.execute("SET idle_in_transaction_session_timeout = 0")
    await running.execute("BEGIN")
    await running.execute(first)
    migration = asyncio.create_task(old.database.migrate(migrating, may_change=True))

    async def is_waiting():
        pid = migrating.get_server_pid()
        return await looking.fetchval(
            "SELECT count(*) FROM pg_locks WHERE pid = $1 AND NOT granted", pid
        )

    await eventually(is_waiting, "the migration to wait for the transaction")
    await running.execute(then)
    await running.execute("COMMIT")

    assert await migration == len(MIGRATIONS) - 5
    assert await old.database.version(looking) == len(MIGRATIONS)
    for connection in (running, migrating, looking):
        connection.terminate()


async def test_a_newer_version_of_the_tables_is_used_and_a_command_changes_none(
    tmp_path, monkeypatch
):
    monkeypatch.setattr(module, "MIGRATIONS", MIGRATIONS[:-1])
    old = await open_postgres(tmp_path)
    monkeypatch.setattr(module, "MIGRATIONS", MIGRATIONS)
    with pytest.raises(StoreRefused, match="storage migrate"):
        await type(old).open(old.database, Role.COMMAND)
    new = await open_postgres(tmp_path)
    await put(old, group("one"))
    await put(new, group("two"))
    assert names(await take_one(old)) == ["one", "two"]
    monkeypatch.setattr(module, "MIGRATIONS", MIGRATIONS[:-1])
    late = await open_postgres(tmp_path)  # an old one that starts again
    await put(late, group("three", lane="other"))
    assert names(await take_one(new)) == ["three"]
    for outbox in (old, new, late):
        await outbox.close()
