"""A store that is damaged, deleted or replaced: what is left is saved, what is lost is said, and
what comes afterwards is kept.
"""

import asyncio
import os
import random
import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing, suppress
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from alert_router.outbox.base import StoreRefused, StoreUnavailable
from alert_router.outbox.model import Fault, Role, State, Verdict
from alert_router.outbox.sqlite import SqliteOutbox
from alert_router.outbox.sqlite.salvage import salvage
from tests.outbox.kit import A, B, end, group, names, put, take
from tests.programs import PATIENCE, need

PAGE = 4096


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "alert-router.db"


@dataclass
class Faults:
    """What a store reported."""

    kinds: list[str] = field(default_factory=list)
    lost: dict[str, int] = field(default_factory=dict)

    def __call__(self, fault: Fault, lost: dict[str, int]) -> None:
        self.kinds.append(fault.value)
        self.lost |= lost


def wal(path: Path) -> Path:
    return path.with_name(path.name + "-wal")


def beside(path: Path, why: str) -> list[Path]:
    return sorted(path.parent.glob(f"{path.name}.{why}-*"))


def overwrite(path: Path, offset: int, size: int = PAGE, *, seed: int = 1) -> None:
    """Put noise into a file."""
    with path.open("r+b") as file:
        file.seek(offset)
        file.write(random.Random(seed).randbytes(size))


def pages_of(path: Path, name: str) -> list[int]:
    """The offsets of the pages of a table or index."""
    with closing(sqlite3.connect(path)) as raw:
        found = raw.execute("SELECT rootpage FROM sqlite_master WHERE name = ?", (name,)).fetchone()
        root = found[0]
    data = path.read_bytes()

    def walk(number: int) -> Iterator[int]:
        yield (number - 1) * PAGE
        start = (number - 1) * PAGE
        if data[start] in (2, 5):  # an inner page
            cells = int.from_bytes(data[start + 3 : start + 5])
            for cell in range(cells):
                at = start + 12 + 2 * cell
                pointer = start + int.from_bytes(data[at : at + 2])
                yield from walk(int.from_bytes(data[pointer : pointer + 4]))
            yield from walk(int.from_bytes(data[start + 8 : start + 12]))

    return [*walk(root)]


_filled: dict[int, bytes] = {}


async def fill(path: Path, count: int = 2000) -> None:
    """A closed store with as many groups, each in a lane of its own for A and B."""
    if count not in _filled:
        outbox = SqliteOutbox.open(path)
        many = [group(f"g{n}", A, B, lane=f"l{n}", body=bytes(600)) for n in range(count)]
        await asyncio.gather(*(outbox.accept(one, 0) for one in many))
        await outbox.close()
        _filled[count] = path.read_bytes()
    path.write_bytes(_filled[count])


async def waiting(outbox: SqliteOutbox) -> dict[str, set[str]]:
    """The groups that can be claimed, by notifier."""
    found: dict[str, set[str]] = {}
    for destination in (A, B):
        there: set[str] = set()
        while claims := await take(outbox, destination, limit=500):
            there.update(name for claim in claims for name in names(claim))
            await asyncio.gather(*(end(outbox, claim, Verdict.DELIVERED) for claim in claims))
        found[destination.notifier] = there
    return found


async def test_a_store_that_was_closed_or_killed_reports_nothing(path):
    faults = Faults()
    await fill(path, 10)
    for round_ in range(3):
        outbox = SqliteOutbox.open(path, on_fault=faults)
        await put(outbox, group(f"more{round_}"))
        await outbox.close()
    assert faults.kinds == []
    assert [one.name for one in path.parent.iterdir()] == [path.name]


@pytest.mark.parametrize("seed", range(6))
async def test_of_a_store_with_random_pages_overwritten_the_rest_goes_out(path, seed):
    await fill(path)
    chance = random.Random(seed)
    pages = path.stat().st_size // PAGE
    hit = chance.sample(range(1, pages), 3)
    for number in hit:
        overwrite(path, number * PAGE, seed=seed)
    faults = Faults()
    outbox = SqliteOutbox.open(path, on_fault=faults)
    try:
        assert faults.kinds == ["damaged"]
        [kept] = beside(path, "damaged")
        assert kept.read_bytes()[hit[0] * PAGE :][:PAGE] == random.Random(seed).randbytes(PAGE)
        await put(outbox, group("after", A, B))
        there = await waiting(outbox)
        for found in there.values():
            assert "after" in found
            assert len(found) > 1800
        left = len(there["slack"]) + len(there["webhook"]) - 2
        assert faults.lost["delivery"] >= 4000 - left
    finally:
        await outbox.close()
    with closing(sqlite3.connect(path)) as raw:
        assert raw.execute("PRAGMA integrity_check").fetchone() == ("ok",)
        assert raw.execute("PRAGMA foreign_key_check").fetchall() == []


@pytest.fixture(scope="module")
def filled(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A closed store, with bodies that need several pages among them."""
    path = tmp_path_factory.mktemp("filled") / "alert-router.db"

    async def make() -> None:
        outbox = SqliteOutbox.open(path)
        for n in range(150):
            body = bytes(9_000 if n % 10 == 0 else 600)
            await outbox.accept(group(f"g{n}", A, B, lane=f"l{n}", body=body), 0)
        await outbox.close()

    asyncio.run(make())
    return path


@settings(
    max_examples=80, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(seed=st.integers(0, 2**32), pages=st.integers(1, 40), few_bytes=st.booleans())
def test_whatever_is_damaged_a_sound_store_comes_out(
    filled: Path, tmp_path: Path, seed: int, pages: int, few_bytes: bool
) -> None:
    chance, data = random.Random(seed), bytearray(filled.read_bytes())
    for page in chance.sample(range(1, len(data) // PAGE), pages):
        start = page * PAGE
        if few_bytes:  # most of the page still makes sense
            for at in (*range(3, 9), *(chance.randrange(PAGE) for _ in range(40))):
                if chance.random() < 0.5:
                    data[start + at] = chance.choice((0, 1, 127, 128, 255, chance.randrange(256)))
        else:
            data[start : start + PAGE] = chance.randbytes(PAGE)
    damaged, new = tmp_path / "damaged.db", tmp_path / "new.db"
    damaged.write_bytes(data)
    for name in ("new.db", "new.db-wal", "new.db-shm"):
        (tmp_path / name).unlink(missing_ok=True)
    salvage(damaged, new)
    with closing(sqlite3.connect(new)) as store:
        assert store.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
        assert store.execute("PRAGMA foreign_key_check").fetchall() == []
    asyncio.run(use(new))


async def test_a_store_that_cannot_be_salvaged_is_kept_beside_an_empty_one(path, monkeypatch):
    def fail(path: Path, new: Path) -> None:
        new.write_bytes(b"half")
        raise ValueError("a defect")

    await fill(path, 200)
    for page in (2, 3, 4, 5, 6):
        overwrite(path, page * PAGE)
    monkeypatch.setattr("alert_router.outbox.sqlite.opening.salvage", fail)
    faults = Faults()
    outbox = SqliteOutbox.open(path, on_fault=faults)
    await put(outbox, group("new", A, lane="new"))
    assert (await waiting(outbox))["slack"] == {"new"}
    await outbox.close()
    assert faults.kinds == ["damaged"]
    assert len(beside(path, "damaged")) == 1


async def use(path: Path) -> None:
    """What is in a store and what comes afterwards can be listed and claimed."""
    outbox = SqliteOutbox.open(path)
    await outbox.accept(group("new", A, lane="new"), 0)
    await outbox.deliveries(limit=10_000)
    await outbox.backlog()
    seen = set()
    while claims := await outbox.claim(
        A, owner="service", limit=50, now=1e12, lease=1e12, fold=True
    ):
        seen |= {name for claim in claims for name in names(claim)}
    assert "new" in seen
    await outbox.close()


@pytest.mark.parametrize(
    ("table", "lost"),
    [
        ("destination", 0), ("lane", 0), ("identity", 0), ("delivery_lane", 0),
        ("delivery_waiting", 0), ("sqlite_autoindex_lane_1", 0),
    ],
)  # fmt: skip
async def test_what_an_index_or_the_other_rows_still_know_costs_no_delivery(path, table, lost):
    await fill(path)
    for page in pages_of(path, table)[-1:]:
        overwrite(path, page)
    faults = Faults()
    outbox = SqliteOutbox.open(path, on_fault=faults)
    there = await waiting(outbox)
    assert {name: len(found) for name, found in there.items()} == {"slack": 2000, "webhook": 2000}
    assert faults.kinds == ["damaged"]
    assert sum(faults.lost.values()) == lost
    await outbox.close()


async def test_of_a_table_with_a_lost_page_exactly_its_rows_are_lost_and_counted(path):
    await fill(path)
    leaves = pages_of(path, "delivery")[1:]
    overwrite(path, leaves[3])
    faults = Faults()
    outbox = SqliteOutbox.open(path, on_fault=faults)
    there = await waiting(outbox)
    left = sum(map(len, there.values()))
    assert 4000 - 200 < left < 4000
    assert faults.lost == {
        "destination": 0, "identity": 0, "alert_group": 0, "lane": 0, "delivery": 4000 - left,
        "action": 0, "heartbeat": 0,
    }  # fmt: skip
    await outbox.close()


@pytest.mark.parametrize("table", ["alert_group", "delivery", "lane"])
async def test_an_inner_page_of_a_table_costs_no_row(path, table):
    await fill(path)
    root, *others = pages_of(path, table)
    assert len(others) > 10
    overwrite(path, root)
    faults = Faults()
    outbox = SqliteOutbox.open(path, on_fault=faults)
    there = await waiting(outbox)
    assert {name: len(found) for name, found in there.items()} == {"slack": 2000, "webhook": 2000}
    assert sum(faults.lost.values()) == 0
    await outbox.close()


async def test_large_bodies_below_a_damaged_inner_page_are_saved_whole(path):
    outbox = SqliteOutbox.open(path)
    bodies = {f"g{n}": random.Random(n).randbytes(n * 997) for n in range(60)}
    many = [group(name, lane=name, body=body) for name, body in bodies.items()]
    await asyncio.gather(*(outbox.accept(one, 0) for one in many))
    await outbox.close()
    overwrite(path, pages_of(path, "alert_group")[0])
    outbox = SqliteOutbox.open(path)
    saved = {row.group: await outbox.show(row.id) for row in await outbox.deliveries()}
    assert {name: found[1] for name, found in saved.items() if found} == bodies
    await outbox.close()


async def test_numbers_of_lost_deliveries_are_not_used_again(path):
    await fill(path)
    overwrite(path, pages_of(path, "delivery")[-1])
    outbox = SqliteOutbox.open(path)
    await put(outbox, group("after"))
    assert max(row.id for row in await outbox.deliveries()) == 4001
    await outbox.close()


async def test_what_was_being_sent_when_the_store_was_damaged_is_in_doubt(path):
    outbox = SqliteOutbox.open(path)
    await put(outbox, group("one"))
    [claim] = await take(outbox)
    await outbox.close()
    overwrite(path, pages_of(path, "identity")[0])
    outbox = SqliteOutbox.open(path)
    [again] = await take(outbox)
    assert (again.id, again.resent, names(again)) == (claim.id, True, ["one"])
    await outbox.close()


async def test_a_store_whose_schema_is_lost_is_kept_beside_a_new_one(path):
    await fill(path)
    before = path.stat().st_ino
    overwrite(path, 0)
    faults = Faults()
    outbox = SqliteOutbox.open(path, on_fault=faults)
    assert faults.kinds == ["damaged"]
    [kept] = beside(path, "damaged")
    assert kept.stat().st_ino == before
    await put(outbox, group("after"))
    assert [row.group for row in await outbox.deliveries()] == ["after"]
    await outbox.close()
    assert [row.group for row in await reopened(path)] == ["after"]


async def reopened(path: Path):
    faults = Faults()
    outbox = SqliteOutbox.open(path, on_fault=faults)
    rows = await outbox.deliveries(limit=10**6)
    await outbox.close()
    assert faults.kinds == []
    return rows


async def test_a_file_of_zeros_is_kept_beside_a_new_store(path):
    path.write_bytes(bytes(40_960))
    faults = Faults()
    await SqliteOutbox.open(path, on_fault=faults).close()
    assert faults.kinds == ["damaged"]
    assert beside(path, "damaged")[0].read_bytes() == bytes(40_960)


async def test_a_store_damaged_while_it_is_used_is_saved_and_goes_on(path):
    outbox = SqliteOutbox.open(path)
    many = [group(f"g{n}", lane=f"l{n}", body=bytes(3000)) for n in range(6000)]
    await asyncio.gather(*(outbox.accept(one, 0) for one in many))
    await outbox.close()
    leaves = pages_of(path, "alert_group")[10:60]  # not in memory any more once all are read
    faults = Faults()
    outbox = SqliteOutbox.open(path, on_fault=faults)
    assert faults.kinds == []
    for page in leaves:
        overwrite(path, page)
    with pytest.raises(StoreUnavailable, match="malformed"):
        await take(outbox, limit=500)
    assert outbox.why_unusable
    await put(outbox, group("after"))
    assert outbox.why_unusable is None
    assert faults.kinds == ["damaged"]
    left = (
        len([row for row in await outbox.deliveries(limit=10**6) if row.state is State.WAITING]) - 1
    )
    assert 5000 < left < 6000
    assert faults.lost["delivery"] == faults.lost["alert_group"] == 6000 - left
    assert "after" in (await waiting(outbox))["slack"]
    await outbox.close()


async def test_a_salvage_that_is_killed_loses_nothing_of_the_damaged_store(path):
    await fill(path)
    overwrite(path, pages_of(path, "lane_ready")[-1])
    code = """
import sys
from pathlib import Path
from alert_router.outbox.sqlite import SqliteOutbox
SqliteOutbox.open(Path(sys.argv[1]))
"""
    before = path.stat().st_ino
    while not beside(path, "damaged"):
        for system_call in ("link", "rename", "unlink"):
            log = path.parent / "strace.log"
            subprocess.run(
                [need("strace"), "-f", "-qq", "-o", log, "-e", f"trace={system_call}", "-e",
                 f"inject={system_call}:signal=SIGKILL:when=1", sys.executable, "-c", code, path],
                check=False, timeout=PATIENCE, capture_output=True,
            )  # fmt: skip
            assert path.exists()
            kept = beside(path, "damaged")
            assert before in {one.stat().st_ino for one in [path, *kept]}
    outbox = SqliteOutbox.open(path)
    there = await waiting(outbox)
    assert {name: len(found) for name, found in there.items()} == {"slack": 2000, "webhook": 2000}
    await outbox.close()


ACCEPT = """
import asyncio, sys
from pathlib import Path
from alert_router.outbox.sqlite import SqliteOutbox
from tests.outbox.kit import group
async def main():
    outbox = SqliteOutbox.open(Path(sys.argv[1]))
    for n in range(int(sys.argv[2])):
        await outbox.accept(group(f"g{n}", lane=f"l{n}"), 0)
    print("done", flush=True)
    await asyncio.sleep(3600)
asyncio.run(main())
"""


def killed(path: Path, count: int = 50) -> None:
    """A store that accepted so many groups, each in a transaction, and was killed then."""
    root = Path(__file__).parents[2]
    command = [sys.executable, "-c", ACCEPT, str(path), str(count)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, cwd=root) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == b"done\n"
        process.kill()


async def after(path: Path, faults: Faults) -> set[str]:
    """The groups there are once the service has started, which works."""
    outbox = SqliteOutbox.open(path, on_fault=faults)
    await put(outbox, group("after"))
    found = {row.group for row in await outbox.deliveries(limit=1000)}
    await outbox.close()
    assert len(await reopened(path)) == len(found)
    return found - {"after"}


async def test_a_kill_is_no_fault(path):
    killed(path)
    faults = Faults()
    assert len(await after(path, faults)) == 50
    assert faults.kinds == []


async def test_a_missing_wal_file_is_reported(path):
    killed(path)
    wal(path).unlink()
    faults = Faults()
    await after(path, faults)
    assert faults.kinds == ["wal_lost"]


async def test_an_emptied_wal_file_is_reported(path):
    killed(path)
    os.truncate(wal(path), 0)
    faults = Faults()
    await after(path, faults)
    assert faults.kinds == ["wal_lost"]


async def test_what_lies_beyond_a_damaged_frame_is_kept(path):
    killed(path)
    content = wal(path).read_bytes()
    overwrite(wal(path), len(content) // 2)
    damaged = wal(path).read_bytes()
    faults = Faults()
    there = await after(path, faults)
    assert faults.kinds == ["wal_damaged"]
    assert 0 < len(there) < 50
    [kept] = beside(path, "wal-damaged")
    assert kept.read_bytes() == damaged


async def test_a_wal_file_with_a_damaged_header_is_kept(path):
    killed(path)
    overwrite(wal(path), 0, 32)
    damaged = wal(path).read_bytes()
    faults = Faults()
    assert await after(path, faults) == set()
    assert faults.kinds == ["wal_damaged"]
    [kept] = beside(path, "wal-damaged")
    assert kept.read_bytes() == damaged


@pytest.mark.parametrize("how", ["missing", "empty"])
async def test_a_wal_file_without_its_store_is_kept(path, how):
    killed(path)
    content = wal(path).read_bytes()
    path.unlink()
    if how == "empty":
        path.touch()
    faults = Faults()
    assert await after(path, faults) == set()
    assert faults.kinds == ["main_lost"]
    [kept] = beside(path, "main-lost")
    assert kept.read_bytes() == content


@pytest.mark.parametrize(("which", "is_reported"), [(-1, False), (-3, True)])
async def test_only_a_last_transaction_may_be_cut_short(path, which, is_reported):
    """As a kill leaves the last one: the head of a frame is written, the page after it is not."""
    killed(path)
    content = wal(path).read_bytes()
    frame = 24 + PAGE
    commits = [
        at
        for at in range(32, len(content) - frame + 1, frame)
        if content[at + 8 : at + 16] == content[16:24] and content[at + 4 : at + 8] != bytes(4)
    ]
    with wal(path).open("r+b") as file:
        file.seek(commits[which] + 24 + PAGE // 2)
        file.write(b"\xff" * (PAGE // 2))
    faults = Faults()
    assert len(await after(path, faults)) == 50 + which
    assert faults.kinds == ["wal_damaged"] * is_reported


@pytest.mark.parametrize("damage", ["wal missing", "wal damaged", "main empty"])
async def test_a_command_leaves_a_store_that_was_left_damaged_to_the_service(path, damage):
    killed(path)
    if damage == "wal missing":
        wal(path).unlink()
    elif damage == "wal damaged":
        overwrite(wal(path), 0, 32)
    else:
        os.truncate(path, 0)
    before = {one.name: one.read_bytes() for one in path.parent.iterdir()}
    with pytest.raises(StoreRefused, match="start the service once"):
        SqliteOutbox.open(path, Role.COMMAND)
    for name, content in before.items():
        if not name.endswith("-shm"):
            assert (path.parent / name).read_bytes() == content


async def test_a_command_after_a_kill_loses_nothing_and_leads_to_no_fault(path):
    killed(path)
    guest = SqliteOutbox.open(path, Role.COMMAND)
    assert len(await guest.deliveries()) == 50
    await guest.close()
    faults = Faults()
    assert len(await after(path, faults)) == 50
    assert faults.kinds == []


async def noticed(outbox: SqliteOutbox, faults: Faults) -> None:
    """Use it until it notices, at which it says that it cannot be used."""
    failures = 0
    while not faults.kinds:
        try:
            await outbox.backlog()
        except StoreUnavailable as error:
            assert "replaced while in use" in str(error)  # noqa: PT017
            failures += 1
    assert failures


async def test_a_deleted_store_is_written_again_and_loses_nothing(path):
    faults = Faults()
    outbox = SqliteOutbox.open(path, on_fault=faults)
    await put(outbox, group("one"))
    path.unlink()
    await noticed(outbox, faults)
    await put(outbox, group("three"))
    assert faults.kinds == ["deleted"]
    await outbox.close()
    assert {row.group for row in await reopened(path)} == {"one", "three"}


async def test_all_files_deleted_at_once_are_written_again(path):
    faults = Faults()
    outbox = SqliteOutbox.open(path, on_fault=faults)
    await put(outbox, group("one"))
    for one in path.parent.iterdir():
        one.unlink()
    await noticed(outbox, faults)
    assert len(await outbox.backlog()) == 1
    assert faults.kinds == ["deleted"]
    await outbox.close()
    assert [row.group for row in await reopened(path)] == ["one"]


async def test_a_deleted_store_is_written_again_at_the_stop_at_the_latest(path):
    outbox = SqliteOutbox.open(path)
    await put(outbox, group("one"))
    path.unlink()
    await outbox.close()
    assert [row.group for row in await reopened(path)] == ["one"]


async def test_a_deleted_wal_file_costs_nothing(path):
    faults = Faults()
    outbox = SqliteOutbox.open(path, on_fault=faults)
    await put(outbox, group("one"))
    wal(path).unlink()
    await noticed(outbox, faults)
    await put(outbox, group("two"))
    assert faults.kinds == ["deleted"]
    await outbox.close()
    assert {row.group for row in await reopened(path)} == {"one", "two"}


async def test_a_replaced_store_is_not_used_and_what_was_in_it_is_kept(path, tmp_path):
    other = tmp_path / "other" / path.name
    other.parent.mkdir()
    await fill(other, 3)
    faults = Faults()
    outbox = SqliteOutbox.open(path, on_fault=faults)
    await put(outbox, group("one"))
    other.rename(path)
    await noticed(outbox, faults)
    for _ in range(3):
        with pytest.raises(StoreUnavailable, match="replaced while in use"):
            await outbox.accept(group("two"), 0)
    assert "restart" in (outbox.why_unusable or "")
    assert faults.kinds == ["replaced"]
    [kept] = beside(path, "unlinked")
    await outbox.close()
    assert {row.group for row in await reopened(path)} == {"g0", "g1", "g2"}
    assert {row.group for row in await reopened(kept)} == {"one"}


async def test_a_store_that_cannot_be_opened_yet_is_once_it_can(path):
    """It is on a full disk, and then there is room."""
    small = path.parent / "small"
    small.mkdir()
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=1M", "tmpfs", small], check=False, capture_output=True
    )
    if mounted.returncode:
        pytest.skip("file systems cannot be mounted here")
    try:
        filler = small / "filler"
        with filler.open("wb", buffering=0) as file, suppress(OSError):
            while True:
                file.write(bytes(4096))
        outbox = SqliteOutbox.open(small / "a.db")
        with pytest.raises(StoreUnavailable, match="cannot open the store"):
            await outbox.accept(group("one"), 0)
        filler.unlink()
        while outbox.why_unusable:
            try:
                await outbox.backlog()
            except StoreUnavailable:
                await asyncio.sleep(0.05)
        await put(outbox, group("two"))
        assert [row.group for row in await outbox.deliveries()] == ["two"]
        await outbox.close()
    finally:
        subprocess.run(["umount", small], check=True)


async def test_links_that_were_sent_stay_good_in_the_new_store(tmp_path):
    store = SqliteOutbox.open(tmp_path / "old.db", Role.SERVICE)
    secret = await store.secret("links")
    await store.close()

    salvage(tmp_path / "old.db", tmp_path / "new.db")

    store = SqliteOutbox.open(tmp_path / "new.db", Role.SERVICE)
    assert await store.secret("links") == secret
    await store.close()
