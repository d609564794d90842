"""`alert-router storage`, on a real store."""

import asyncio
import os
import sqlite3
import stat
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from alert_router.outbox.model import Role, Storage
from alert_router.outbox.opening import open_outbox
from alert_router.outbox.sqlite import files
from tests.outbox.kit import group, put


@pytest.fixture
def store(router) -> Path:
    """The store of the configuration, with one group."""
    path = router.directory / "store.db"
    fill(path, "one")
    return path


def fill(path: Path, *names: str) -> None:
    async def work() -> None:
        outbox = await open_outbox(Storage(path), Role.SERVICE)
        await put(outbox, *(group(name, lane=name) for name in names))
        await outbox.close()

    asyncio.run(work())


def groups(path: Path) -> list[str]:
    """As the service finds them at its next start, which reports nothing."""

    async def work() -> list[str]:
        faults = []
        outbox = await open_outbox(
            Storage(path), Role.SERVICE, on_fault=lambda fault, lost: faults.append(fault)
        )
        rows = await outbox.deliveries()
        await outbox.close()
        assert faults == []
        return sorted(row.group for row in rows)

    return asyncio.run(work())


def test_a_backup_is_one_file_that_can_be_restored(router, store, tmp_path):
    copy = tmp_path / "copy.db"
    answer = router.json("storage", "backup", copy)
    assert answer == {"file": str(copy), "bytes": copy.stat().st_size}
    assert [one.name for one in tmp_path.glob("copy*")] == ["copy.db"]
    fill(store, "two")
    store.chmod(0o600)

    answer = router.json("storage", "restore", copy)
    kept = Path(answer["kept"])
    assert Path(answer["store"]).absolute() == store
    assert stat.S_IMODE(store.stat().st_mode) == 0o600
    assert groups(store) == ["one"]
    assert groups(kept) == ["one", "two"]


def test_a_backup_of_a_running_router_has_everything_it_accepted(router, store, tmp_path):
    async def work() -> None:
        outbox = await open_outbox(Storage(store), Role.SERVICE)
        await put(outbox, group("two", lane="two"))
        # In the -wal file alone, as `cp` would miss it.
        await asyncio.to_thread(router.json, "storage", "backup", tmp_path / "copy.db")
        refused = await asyncio.to_thread(router.run, "storage", "restore", tmp_path / "copy.db")
        assert refused.exit_code == 1
        assert "in use by another running service" in refused.stderr
        await outbox.close()

    asyncio.run(work())
    assert groups(tmp_path / "copy.db") == ["one", "two"]


def test_a_backup_keeps_no_router_from_writing_and_has_nothing_of_what_is_written_meanwhile(
    store, tmp_path
):
    written: list[int] = []

    class Source(sqlite3.Connection):
        """Between any two pages of a backup, somebody else writes."""

        def backup(self, target: sqlite3.Connection, *, pages: int = -1, **more: Any) -> None:
            def write(*_):
                router.execute("UPDATE alert_group SET id = 'other'")
                written.append(pages)

            super().backup(target, pages=1, progress=write, **more)

    with (
        closing(sqlite3.connect(store, isolation_level=None, timeout=0)) as router,
        closing(sqlite3.connect(store, isolation_level=None, factory=Source)) as source,
    ):
        files.write(source, tmp_path / "copy.db")
        pages = router.execute("PRAGMA page_count").fetchone()[0]
    assert len(written) == pages
    assert (groups(tmp_path / "copy.db"), groups(store)) == (["one"], ["other"])


def test_a_backup_does_not_overwrite_a_file(router, store, tmp_path):
    (tmp_path / "copy.db").write_text("mine")
    result = router.run("storage", "backup", tmp_path / "copy.db")
    assert result.exit_code == 1
    assert "exists already" in result.stderr
    assert (tmp_path / "copy.db").read_text() == "mine"


def test_a_backup_into_a_directory_that_is_missing_is_an_error(router, store, tmp_path):
    result = router.run("storage", "backup", tmp_path / "missing" / "copy.db")
    assert result.exit_code == 1
    assert "cannot back up the store" in result.stderr


def test_a_backup_of_a_missing_store_is_an_error(router, tmp_path):
    result = router.run("storage", "backup", tmp_path / "copy.db")
    assert result.exit_code == 1
    assert "there is no store" in result.stderr


def test_restore_creates_a_missing_store(router, store, tmp_path):
    router.json("storage", "backup", tmp_path / "copy.db")
    store.unlink()
    assert router.json("storage", "restore", tmp_path / "copy.db")["kept"] is None
    assert groups(store) == ["one"]
    assert [one.name for one in store.parent.glob("store.db*")] == ["store.db"]


def newer(path: Path) -> None:
    with closing(sqlite3.connect(path)) as raw:
        raw.execute("PRAGMA user_version = 99")


def another(path: Path) -> None:
    path.unlink()
    with closing(sqlite3.connect(path)) as raw:
        raw.execute("CREATE TABLE theirs (id)")


def damaged(path: Path) -> None:
    with path.open("r+b") as file:
        file.seek(3 * 4096)
        file.write(os.urandom(8 * 4096))


@pytest.mark.parametrize(
    ("spoil", "why"),
    [
        (newer, "newer version"),
        (another, "another program"),
        (damaged, "is damaged"),
        (Path.unlink, "there is no file"),
        (lambda path: os.truncate(path, 0), "is empty"),
        (lambda path: path.write_text("no database" * 999), "not a store"),
    ],
)
def test_a_copy_that_is_not_a_sound_store_is_not_restored(router, store, tmp_path, spoil, why):
    copy = tmp_path / "copy.db"
    router.json("storage", "backup", copy)
    spoil(copy)
    before = store.read_bytes()
    result = router.run("storage", "restore", copy)
    assert result.exit_code == 1
    assert why in result.stderr
    assert str(copy) in result.stderr
    assert store.read_bytes() == before
    assert [one.name for one in store.parent.glob("store.db*")] == ["store.db"]


def test_a_damaged_store_is_not_backed_up(router, store, tmp_path):
    fill(store, *map(str, range(300)))
    damaged(store)
    result = router.run("storage", "backup", tmp_path / "copy.db")
    assert result.exit_code == 1
    assert list(tmp_path.glob("copy*")) == []


def test_a_store_in_use_is_said_on_standard_error_alone(router, store):
    outbox = asyncio.run(open_outbox(Storage(store), Role.SERVICE))
    try:
        result = router.run("storage", "migrate", "--output", "json")
    finally:
        asyncio.run(outbox.close())
    assert (result.exit_code, result.stdout) == (1, "")
    assert "is in use by another running service" in result.stderr


def test_a_store_is_copied_and_the_routers_of_its_source_must_be_stopped(router, store, tmp_path):
    target = tmp_path / "target.db"
    urls = f"sqlite:///{store}", f"sqlite:///{target}"
    for _ in range(2):
        assert router.json("storage", "copy", *urls) == {"alert_groups": 1}
    assert groups(target) == ["one"]

    async def work() -> None:
        outbox = await open_outbox(Storage(store), Role.SERVICE)
        refused = await asyncio.to_thread(router.run, "storage", "copy", *urls)
        assert refused.exit_code == 1
        assert "in use by another running service" in refused.stderr
        await outbox.close()

    asyncio.run(work())
