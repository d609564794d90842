"""The tables in PostgreSQL are brought up to date while routers of the version before use them."""

import re

import pytest

from alert_router.outbox.base import StoreRefused
from alert_router.outbox.model import Role
from alert_router.outbox.postgres import database as module
from alert_router.outbox.postgres.database import MIGRATIONS
from tests.outbox.kit import group, names, open_postgres, put, take_one

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
