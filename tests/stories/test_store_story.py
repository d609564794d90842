"""A store that is damaged, deleted, replaced or not to be had, under a real router: nothing is
answered 200 that is not kept, what is lost is said and counted, and what comes afterwards goes out.
"""

import asyncio
import os
import random
import signal
import subprocess
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from aiohttp import web

from tests.http import get, metric, post
from tests.programs import Recorder, Router, body, eventually, recorder, router, write_config
from tests.stories.test_fault_stories import QUICK, delivered_groups, run
from tests.stories.test_kill_story import Load

pytestmark = pytest.mark.story

PAGE = 4096
FAULTS = "alert_router_store_faults_total{"


def damage(store: Path, pages: list[int]) -> None:
    with store.open("r+b") as file:
        for page in pages:
            file.seek(page * PAGE)
            file.write(os.urandom(PAGE))


async def is_ready(process: Router) -> bool:
    return (await get(f"{process.url}/-/ready"))[0] == 200


@asynccontextmanager
async def load_on(process: Router) -> AsyncIterator[Load]:
    """Eight posters for the length of the block."""
    load = Load(process)
    posters = [asyncio.create_task(load.post([f"lane{n}", f"lane{n + 8}"])) for n in range(8)]
    try:
        yield load
    finally:
        load.stop = True
        await asyncio.gather(*posters)


async def some(load: Load, more: int = 60) -> set[str]:
    """Wait until so many more are answered 200; all that are."""
    wanted = len(load.accepted) + more
    await eventually(lambda: len(load.accepted) >= wanted, "answers of 200")
    return set(load.accepted)


async def all_told(accepted: set[str], *destinations: Recorder) -> None:
    for destination in destinations:
        await eventually(
            lambda it=destination: accepted <= delivered_groups(it.requests),
            "everything answered 200",
        )


async def test_after_random_pages_were_overwritten_every_destination_gets_what_comes_afterwards(
    tmp_path: Path,
) -> None:
    store = tmp_path / "alert-router.db"
    async with recorder() as one, recorder() as other:
        notifiers = [
            {"type": "webhook", "name": "one", "url": one.url},
            {"type": "webhook", "name": "other", "url": other.url},
        ]
        for destination in (one, other):
            destination.answer = lambda request: web.Response(status=503)
        config = write_config(tmp_path, notifiers, delivery=QUICK)
        before = set()
        async with router(config) as process:
            for start in range(0, 2000, 50):
                answers = await asyncio.gather(
                    *(
                        post(f"{process.url}/webhook", body(key=f"k{n}", n=str(n)))
                        for n in range(start, start + 50)
                    )
                )
                before |= {answer["id"] for status, answer in answers if status == 200}
            assert process.end() == 0
        assert len(before) == 2000
        damage(store, random.sample(range(1, store.stat().st_size // PAGE), 3))
        for destination in (one, other):
            destination.answer = lambda request: web.Response()
        async with router(config) as process:
            async with load_on(process) as load:
                after = await some(load, 200)
            await all_told(after, one, other)

            async def nothing_waits() -> bool:
                return await metric(process, "alert_router_deliveries_pending{") == 0

            await eventually(nothing_waits, "the backlog to go")
            told = sum(len(before & delivered_groups(it.requests)) for it in (one, other))
            lost = await metric(process, 'alert_router_store_rows_lost_total{table="delivery"}')
            assert told + lost >= 4000
            assert told > 3000
            assert await metric(process, f'{FAULTS}kind="damaged"}}') == 1
            assert "what could be read is in a new one" in process.text()
            assert list(tmp_path.glob("alert-router.db.damaged-*"))


async def test_pages_overwritten_under_a_running_router_end_in_a_new_store(tmp_path: Path) -> None:
    store = tmp_path / "alert-router.db"
    async with recorder() as destination:
        destination.answer = lambda request: web.Response(status=503)
        notifier = {"type": "webhook", "url": destination.url}
        config = write_config(tmp_path, [notifier], delivery=QUICK)
        async with router(config) as process:
            padding = "x" * 20_000
            for start in range(0, 1500, 50):
                await asyncio.gather(
                    *(
                        post(f"{process.url}/webhook", body(key=f"k{n}", n=str(n), padding=padding))
                        for n in range(start, start + 50)
                    )
                )
            pages = store.stat().st_size // PAGE
            damage(store, random.sample(range(pages // 10, pages), pages // 4))
            destination.answer = lambda request: web.Response()

            async def is_noticed() -> bool:
                await post(f"{process.url}/webhook", body())
                return await metric(process, f'{FAULTS}kind="damaged"}}') >= 1

            await eventually(is_noticed, "the damage to be noticed")
            async with load_on(process) as load:
                after = await some(load, 200)
            await all_told(after, destination)
            assert await is_ready(process)
            assert await metric(process, "alert_router_store_usable") == 1


def unlink_store(folder: Path) -> None:
    (folder / "alert-router.db").unlink()


def unlink_wal(folder: Path) -> None:
    (folder / "alert-router.db-wal").unlink()


def unlink_all(folder: Path) -> None:
    for one in folder.glob("alert-router.db*"):
        one.unlink()


@pytest.mark.parametrize("fault", [unlink_store, unlink_wal, unlink_all])
async def test_a_store_deleted_under_load_loses_nothing_answered_200(
    tmp_path: Path, fault: Callable[[Path], None]
) -> None:
    async with recorder() as destination:
        destination.answer = lambda request: web.Response(status=503)
        notifier = {"type": "webhook", "url": destination.url}
        config = write_config(tmp_path, [notifier], delivery=QUICK)
        async with router(config) as process:
            async with load_on(process) as load:
                await some(load)
                fault(tmp_path)
                await some(load, 200)
                assert await metric(process, f'{FAULTS}kind="deleted"}}') == 1
                process.end(signal.SIGKILL)
        destination.answer = lambda request: web.Response()
        async with router(config) as process:
            await all_told(set(load.accepted), destination)
            assert await metric(process, FAULTS) == 0


async def test_a_store_replaced_under_load_answers_503_and_what_it_held_can_be_restored(
    tmp_path: Path,
) -> None:
    store = tmp_path / "alert-router.db"
    async with recorder() as destination:
        destination.answer = lambda request: web.Response(status=503)
        notifier = {"type": "webhook", "url": destination.url}
        config = write_config(tmp_path, [notifier], delivery=QUICK)
        async with router(config) as process:
            await post(f"{process.url}/webhook", body())
            await run(config, "storage", "backup", str(tmp_path / "early.db"))
            async with load_on(process) as load:
                await some(load)
                (tmp_path / "early.db").rename(store)

                async def is_refused() -> bool:
                    return not await is_ready(process)

                await eventually(is_refused, "503")
                count = len(load.accepted)
            assert len(load.accepted) == count  # those that were in flight when it stopped
            assert (await post(f"{process.url}/webhook", body(key="late")))[0] == 503
            assert await metric(process, f'{FAULTS}kind="replaced"}}') == 1
            assert await metric(process, "alert_router_store_usable") == 0
            assert process.end() == 0
        [kept] = tmp_path.glob("alert-router.db.unlinked-*")
        await run(config, "storage", "restore", str(kept))
        destination.answer = lambda request: web.Response()
        async with router(config) as process:
            await all_told(set(load.accepted), destination)
            assert await metric(process, FAULTS) == 0


async def test_an_idle_router_notices_that_its_store_was_replaced(tmp_path: Path) -> None:
    config = write_config(tmp_path, [{"type": "console"}])
    async with router(config) as process:
        (tmp_path / "other.db").touch()
        (tmp_path / "other.db").rename(tmp_path / "alert-router.db")
        await eventually(lambda: '"fault": "replaced"' in process.text(), "the error")


async def test_a_backup_under_load_has_everything_answered_before_it(tmp_path: Path) -> None:
    async with recorder() as destination:
        destination.answer = lambda request: web.Response(status=503)
        notifier = {"type": "webhook", "url": destination.url}
        config = write_config(tmp_path, [notifier], delivery=QUICK)
        async with router(config) as process:
            async with load_on(process) as load:
                before = await some(load, 300)
                await run(config, "storage", "backup", str(tmp_path / "copy.db"))
                await some(load, 1)  # it goes on
            process.end(signal.SIGKILL)
        await run(config, "storage", "restore", str(tmp_path / "copy.db"))
        destination.answer = lambda request: web.Response()
        async with router(config) as process:
            await all_told(before, destination)
            assert await metric(process, FAULTS) == 0


@pytest.fixture
def small(tmp_path: Path) -> Iterator[Path]:
    """A file system of 48 MiB: the least reserve and some more."""
    folder = tmp_path / "small"
    folder.mkdir()
    made = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=48M", "tmpfs", folder],
        check=False,
        capture_output=True,
    )
    if made.returncode:
        pytest.skip("file systems cannot be mounted here")
    yield folder
    subprocess.run(["umount", "--lazy", folder], check=True)


def make_full(folder: Path) -> Callable[[], Awaitable[None]]:
    filler = folder / "filler"
    filler.write_bytes(bytes(48 * 1024 * 1024 - 2 * PAGE))

    async def free() -> None:
        filler.unlink()

    return free


def make_read_only(folder: Path) -> Callable[[], Awaitable[None]]:
    subprocess.run(["mount", "-o", "remount,ro", folder], check=True)

    async def free() -> None:
        subprocess.run(["mount", "-o", "remount,rw", folder], check=True)

    return free


@pytest.mark.parametrize("spoil", [make_full, make_read_only])
async def test_a_router_started_on_a_disk_that_takes_nothing_serves_503_until_it_does(
    tmp_path: Path, small: Path, spoil: Callable[[Path], Callable[[], Awaitable[None]]]
) -> None:
    free = spoil(small)
    async with recorder() as destination:
        config = write_config(
            tmp_path,
            [{"type": "webhook", "url": destination.url}],
            storage=f"sqlite:///{small}/alert-router.db",
            delivery={"reserve": "32MiB"},
        )
        async with router(config) as process:
            assert (await post(f"{process.url}/webhook", body()))[0] == 503
            assert not await is_ready(process)
            assert (await get(f"{process.url}/-/healthy"))[0] == 200
            assert await metric(process, "alert_router_store_usable") == 0
            await free()

            async def is_accepted() -> bool:
                return (await post(f"{process.url}/webhook", body()))[0] == 200

            await eventually(is_accepted, "the store")
            await eventually(lambda: destination.requests, "the message")
            await eventually(lambda: is_ready(process), "ready")
            assert process.text().count("the store cannot be used") < 5
