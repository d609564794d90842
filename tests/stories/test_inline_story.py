"""A router that can use neither its PostgreSQL database nor its spool delivers while it answers."""

import asyncio
import json
import resource
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web

from tests.http import get, post
from tests.postgres import server
from tests.programs import (
    Recorder,
    Request,
    Router,
    body,
    eventually,
    recorder,
    router,
    write_config,
)

pytestmark = pytest.mark.story


@pytest.fixture
async def url(tmp_path: Path) -> str:
    return f"{await server().database(tmp_path)}?spool=spool.db"


@pytest.fixture
def stopped(url: str) -> Iterator[None]:
    """PostgreSQL is stopped from the beginning."""
    del url
    server().stop("immediate")
    yield
    server().start()


@asynccontextmanager
async def serving(
    tmp_path: Path, url: str, destinations: list[Recorder], **more: Any
) -> AsyncIterator[Router]:
    hooks = [
        {"type": "webhook", "name": f"hook-{number}", "url": one.url, "timeout": "8s"}
        for number, one in enumerate(destinations)
    ]
    config = write_config(tmp_path, hooks, storage=url, **more)
    async with router(config) as process:
        yield process


@pytest.fixture
async def both() -> AsyncIterator[list[Recorder]]:
    async with recorder() as one, recorder() as other:
        yield [one, other]


def make_spool_unwritable(process: Router) -> None:
    """No file of the process may grow any more, nor be written to beyond a few pages. Its log is
    shorter."""
    resource.prlimit(process.popen.pid, resource.RLIMIT_FSIZE, (30_000, -1))


def lift(process: Router) -> None:
    resource.prlimit(process.popen.pid, resource.RLIMIT_FSIZE, (-1, -1))


async def send(process: Router, note: str) -> tuple[int, str]:
    """The status and what the answer says."""
    status, answer = await post(f"{process.url}/webhook", body(key="k", note=note))
    return status, answer.get("status", "")


def notes(destination: Recorder) -> list[str]:
    return [
        alert["labels"]["note"]
        for request in destination.requests
        for alert in json.loads(request.body)["alerts"]
    ]


@pytest.mark.usefixtures("stopped")
async def test_without_any_store_200_means_that_every_destination_took_it(
    tmp_path: Path, url: str, both: list[Recorder]
) -> None:
    async with serving(tmp_path, url, both) as process:
        make_spool_unwritable(process)
        assert await send(process, "one") == (200, "delivered")
        assert [notes(one) for one in both] == [["one"], ["one"]]

        both[1].answer = lambda _: web.Response(status=500)
        assert (await send(process, "two"))[0] == 503
        assert notes(both[0]) == ["one", "two"]

        async def hang(_: Request) -> web.Response:
            await asyncio.sleep(3600)
            return web.Response()

        both[1].answer = hang
        assert (await send(process, "three"))[0] == 503

        both[1].answer = lambda _: web.Response()
        assert await send(process, "three") == (200, "delivered")
        # The first one has it since the time before.
        assert [notes(one).count("three") for one in both] == [1, 2]


@pytest.mark.usefixtures("stopped")
async def test_without_any_store_many_at_once_arrive_before_they_are_answered(
    tmp_path: Path, url: str, both: list[Recorder]
) -> None:
    async with serving(tmp_path, url, both) as process:
        make_spool_unwritable(process)
        names = [f"n{number}" for number in range(20)]
        answers = await asyncio.gather(*(send(process, name) for name in names))
        assert set(answers) == {(200, "delivered")}
        assert [sorted(notes(one)) for one in both] == [sorted(names), sorted(names)]


@pytest.mark.usefixtures("stopped")
async def test_a_spool_on_a_full_disk_is_no_reason_to_refuse(
    tmp_path: Path, url: str, both: list[Recorder]
) -> None:
    """More is to be left free than any disk has."""
    async with serving(tmp_path, url, both, delivery={"reserve": "1048576GiB"}) as process:
        assert await send(process, "one") == (200, "delivered")
        assert [notes(one) for one in both] == [["one"], ["one"]]


async def test_once_postgresql_is_back_webhooks_are_stored_again(
    tmp_path: Path, url: str, both: list[Recorder]
) -> None:
    async with serving(tmp_path, url, both) as process:
        assert await send(process, "before") == (200, "accepted")
        await eventually(lambda: all(map(notes, both)), "the first messages")
        server().stop("immediate")
        try:
            make_spool_unwritable(process)
            assert await send(process, "inline") == (200, "delivered")
        finally:
            server().start()
        lift(process)

        async def is_ready() -> bool:
            status, text = await get(f"{process.url}/-/ready")
            return status == 200 and "spool" not in text

        await eventually(is_ready, "the store")
        assert await send(process, "after") == (200, "accepted")
        await eventually(lambda: all("after" in notes(one) for one in both), "the last messages")
        assert [notes(one) for one in both] == [["before", "inline", "after"]] * 2
