"""Routers that share a PostgreSQL database, without ever looking by themselves for what others
accepted."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from pathlib import Path

import pytest
from aiohttp import web

from alert_router.deliver import worker
from alert_router.metrics import Metrics
from alert_router.outbox.base import StoreUnavailable
from alert_router.outbox.model import Destination, Role
from alert_router.outbox.postgres.database import Database
from alert_router.outbox.postgres.outbox import PostgresOutbox
from alert_router.outbox.spooled import SpooledOutbox
from alert_router.runtime import read_runtime
from alert_router.server import Router, running
from alert_router.server.status import StoreStatus
from tests.http import get, post
from tests.postgres import server
from tests.programs import Recorder, Request, body, eventually, recorder, write_config

HOOK = Destination("oncall", "webhook")


@pytest.fixture(autouse=True)
def no_polling(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(worker, "_POLL", 600.0)


@pytest.fixture
async def destination() -> AsyncIterator[Recorder]:
    async with recorder() as found:
        yield found


@pytest.fixture
async def routers(tmp_path: Path, destination: Recorder) -> AsyncIterator[list[Router]]:
    """Two that may send one message at a time."""
    url = await server().database(tmp_path)
    async with AsyncExitStack() as stack:
        started = []
        for name in "ab":
            folder = tmp_path / name
            folder.mkdir()
            hook = {"type": "webhook", "url": destination.url, "concurrency": 1, "timeout": "30s"}
            config = write_config(folder, [hook], storage=f"{url}?spool=spool.db")
            started.append(await stack.enter_async_context(running(config, read_runtime(config))))
        for router in started:
            await router.deliverer.recovered()
        yield started


async def send(router: Router, key: str) -> None:
    host, port = router.addresses[0]
    assert (await post(f"http://{host}:{port}/webhook", body(key=key)))[0] == 200


async def test_what_one_router_cannot_send_now_is_sent_by_another_at_once(
    destination: Recorder, routers: list[Router]
) -> None:
    one, other = routers
    released = asyncio.Event()
    senders = []

    async def hang_once(_: Request) -> web.Response:
        if len(destination.requests) == 1:
            await released.wait()
        senders.append([router for router in routers if busy(router)])
        return web.Response()

    destination.answer = hang_once
    await send(one, "first")
    await eventually(lambda: destination.requests, "the first message")
    await send(one, "second")
    await eventually(lambda: len(destination.requests) == 2, "the second message")
    assert senders == [[one, other]]
    released.set()
    await eventually(lambda: len(senders) == 2, "the answer")


def busy(router: Router) -> bool:
    return bool(router.deliverer._loops[HOOK]._running)


async def test_a_delivery_that_a_command_replays_is_sent_at_once(
    tmp_path: Path, destination: Recorder, routers: list[Router]
) -> None:
    await send(routers[0], "only")
    await eventually(lambda: destination.requests, "the message")
    command = await PostgresOutbox.open(
        Database(await server().database(tmp_path), None, False), Role.COMMAND
    )
    [row] = await command.deliveries()
    await eventually(lambda: not any(map(busy, routers)), "the settlement")
    await command.replay(row.id, now=command.now(), force=True)
    await command.close()
    await eventually(lambda: len(destination.requests) == 2, "the message again")


async def test_the_pages_say_what_is_in_the_spool_and_how_to_read_it(tmp_path: Path) -> None:
    hook = {"type": "webhook", "url": "http://127.0.0.1:1"}
    storage = "postgresql://alert@127.0.0.1:1/alerts?spool=spool.db"
    config = write_config(tmp_path, [hook], storage=storage)
    async with running(config, read_runtime(config)) as router:
        await send(router, "only")
        host, port = router.addresses[0]
        for page in ("deliveries", "status"):
            status, text = await get(f"http://{host}:{port}/{page}")
            assert status == 200
            assert "in use, since the store cannot be used; 1 pending in it" in text
            assert "deliveries list --storage sqlite:////FILE" in text


async def test_a_router_is_ready_as_soon_as_it_uses_its_spool(
    routers: list[Router], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Though the database could not be read just before."""

    async def fail() -> None:
        raise StoreUnavailable("connection refused")

    outbox = routers[0].outbox
    assert isinstance(outbox, SpooledOutbox)
    monkeypatch.setattr(outbox, "_come_up", fail)
    monkeypatch.setattr(outbox._shared, "backlog", fail)
    status = StoreStatus(outbox, Metrics())
    with pytest.raises(StoreUnavailable):
        await status.refresh()
    assert status.trouble() == "it cannot be read"

    outbox._go_down("the test says so")
    assert status.trouble() == ""

    monkeypatch.setattr(outbox._spool, "backlog", fail)
    with pytest.raises(StoreUnavailable):
        await status.refresh()
    assert status.trouble() == "it cannot be read"
