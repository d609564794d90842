"""The promise: what was answered 200 is never lost.

The router is killed with SIGKILL at random moments under load and started again. In the end
every group answered 200 is delivered or a dead letter, in order within its lane, and repeats
happen only where a send was in flight, under the id it had.
"""

import asyncio
import random
import signal
from collections import defaultdict
from dataclasses import dataclass, field
from pathlib import Path

import aiohttp
import pytest
from aiohttp import web

from tests.http import metric
from tests.programs import Recorder, Request, Router, body, eventually, recorder, write_config

pytestmark = pytest.mark.story

LANES = 12
ROUNDS = 6
POSTERS = 8


@dataclass
class Load:
    """Posts without end, and remembers what was answered 200: id → (lane, number)."""

    router: Router
    accepted: dict[str, tuple[str, int]] = field(default_factory=dict)
    numbers: dict[str, int] = field(default_factory=lambda: defaultdict(int))
    stop: bool = False

    async def post(self, lanes: list[str]) -> None:
        """One poster; it owns its lanes, so that order within one is known."""
        async with aiohttp.ClientSession() as session:
            while not self.stop:
                lane = random.choice(lanes)
                self.numbers[lane] += 1
                number = self.numbers[lane]
                payload = body(f"HighErrorRate{lane}", key=lane, number=str(number))
                try:
                    async with session.post(f"{self.router.url}/webhook", data=payload) as answer:
                        text = await answer.json()
                except (aiohttp.ClientError, ConnectionError):
                    await asyncio.sleep(0.01)
                    continue
                if answer.status == 200:
                    self.accepted[text["id"]] = (lane, number)


def answer_of(seed: random.Random):
    """A destination that is slow, refuses now and then, and sometimes hangs up unanswered."""

    async def answer(request: Request) -> web.StreamResponse:
        await asyncio.sleep(seed.uniform(0, 0.03))
        chance = seed.random()
        if chance < 0.05:
            return web.Response(status=500)
        return web.Response(text="ok")

    return answer


async def survivors(router: Router) -> int:
    """How many deliveries still wait."""
    return int(await metric(router, "alert_router_deliveries_pending{"))


async def test_every_group_answered_200_is_delivered_in_order_whatever_is_killed(
    tmp_path: Path,
) -> None:
    chance = random.Random(2026)
    async with recorder() as destination:
        destination.answer = answer_of(chance)
        notifier = {"type": "webhook", "url": destination.url, "concurrency": 8}
        config = write_config(
            tmp_path, [notifier], delivery={"min_backoff": "50ms", "max_backoff": "200ms"}
        )
        running = await Router(config).started()
        load = Load(running)
        lanes = [f"lane{n}" for n in range(LANES)]
        posters = [
            asyncio.create_task(load.post(lanes[n::POSTERS] or lanes[:1])) for n in range(POSTERS)
        ]
        try:
            for _ in range(ROUNDS):
                before = len(load.accepted)
                target = before + chance.randint(40, 120)
                await eventually(lambda t=target: len(load.accepted) >= t, "webhooks accepted")
                running.end(signal.SIGKILL)
                running = load.router = await Router(config).started()
                assert await metric(running, "alert_router_store_faults_total{") == 0
            load.stop = True
            await asyncio.gather(*posters)

            async def nothing_waits() -> bool:
                return await survivors(running) == 0

            await eventually(nothing_waits, "every delivery")
        finally:
            load.stop = True
            await asyncio.gather(*posters, return_exceptions=True)
            running.end(signal.SIGKILL)
    judge(load, destination)


def judge(load: Load, destination: Recorder) -> None:
    told: dict[str, list[Request]] = defaultdict(list)
    taken = [request for request in destination.requests if request.status != 500]
    for request in taken:
        told[request.headers["webhook-id"]].append(request)
    covered: set[str] = set()
    for requests in told.values():
        # A repeat carries the very groups that its first sending carried.
        groups = {tuple(r.json["alert_router"]["groups"]) for r in requests}
        assert len(groups) == 1
        covered |= set(groups.pop())
    assert set(load.accepted) <= covered
    check_order(taken)


def check_order(taken: list[Request]) -> None:
    """Within a lane, new messages are newer than all before them; an older one that comes
    again is a repeat under an id already seen."""
    newest: dict[str, int] = defaultdict(int)
    seen: set[str] = set()
    for request in taken:
        message = request.json
        id_ = request.headers["webhook-id"]
        number = int(message["alerts"][0]["labels"]["number"])
        lane = message["groupKey"]
        if id_ not in seen:
            assert number > newest[lane], f"{lane}: {number} came after {newest[lane]}"
            newest[lane] = number
        seen.add(id_)
