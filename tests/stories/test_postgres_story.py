"""What happens to PostgreSQL while routers use it: stopped, hung, cut off, read-only, full, out of
connections. Accepting and delivering go on."""

import asyncio
import secrets
import shutil
import signal
import subprocess
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from itertools import count
from pathlib import Path

import pytest

from tests.http import get, metric
from tests.postgres import server
from tests.programs import PATIENCE, eventually, recorder
from tests.replicas import HURRIED, Ledger, is_up, proxy, replicas

pytestmark = pytest.mark.story


async def test_while_postgresql_is_stopped_the_spool_accepts_and_delivers(tmp_path: Path) -> None:
    url = await server().database(tmp_path)
    async with recorder() as destination, replicas(tmp_path, url, 2, destination.url) as both:
        ledger = Ledger(both, destination)
        async with ledger.load():
            await ledger.more(30)
            await asyncio.to_thread(server().stop, "immediate")
            try:
                await ledger.more(60)
                for one in both:
                    assert await metric(one, "alert_router_store_spooling") == 1
                    status, text = await get(f"{one.url}/-/ready")
                    assert (status, "spool" in text) == (200, True)
            finally:
                await asyncio.to_thread(server().start)
            for one in both:
                await eventually(lambda one=one: is_up(one), "the shared store to be in use")
            await ledger.more(30)
        await ledger.settled()
        ledger.judge_answers()
        await ledger.judge_ends()


async def test_while_postgresql_hangs_webhooks_are_answered_and_delivered(tmp_path: Path) -> None:
    """It hangs until they are."""
    url = await server().database(tmp_path)
    async with recorder() as destination, replicas(tmp_path, url, 1, destination.url) as [one]:
        ledger = Ledger([one], destination)
        await ledger.send("k")
        await ledger.settled()
        server().freeze(signal.SIGSTOP)
        try:
            for number in range(10):
                await ledger.send(f"k{number}")
            await ledger.settled()
        finally:
            server().freeze(signal.SIGCONT)
        ledger.judge_answers()
        await eventually(lambda: is_up(one), "the shared store to be in use")
        await ledger.send("k")
        await ledger.settled()
        await ledger.judge_ends()


async def test_while_postgresql_hangs_a_webhook_waits_only_for_the_limit_of_accepting(
    tmp_path: Path,
) -> None:
    """All else that the router asks the database lasts for hours. How long that limit is, tests of
    the spool say."""
    url = await server().database(tmp_path)
    heartbeats = [{"name": "eu", "matchers": ["alertname=~.*"], "receiver": "oncall"}]
    async with (
        recorder() as destination,
        replicas(tmp_path, url, 1, destination.url, heartbeats=heartbeats, prefix=HURRIED) as [one],
    ):
        ledger = Ledger([one], destination)
        await ledger.send("k")
        await ledger.settled()
        server().freeze(signal.SIGSTOP)
        try:
            async with asyncio.timeout(PATIENCE):
                for number in range(5):
                    await ledger.send(f"k{number}")
                assert await metric(one, "alert_router_store_spooling") == 1
                for path in ("-/healthy", "-/ready", "metrics"):
                    await get(f"{one.url}/{path}")
        finally:
            server().freeze(signal.SIGCONT)
        ledger.judge_answers()
        await eventually(lambda: is_up(one), "the shared store to be in use")
        await ledger.settled()


async def test_a_commit_whose_answer_is_cut_off_is_delivered_once(tmp_path: Path) -> None:
    url = await server().database(tmp_path)
    async with proxy(server().port) as way, recorder() as destination:
        through = url.replace(f":{server().port}/", f":{way.port}/")
        async with replicas(tmp_path, through, 1, destination.url) as [one]:
            ledger = Ledger([one], destination)
            await ledger.send("k0")
            await ledger.settled()
            way.loses_commits = True
            await ledger.send("k1")
            await ledger.settled()
            way.loses_commits = False
            await eventually(lambda: is_up(one), "the shared store to be in use")
            await ledger.send("k1")
            await ledger.settled()
            ledger.judge_answers()
            ledger.judge()


async def test_a_router_that_is_cut_off_from_the_database_goes_on_beside_the_others(
    tmp_path: Path,
) -> None:
    url = await server().database(tmp_path)
    async with proxy(server().port) as way, recorder() as destination:
        through = url.replace(f":{server().port}/", f":{way.port}/")
        async with replicas(tmp_path, [through, url], 2, destination.url) as [one, other]:
            ledger = Ledger([one, other], destination)
            async with ledger.load():
                await ledger.more(40)
                way.is_open.clear()
                await eventually(
                    lambda: metric(one, "alert_router_store_spooling"), "the spool to be in use"
                )
                await ledger.more(60)
                # What the other has locked keeps this one waiting for a while.
                await eventually(lambda: is_up(other), "the shared store to be in use")
                way.is_open.set()
                await eventually(lambda: is_up(one), "the shared store to be in use")
                await ledger.more(40)
            await ledger.settled()
            ledger.judge_answers()
            await ledger.judge_ends()


@pytest.fixture
def small_disk() -> Iterator[Path]:
    """A file system of 24 MiB that PostgreSQL may write to."""
    disk = server().directory / "small"
    disk.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=24m", "tmpfs", str(disk)]
    if subprocess.run(mount, check=False, capture_output=True).returncode:
        pytest.skip("mounting a file system is not allowed here")
    shutil.chown(disk, "postgres")
    yield disk
    subprocess.run(["umount", "--lazy", str(disk)], check=True)


@asynccontextmanager
async def refusing(fault: str, name: str) -> AsyncIterator[None]:
    """For the length of the block, a database that takes no writes or no connections."""
    make, undo = {
        "read-only": (
            f"ALTER DATABASE {name} SET default_transaction_read_only = on",
            f"ALTER DATABASE {name} RESET default_transaction_read_only",
        ),
        "connections": (
            f"ALTER DATABASE {name} CONNECTION LIMIT 0",
            f"ALTER DATABASE {name} CONNECTION LIMIT -1",
        ),
    }[fault]
    await server().execute(make)
    await server().execute(
        f"SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = '{name}'"
    )
    yield
    await server().execute(undo)


@pytest.mark.parametrize("fault", ["read-only", "connections"])
async def test_a_database_that_refuses_is_replaced_by_the_spool(tmp_path: Path, fault: str) -> None:
    url = (await server().database(tmp_path)).replace("alert@", "app@")
    name = url.rpartition("/")[2]
    # Limits do not bind superusers.
    await server().execute(
        "DO $$ BEGIN CREATE ROLE app LOGIN; EXCEPTION WHEN duplicate_object THEN NULL; END $$"
    )
    await server().execute(f"GRANT CREATE ON DATABASE {name} TO app")
    async with recorder() as destination, replicas(tmp_path, url, 1, destination.url) as [one]:
        ledger = Ledger([one], destination)
        await ledger.send("k0")
        await ledger.settled()
        async with refusing(fault, name):
            for number in range(5):
                await ledger.send(f"k{number}")
            await ledger.settled()
        await eventually(lambda: is_up(one), "the shared store to be in use")
        await ledger.send("k0")
        await ledger.settled()
        ledger.judge_answers()
        ledger.judge()


async def test_a_database_whose_disk_is_full_is_replaced_by_the_spool(
    tmp_path: Path, small_disk: Path
) -> None:
    url = await server().database(tmp_path)
    name = url.rpartition("/")[2]
    await server().execute(f"CREATE TABLESPACE small_{name} LOCATION '{small_disk}'")
    await server().execute(f"ALTER DATABASE {name} SET TABLESPACE small_{name}")
    async with recorder() as destination, replicas(tmp_path, url, 2, destination.url) as both:
        ledger = Ledger(both, destination)
        async with ledger.load():
            await ledger.more(20)
            ballast = small_disk / "ballast"
            fill(ballast)
            numbers = count()

            async def is_full() -> bool:
                await ledger.send(f"big{next(numbers)}", padding=secrets.token_hex(10_000))
                return "No space left on device" in "".join(one.text() for one in both)

            await eventually(is_full, "the disk to be full")
            for one in both:
                await eventually(
                    lambda one=one: metric(one, "alert_router_store_spooling"), "the spool"
                )
            await ledger.more(40)
            ballast.unlink()
            for one in both:
                await eventually(lambda one=one: is_up(one), "the shared store to be in use")
            await ledger.more(20)
        await ledger.settled()
        ledger.judge_answers()
        await ledger.judge_ends()
    await server().execute(f"DROP DATABASE {name} WITH (FORCE)")
    await server().execute(f"DROP TABLESPACE small_{name}")


def fill(file: Path) -> None:
    """Write zeros until nothing more fits."""
    with file.open("wb", buffering=0) as stream:
        try:
            while True:
                stream.write(bytes(4096))
        except OSError:
            pass
