"""The SQLite file: who may open it, and that it does not grow without end."""

import asyncio
import os
import re
import sqlite3
import subprocess
import sys
import tempfile
from contextlib import closing
from pathlib import Path

import pytest

from alert_router.outbox.base import StoreUnavailable
from alert_router.outbox.model import Role, State, Verdict
from alert_router.outbox.sqlite import SqliteOutbox
from alert_router.outbox.sqlite.database import check_guest
from tests.outbox.kit import NOW, end, group, put, take, take_one
from tests.programs import PATIENCE


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "alert-router.db"


async def make(path: Path) -> None:
    outbox = SqliteOutbox.open(path)
    await put(outbox, group("one"))
    await outbox.close()


def run(code: str, *arguments: object, **how: object) -> subprocess.CompletedProcess[str]:
    """Python code in another process."""
    command = [sys.executable, "-c", code, *map(str, arguments)]
    return subprocess.run(
        command, check=False, capture_output=True, text=True, timeout=PATIENCE, **how
    )


OPEN = """
import asyncio, sys
from pathlib import Path
from alert_router.outbox.sqlite import SqliteOutbox
from alert_router.outbox.base import StoreUnavailable
from alert_router.outbox.model import Role
async def main():
    try:
        outbox = SqliteOutbox.open(Path(sys.argv[1]), Role[sys.argv[2]])
        print(len(await outbox.deliveries()))
        await outbox.close()
    except StoreUnavailable as error:
        print(error)
asyncio.run(main())
"""


def test_a_missing_directory_is_named(tmp_path):
    with pytest.raises(StoreUnavailable, match=f"no directory {tmp_path}/missing"):
        SqliteOutbox.open(tmp_path / "missing" / "a.db")
    assert not (tmp_path / "missing").exists()


async def test_two_services_never_share_a_store(path):
    service = SqliteOutbox.open(path)
    with pytest.raises(StoreUnavailable, match="in use by another running service"):
        SqliteOutbox.open(path)
    assert "in use by another" in run(OPEN, path, "SERVICE").stdout
    await put(service, group("one"))
    await service.close()
    assert run(OPEN, path, "SERVICE").stdout == "1\n"


async def test_nothing_is_left_beside_the_store(path):
    await make(path)
    run(OPEN, path, "COMMAND")
    assert [one.name for one in path.parent.iterdir()] == [path.name]


async def test_a_command_works_beside_the_service_and_takes_no_lease_from_it(path):
    service = SqliteOutbox.open(path)
    await put(service, group("one"), group("two"))
    claim = await take_one(service, fold=False)

    assert run(OPEN, path, "COMMAND").stdout == "2\n"
    guest = SqliteOutbox.open(path, Role.COMMAND)
    await guest.discard(2, now=NOW)
    await guest.close()

    assert await end(service, claim, Verdict.DELIVERED)
    assert [row.state for row in await service.deliveries()] == [State.DELIVERED]
    await service.close()


def test_a_command_makes_no_store(path):
    with pytest.raises(StoreUnavailable, match="No such file"):
        SqliteOutbox.open(path, Role.COMMAND)
    assert not path.exists()


async def test_a_newer_store_is_refused_and_left_alone(path):
    await make(path)
    with closing(sqlite3.connect(path)) as raw:
        raw.execute("PRAGMA user_version = 99")
    for role in Role:
        with pytest.raises(StoreUnavailable, match=r"newer version.*of version 99"):
            SqliteOutbox.open(path, role)


@pytest.mark.parametrize("role", Role)
def test_another_programs_database_is_refused_and_left_alone(path, role):
    with closing(sqlite3.connect(path)) as raw:
        raw.execute("CREATE TABLE theirs (id)")
    before = path.read_bytes()
    with pytest.raises(StoreUnavailable, match="of another program"):
        SqliteOutbox.open(path, role)
    assert path.read_bytes() == before


@pytest.mark.parametrize("role", Role)
def test_a_file_that_is_no_database_is_refused_and_left_alone(path, role):
    path.write_bytes(b"not a database, but long enough to be looked at\n" * 99)
    before = path.read_bytes()
    with pytest.raises(StoreUnavailable, match=r"cannot open the store .*not a database"):
        SqliteOutbox.open(path, role)
    assert path.read_bytes() == before
    assert [one.name for one in path.parent.iterdir()] == [path.name]


def test_an_empty_file_is_not_filled_by_a_command(path):
    path.touch()
    with pytest.raises(StoreUnavailable, match="start the service once"):
        SqliteOutbox.open(path, Role.COMMAND)


@pytest.mark.skipif(os.geteuid() != 0, reason="needs root to act for another user")
async def test_a_command_run_by_root_leaves_nothing_that_the_owner_cannot_write(path):
    await make(path)
    os.chown(path.parent, 65534, 65534)
    os.chown(path, 65534, 65534)
    guest = SqliteOutbox.open(path, Role.COMMAND)
    await guest.deliveries()
    await guest.discard(1, now=NOW)
    beside = list(path.parent.iterdir())
    assert len(beside) == 3
    assert {one.stat().st_uid for one in beside} == {65534}
    await guest.close()


@pytest.mark.skipif(os.geteuid() != 0, reason="needs root to act for another user")
async def test_a_command_run_by_a_stranger_is_refused_where_it_would_leave_files():
    with tempfile.TemporaryDirectory() as directory:  # pytest's own are closed to strangers
        Path(directory).chmod(0o755)
        path = Path(directory, "alert-router.db")
        service = SqliteOutbox.open(path)
        await put(service, group("one"))
        os.seteuid(65534)
        try:
            check_guest(path)  # the service made the files already
        finally:
            os.seteuid(0)
        await service.close()
        os.seteuid(65534)
        try:
            with pytest.raises(StoreUnavailable, match="run this as that user or as root"):
                check_guest(path)
        finally:
            os.seteuid(0)


async def test_a_lock_held_too_long_is_told_and_passes(path, monkeypatch):
    from alert_router.outbox.sqlite import database

    monkeypatch.setattr(database, "_BUSY_SECONDS", 0.05)
    outbox = SqliteOutbox.open(path)
    with closing(sqlite3.connect(path, isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        with pytest.raises(StoreUnavailable, match="locked"):
            await outbox.accept(group("one"), 0)
        other.execute("ROLLBACK")
    await put(outbox, group("two"))
    assert [row.group for row in await outbox.deliveries()] == ["two"]
    await outbox.close()


async def test_the_file_gives_space_back(path):
    outbox = SqliteOutbox.open(path)
    many = [group(f"{n}", body=bytes(50_000)) for n in range(300)]
    await asyncio.gather(*(outbox.accept(one, 0) for one in many))
    while claims := await take(outbox):
        await end(outbox, claims[0], Verdict.DELIVERED)
    old = NOW + 10 * 86_400
    while await outbox.prune(delivered_before=old, dead_before=old, limit=50):
        pass
    for _ in range(20):
        await outbox.prune(delivered_before=old, dead_before=old, limit=50)
    await outbox.close()
    with closing(sqlite3.connect(path)) as raw:
        kept = {
            name: raw.execute(f"SELECT count(*) FROM {name}").fetchone()[0]
            for name in ("alert_group", "identity", "lane", "delivery")
        }
        assert raw.execute("PRAGMA integrity_check").fetchone() == ("ok",)
    assert kept == dict.fromkeys(kept, 0)
    assert path.stat().st_size < 6_000_000


EXPIRY = {"destination": 0, "before": 0, "now": 0, "limit": 0}
PLANS = {
    "ready_lanes": ("lane_ready", 2),
    "later_lanes": ("lane_later", 4),
    "next_priority": ("lane_later", 2),
    "waiting_in_lane": ("delivery_lane", 3),
    "rest_of_lane": ("delivery_lane", 1),
    "settle_batch": ("delivery_lane", 7),
    "to_expire": ("delivery_waiting", EXPIRY),
    "to_expire_tried": ("lane_later", EXPIRY),
    "prune_settled": ("delivery_settled", 3),
    "old_contents": ("identity_age", 2),
    "old_references": ("lane_reference", 2),
}


@pytest.mark.parametrize("name", PLANS)
async def test_what_is_asked_often_goes_by_its_index_and_sorts_nothing(path, name):
    from alert_router.outbox.sqlite.database import QUERIES

    await make(path)
    index, number = PLANS[name]
    values = number if isinstance(number, dict) else (0,) * number
    with closing(sqlite3.connect(path)) as raw:
        steps = [row[3] for row in raw.execute(f"EXPLAIN QUERY PLAN {QUERIES[name]}", values)]
    plan = "\n".join(steps)
    assert index in plan, plan
    assert "TEMP B-TREE" not in plan
    assert not re.search(r"^SCAN (?!CONSTANT|\(|few)", plan, re.MULTILINE), plan


async def test_a_step_of_pruning_ends_once_its_time_is_up(path, monkeypatch):
    from alert_router.outbox import deliveries

    monkeypatch.setattr(deliveries, "_STEP", 0.0)
    outbox = SqliteOutbox.open(path)
    await put(outbox, *(group(f"{n}") for n in range(20)))
    await end(outbox, await take_one(outbox), Verdict.DELIVERED)
    old = NOW + 1
    steps = [await outbox.prune(delivered_before=old, dead_before=old, limit=100) for _ in range(4)]
    assert steps == [8, 8, 4, 0]
    await outbox.close()
