"""Several routers that share a PostgreSQL database: what was answered 200 arrives, in order, and
once, whatever is killed, paused or cut off."""

import asyncio
import os
import random
import signal
import time
from contextlib import AsyncExitStack
from pathlib import Path

import pytest

from tests.http import post
from tests.postgres import server
from tests.programs import body, eventually, recorder, router
from tests.replicas import TIMEOUT, Ledger, config_of, replicas

pytestmark = pytest.mark.story

CRASHES = int(os.environ.get("ALERT_ROUTER_CRASHES", "3"))
LEASE = TIMEOUT + 20  # seconds


async def test_two_routers_recognise_each_others_duplicates_and_deliver_once(
    tmp_path: Path,
) -> None:
    url = await server().database(tmp_path)
    async with recorder() as destination, replicas(tmp_path, url, 2, destination.url) as both:
        same = body(key="k", number="1")
        answers = await asyncio.gather(*(post(f"{one.url}/webhook", same) for one in both))
        assert sorted(data["status"] for _, data in answers) == ["accepted", "duplicate"]
        ledger = Ledger(both, destination)
        for number in range(60):
            await ledger.send(f"lane{number % 20}", to=both[number % 2])
        await ledger.settled()
        ledger.judge()


async def test_routers_that_are_killed_and_paused_under_load_lose_and_invert_nothing(
    tmp_path: Path,
) -> None:
    """One of three is paused past its leases; the others are killed one after the other."""
    url = await server().database(tmp_path)
    async with (
        recorder() as destination,
        replicas(tmp_path, url, 3, destination.url) as three,
        AsyncExitStack() as stack,
    ):
        running = list(three)
        ledger = Ledger(running, destination)
        async with ledger.load():
            await ledger.more(60)
            paused = running.pop()
            paused.popen.send_signal(signal.SIGSTOP)
            until = time.monotonic() + LEASE + 2
            for _ in range(CRASHES):
                await ledger.more(random.randint(40, 80))
                victim = running.pop(0)
                victim.end(signal.SIGKILL)
                again = await stack.enter_async_context(router(config_of(victim)))
                running.append(again)
            await eventually(lambda: time.monotonic() > until, "the leases to end")
            paused.popen.send_signal(signal.SIGCONT)
            running.append(paused)
            await ledger.more(60)
        await ledger.settled()
        assert ledger.refused >= CRASHES
        ledger.judge(crashes=CRASHES + 1)
        print(f"{len(ledger.accepted)} accepted, {CRASHES} killed, {ledger.repeated()} repeated")
