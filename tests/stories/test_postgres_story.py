"""Several routers that share a PostgreSQL database: what was answered 200 arrives, whatever is
killed or stops."""

import asyncio
import json
import random
import signal
import time
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web

from tests.http import get, metric, post
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


class Ledger:
    """What was answered 200, and what arrived."""

    def __init__(self, destination: Recorder) -> None:
        self.destination = destination
        self.accepted: list[str] = []
        self.seconds: list[float] = []
        self.refused = 0

    async def send(self, process: Router, name: str, key: str) -> None:
        """One webhook with an alert of that name, in the lane of the key."""
        began = time.monotonic()
        try:
            status, _ = await post(f"{process.url}/webhook", body(key=key, note=name))
        except Exception:  # the router was killed: no answer
            self.refused += 1
            return
        self.seconds.append(time.monotonic() - began)
        if status == 200:
            self.accepted.append(name)
        else:
            self.refused += 1

    def arrived(self) -> Counter[str]:
        found: Counter[str] = Counter()
        for request in self.destination.requests:
            for one in json.loads(request.body)["alerts"]:
                found[one["labels"]["note"]] += 1
        return found

    async def settled(self, seconds: float = 60) -> None:
        """Wait until everything accepted has arrived."""
        try:
            await eventually(
                lambda: set(self.accepted) <= set(self.arrived()), "all that was accepted", seconds
            )
        except AssertionError:
            raise AssertionError(sorted(set(self.accepted) - set(self.arrived()))) from None

    def repeated(self) -> int:
        return sum(count - 1 for count in self.arrived().values())


@asynccontextmanager
async def replicas(
    tmp_path: Path, url: str, number: int, destination: Recorder, **more: Any
) -> AsyncIterator[list[Router]]:
    async with AsyncExitStack() as stack:
        started = []
        for index in range(number):
            folder = tmp_path / f"replica-{index}"
            folder.mkdir()
            hook = {"type": "webhook", "url": destination.url, "timeout": "2s"}
            config = write_config(folder, [hook], storage=f"{url}?spool=spool.db", **more)
            started.append(await stack.enter_async_context(router(config)))
        yield started


async def test_two_routers_recognise_each_others_duplicates_and_deliver_once(
    tmp_path: Path,
) -> None:
    url = await server().database(tmp_path)
    async with recorder() as destination, replicas(tmp_path, url, 2, destination) as both:
        same = body(key="k", note="one")
        answers = await asyncio.gather(*(post(f"{one.url}/webhook", same) for one in both))
        assert sorted(data["status"] for _, data in answers) == ["accepted", "duplicate"]
        ledger = Ledger(destination)
        for number in range(60):
            await ledger.send(both[number % 2], f"n{number}", f"k{number % 20}")
        await ledger.settled()
        assert len(ledger.accepted) == 60
        assert ledger.repeated() == 0


async def test_while_postgresql_is_stopped_the_spool_accepts_and_delivers(tmp_path: Path) -> None:
    url = await server().database(tmp_path)
    async with recorder() as destination, replicas(tmp_path, url, 2, destination) as both:
        ledger = Ledger(destination)
        for number in range(20):
            await ledger.send(both[number % 2], f"before{number}", f"k{number}")
        await ledger.settled()
        server().stop("immediate")
        try:
            for number in range(40):
                await ledger.send(both[number % 2], f"down{number}", f"k{number}")
            assert len(ledger.accepted) == 60
            assert max(ledger.seconds) < 2
            await ledger.settled(20)
            for one in both:
                assert await metric(one, "alert_router_store_spooling") == 1
                status, text = await get(f"{one.url}/-/ready")
                assert (status, "spool" in text) == (200, True)
        finally:
            server().start()
        for one in both:
            await up(one)
        for number in range(20):
            await ledger.send(both[number % 2], f"after{number}", f"k{number}")
        await ledger.settled()
        assert ledger.refused == 0
        assert ledger.repeated() <= 1


async def test_while_postgresql_hangs_webhooks_are_answered_within_two_seconds(
    tmp_path: Path,
) -> None:
    url = await server().database(tmp_path)
    async with recorder() as destination, replicas(tmp_path, url, 1, destination) as [one]:
        ledger = Ledger(destination)
        await ledger.send(one, "before", "k")
        await ledger.settled()
        server().freeze(signal.SIGSTOP)
        try:
            for number in range(10):
                await ledger.send(one, f"hung{number}", f"k{number}")
            await ledger.settled(20)
        finally:
            server().freeze(signal.SIGCONT)
        assert ledger.refused == 0
        assert max(ledger.seconds) < 2
        await up(one)
        await ledger.send(one, "after", "k")
        await ledger.settled()


async def test_a_router_that_is_killed_under_load_loses_nothing(tmp_path: Path) -> None:
    url = await server().database(tmp_path)
    async with recorder() as destination, replicas(tmp_path, url, 3, destination) as three:
        ledger = Ledger(destination)
        running = list(three)

        async def load(number: int) -> None:
            one = random.choice(running)
            await ledger.send(one, f"n{number}", f"k{number}")

        async with AsyncExitStack() as stack:
            for crash in range(3):
                sending = [asyncio.create_task(load(crash * 60 + n)) for n in range(60)]
                await asyncio.sleep(0)
                victim = running.pop(0)
                await eventually(lambda done=40 * crash: len(ledger.accepted) > done, "some load")
                victim.end(signal.SIGKILL)
                await asyncio.gather(*sending)
                config = tmp_path / f"replica-{crash}" / "alert-router.yaml"
                running.append(await stack.enter_async_context(router(config)))
            await ledger.settled()
        assert len(ledger.accepted) > 100
        assert ledger.repeated() <= 3 * 8


async def test_a_router_that_is_paused_past_its_lease_settles_nothing(tmp_path: Path) -> None:
    """The other one sends the batch again, under the same webhook id, and what comes after it."""
    url = await server().database(tmp_path)
    async with recorder() as destination, replicas(tmp_path, url, 2, destination) as [one, other]:
        ledger = Ledger(destination)
        released = asyncio.Event()

        async def hang(_: Request) -> web.Response:
            await released.wait()
            return web.Response()

        destination.answer = hang
        await ledger.send(one, "first", "k")
        await eventually(lambda: destination.requests, "the first attempt")
        one.popen.send_signal(signal.SIGSTOP)
        released.set()
        await ledger.send(other, "second", "k")
        await ledger.settled(60)
        one.popen.send_signal(signal.SIGCONT)
        await ledger.send(one, "third", "k")
        await ledger.settled()
        ids = [request.headers["webhook-id"] for request in destination.requests]
        assert ids[0] == ids[1]
        assert len(set(ids[1:])) == len(ids) - 1
        order = [json.loads(it.body)["alerts"][-1]["labels"]["note"] for it in destination.requests]
        assert order == sorted(order, key=["first", "second", "third"].index)


async def test_a_commit_whose_answer_is_cut_off_is_delivered_once(tmp_path: Path) -> None:
    url = await server().database(tmp_path)
    async with cutting_proxy(server().port) as (port, cut), recorder() as destination:
        through = url.replace(f":{server().port}/", f":{port}/")
        async with replicas(tmp_path, through, 1, destination) as [one]:
            ledger = Ledger(destination)
            await ledger.send(one, "before", "k0")
            await ledger.settled()
            cut.set()
            await ledger.send(one, "cut", "k1")
            await ledger.settled()
            cut.clear()
            await up(one)
            await ledger.send(one, "after", "k1")
            await ledger.settled()
            assert ledger.refused == 0
            assert max(ledger.seconds) < 2
            assert ledger.repeated() == 0


@pytest.mark.parametrize("fault", ["read-only", "connections"])
async def test_a_database_that_refuses_is_replaced_by_the_spool(tmp_path: Path, fault: str) -> None:
    url = (await server().database(tmp_path)).replace("alert@", "app@")
    name = url.rpartition("/")[2]
    # Limits do not bind superusers.
    await server().execute(
        "DO $$ BEGIN CREATE ROLE app LOGIN; EXCEPTION WHEN duplicate_object THEN NULL; END $$"
    )
    await server().execute(f"GRANT CREATE ON DATABASE {name} TO app")
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
    disconnect = f"SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = '{name}'"
    async with recorder() as destination, replicas(tmp_path, url, 1, destination) as [one]:
        ledger = Ledger(destination)
        await ledger.send(one, "before", "k0")
        await ledger.settled()
        await server().execute(make)
        await server().execute(disconnect)
        for number in range(5):
            await ledger.send(one, f"down{number}", f"k{number}")
        await ledger.settled()
        await server().execute(undo)
        await up(one)
        await ledger.send(one, "after", "k0")
        await ledger.settled()
        assert ledger.refused == 0
        assert ledger.repeated() == 0


@asynccontextmanager
async def cutting_proxy(to: int) -> AsyncIterator[tuple[int, asyncio.Event]]:
    """A way to a port of this machine. Once the event is set, a connection that says COMMIT gets no
    answer any more."""
    cut = asyncio.Event()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        from_server, to_server = await asyncio.open_connection("127.0.0.1", to)
        is_cut = False

        async def there() -> None:
            nonlocal is_cut
            while data := await reader.read(65536):
                is_cut = is_cut or (cut.is_set() and b"COMMIT" in data)
                to_server.write(data)

        async def back() -> None:
            while data := await from_server.read(65536):
                if not is_cut:
                    writer.write(data)

        tasks = [asyncio.create_task(one()) for one in (there, back)]
        await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        for end in (writer, to_server):
            end.close()

    proxy = await asyncio.start_server(serve, "127.0.0.1", 0)
    try:
        yield proxy.sockets[0].getsockname()[1], cut
    finally:
        proxy.close()


async def up(process: Router) -> None:
    """Wait until a router uses the shared store, and its spool is empty."""

    async def is_up() -> bool:
        series = "alert_router_store_spooling", "alert_router_spooled_deliveries"
        return not any([await metric(process, one) for one in series])

    await eventually(is_up, "the shared store to be in use")
