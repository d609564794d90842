"""What was answered is on disk: through SIGKILL, a full disk and a failed fsync."""

import asyncio
import random
import resource
import shutil
import signal
import sqlite3
import subprocess
import sys
from contextlib import closing
from pathlib import Path

import pytest

from alert_router.outbox.base import StoreUnavailable
from alert_router.outbox.model import Verdict
from alert_router.outbox.sqlite import SqliteOutbox
from tests.outbox.kit import NOW, A, end, group, put, take
from tests.programs import PATIENCE

# Accepts without end, eight at a time, and prints each id once it was answered; what was
# refused is printed with a minus, and tried no more.
WRITER = """
import asyncio, sys
from pathlib import Path
from alert_router.outbox.base import StoreUnavailable
from alert_router.outbox.model import Destination, NewGroup, Target
from alert_router.outbox.sqlite import SqliteOutbox

async def main(path, first, most):
    outbox = SqliteOutbox.open(Path(path))
    numbers = iter(range(int(first), int(first) + int(most)))
    async def work():
        for number in numbers:
            name = f"g{number}"
            target = Target(Destination("oncall", "slack"), ("fp",))
            group = NewGroup(name, f"lane{number % 7}".encode(), name.encode(), bytes(2000),
                             (target,), 1_700_000_000.0)
            try:
                await outbox.accept(group, 300)
            except StoreUnavailable:
                name = "-" + name
                await asyncio.sleep(0.005)
            print(name, flush=True)
    await asyncio.gather(*(work() for _ in range(8)))

asyncio.run(main(*sys.argv[1:]))
"""


def writer(path: Path, first: int, most: int = 10**6, prefix: tuple[str, ...] = ()) -> list[str]:
    return [*prefix, sys.executable, "-c", WRITER, str(path), str(first), str(most)]


async def stored(path: Path) -> list[str]:
    """The groups that wait in the store, in order, read the way a service reads them."""
    outbox = SqliteOutbox.open(path)
    rows = await outbox.deliveries(limit=10**6)
    await outbox.close()
    with closing(sqlite3.connect(path)) as raw:
        assert raw.execute("PRAGMA integrity_check").fetchone() == ("ok",)
    return [row.group for row in reversed(rows)]


async def test_what_was_answered_survives_a_kill_at_any_moment(tmp_path):
    path = tmp_path / "alert-router.db"
    answered: list[str] = []
    for round_ in range(5):
        with subprocess.Popen(writer(path, round_ * 10**6), stdout=subprocess.PIPE) as process:
            assert process.stdout is not None
            for _ in range(random.randint(1, 400)):
                answered.append(process.stdout.readline().decode().strip())
            process.send_signal(signal.SIGKILL)
            answered += [line.decode().strip() for line in process.stdout if line.endswith(b"\n")]
        there = await stored(path)
        assert len(there) == len(set(there))
        assert set(answered) <= set(there)
    assert not any(name.startswith("-") for name in answered)


# Fills the store up to a limit on the size of its files, lifts the limit and goes on.
FILLER = """
import asyncio, resource, sys
from pathlib import Path
from alert_router.outbox.base import StoreUnavailable
from alert_router.outbox.sqlite import SqliteOutbox
from tests.outbox.kit import group

def limit(size):
    hard = resource.getrlimit(resource.RLIMIT_FSIZE)[1]
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, hard))

async def main(path):
    outbox = SqliteOutbox.open(Path(path))
    await outbox.accept(group("first"), 0)
    limit(1_000_000)
    refused = 0
    for number in range(400):
        try:
            await outbox.accept(group(f"g{number}", lane=f"{number % 9}", body=bytes(20_000)), 0)
            print(f"g{number}", flush=True)
        except StoreUnavailable as error:
            refused += 1
            print("-", error, flush=True)
        if refused == 5:
            limit(resource.RLIM_INFINITY)
            refused = 6
        if refused > 6:
            break
    await outbox.close()

asyncio.run(main(sys.argv[1]))
"""


async def test_a_full_disk_refuses_and_once_there_is_room_all_goes_on(tmp_path):
    path = tmp_path / "alert-router.db"
    result = await asyncio.to_thread(
        subprocess.run,
        [sys.executable, "-c", FILLER, str(path)],
        capture_output=True,
        text=True,
        timeout=PATIENCE,
        check=True,
        cwd=Path(__file__).parents[2],
    )
    lines = result.stdout.splitlines()
    refused = [number for number, line in enumerate(lines) if line.startswith("-")]
    accepted = [line for line in lines if not line.startswith("-")]
    assert len(refused) == 5, result.stdout
    assert all("cannot write the store" in lines[number] for number in refused)
    assert len(lines[refused[-1] + 1 :]) > 50  # it works again

    assert await stored(path) == ["first", *accepted]


async def test_on_a_full_disk_each_of_many_callers_is_told_and_nothing_is_half_there(tmp_path):
    path = tmp_path / "alert-router.db"
    outbox = SqliteOutbox.open(path)
    await put(outbox, group("first"))
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (400_000, hard))
    try:
        results = await asyncio.gather(
            *(outbox.accept(group(f"{n}", body=bytes(50_000)), 0) for n in range(40)),
            return_exceptions=True,
        )
        assert all(isinstance(result, StoreUnavailable) for result in results)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert [row.group for row in await outbox.deliveries()] == ["first"]
    [claim] = await take(outbox)
    assert await end(outbox, claim, Verdict.DELIVERED, now=NOW)
    assert (await outbox.backlog())[0].destination == A
    await outbox.close()


def strace() -> str:
    path = shutil.which("strace")
    if path is None:
        pytest.skip("strace is not installed")
    if subprocess.run([path, "-qq", "-o", "/dev/null", "true"], check=False).returncode:
        pytest.skip("ptrace is not allowed here")
    return path


async def test_a_failed_fsync_is_never_a_yes(tmp_path):
    """Every fsync from the 25th to the 53rd fails: what they were to make durable is refused,
    and what comes later is accepted again."""
    path = tmp_path / "alert-router.db"
    prefix = (
        strace(), "-f", "-qq", "-o", str(tmp_path / "strace.log"), "-e", "trace=fdatasync,fsync",
        "-e", "inject=fdatasync,fsync:error=EIO:when=25..53",
    )  # fmt: skip
    result = await asyncio.to_thread(
        subprocess.run,
        writer(path, 0, 600, prefix),
        capture_output=True,
        text=True,
        timeout=PATIENCE,
        check=True,
    )
    lines = result.stdout.split()
    answered = [line for line in lines if not line.startswith("-")]
    refused = [line for line in lines if line.startswith("-")]
    assert "INJECTED" in (tmp_path / "strace.log").read_text()
    assert refused
    assert lines.index(answered[-1]) > lines.index(refused[-1])

    assert set(answered) <= set(await stored(path))
