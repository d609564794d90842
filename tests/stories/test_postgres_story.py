"""Several routers that share a PostgreSQL database: what was answered 200 arrives, whatever is
killed or stops."""

import asyncio
import json
import signal
import time
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from tests.http import get, metric, post
from tests.postgres import server
from tests.programs import Recorder, Router, body, eventually, recorder, router, write_config

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


async def up(process: Router) -> None:
    """Wait until a router uses the shared store, and its spool is empty."""

    async def is_up() -> bool:
        series = "alert_router_store_spooling", "alert_router_spooled_deliveries"
        return not any([await metric(process, one) for one in series])

    await eventually(is_up, "the shared store to be in use")
