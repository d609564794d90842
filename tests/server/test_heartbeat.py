"""Heartbeats: who is notified of one that is missing, when, and how often."""

import asyncio
import json
import signal
import time
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from alert_router.config.model import Heartbeat
from alert_router.metrics import Metrics
from alert_router.model import AlertGroup
from alert_router.model.problem import ProblemsError
from alert_router.outbox.base import StoreUnavailable
from alert_router.outbox.model import Destination, LatestGroup
from alert_router.outbox.postgres.database import Database
from alert_router.outbox.postgres.outbox import PostgresOutbox
from alert_router.outbox.spooled import SpooledOutbox
from alert_router.outbox.sqlite import SqliteOutbox
from alert_router.receive import Source, to_store
from alert_router.runtime import Runtime, read_runtime
from alert_router.server import heartbeat as module
from alert_router.server.heartbeat import Heartbeats
from tests.http import get, metric, post
from tests.outbox.kit import open_postgres, open_sqlite
from tests.postgres import server
from tests.programs import (
    Recorder,
    body,
    eventually,
    recorder,
    router,
    write_config,
)
from tests.replicas import UNHURRIED, config_of, replicas

EU = {"name": "eu", "source": "eu", "timeout": "60s", "receiver": "oncall"}


class World:
    """Heartbeats of one router or two on a store, with a clock of the test's own."""

    def __init__(self, folder: Path, *outboxes: Any) -> None:
        self.metrics = Metrics()
        config = write_config(folder, [{"type": "console"}], heartbeats=[EU])
        self.runtime: Runtime = read_runtime(config)
        self.now = 1_000_000.0
        self.outboxes = outboxes
        for outbox in outboxes:
            outbox.now = lambda: self.now + 1_700_000_000
        self.woken: list[Destination] = []
        self.start()

    def start(self) -> None:
        self.routers = [
            Heartbeats(
                outbox,
                self.metrics,
                runtime=lambda: self.runtime,
                wake=lambda to, priority: self.woken.append(to),
                steady=lambda: self.now,
            )
            for outbox in self.outboxes
        ]

    def beat(self, source: str = "eu", *, router: int = 0, **changes: Any) -> None:
        alert = {"name": "Watchdog"} | changes
        self.routers[router].note(AlertGroup.from_bytes(body(**alert)), source)

    async def after(self, seconds: float) -> list[str]:
        """The status of each notification so far, that many seconds later."""
        self.now += seconds
        await asyncio.gather(*(router.look() for router in self.routers))
        return _statuses(await self.sent())

    async def sent(self) -> list[LatestGroup]:
        return await self.outboxes[0].latest(0, 100)


def _statuses(groups: list[LatestGroup]) -> list[str]:
    return [json.loads(group.body)["status"] for group in groups]


@pytest.fixture
async def world(tmp_path: Path) -> AsyncIterator[World]:
    outbox = await open_sqlite(tmp_path)
    yield World(tmp_path, outbox)
    await outbox.close()


@pytest.fixture
async def pair(tmp_path: Path) -> AsyncIterator[World]:
    both = [await open_postgres(tmp_path) for _ in range(2)]
    yield World(tmp_path, *both)
    for outbox in both:
        await outbox.close()


async def test_two_routers_notify_once_whichever_receives_the_heartbeat(pair: World) -> None:
    await pair.after(0)
    for number in range(6):
        pair.beat(router=number % 2)
        assert await pair.after(1) == []
        assert await pair.after(58) == []
    assert await pair.after(10) == ["firing"]
    pair.start()
    assert await pair.after(1000) == ["firing"]
    pair.beat(router=1)
    assert await pair.after(1) == ["firing", "resolved"]
    assert await pair.after(1) == ["firing", "resolved"]
    assert len(pair.woken) == 2


async def test_a_heartbeat_that_arrives_when_it_is_found_missing_notifies_nobody(
    pair: World,
) -> None:
    await pair.after(0)
    [before] = await pair.outboxes[0].heartbeats(["eu"], 0)
    await pair.outboxes[1].beat(["eu"], pair.now)
    group = to_store(
        AlertGroup.from_bytes(raw := body()), raw, Source("oncall"), pair.runtime, pair.now
    )
    assert not await pair.outboxes[0].change_heartbeat(before, before.seen_at, group)
    assert await pair.sent() == []


class Apart(World):
    """Routers with spools of their own, while their database is stopped."""

    async def after(self, seconds: float) -> list[str]:
        self.now += seconds
        await asyncio.gather(*(router.look() for router in self.routers))
        return [" ".join(_statuses(await it._spool.latest(0, 100))) for it in self.outboxes]

    async def is_back(self) -> None:
        server().start()
        for outbox in self.outboxes:
            await eventually(lambda it=outbox: not it.is_spooling, "the database")
            await eventually(lambda it=outbox: not it._identities, "the spool to be moved")

    async def shared_after(self, seconds: float) -> list[str]:
        return await super().after(seconds)


@pytest.fixture
async def apart(tmp_path: Path) -> AsyncIterator[Apart]:
    """The first of two routers receives the heartbeat, then the database stops."""
    database = Database(await server().database(tmp_path), None, unsafe=False)
    both = []
    for name in "ab":
        spool = SqliteOutbox.open(tmp_path / f"{name}.db")
        both.append(SpooledOutbox(PostgresOutbox(database), spool))
        await both[-1].start()
    world = Apart(tmp_path, *both)
    await world.shared_after(0)
    world.beat()
    assert await world.shared_after(1) == []
    server().stop()
    try:
        for outbox in both:  # as before each claim
            await outbox.health(Destination("oncall", "console"))
        assert await world.after(1) == ["", ""]
        yield world
    finally:
        if any(outbox.is_spooling for outbox in both):
            server().start()
        for outbox in both:
            await outbox.close()


async def test_without_the_database_a_router_misses_what_comes_to_itself(apart: Apart) -> None:
    assert await apart.after(60) == ["", ""]
    assert await apart.after(1) == ["firing", ""]
    assert await apart.after(1000) == ["firing", ""]
    apart.start()  # that router starts again
    assert await apart.after(1000) == ["firing", ""]
    await apart.is_back()
    for _ in range(2):
        assert await apart.shared_after(1000) == ["firing"]
    apart.beat(router=1)
    assert await apart.shared_after(1) == ["firing", "resolved"]
    assert await apart.shared_after(1) == ["firing", "resolved"]


async def test_without_the_database_one_that_is_back_notifies_again(apart: Apart) -> None:
    assert await apart.after(61) == ["firing", ""]
    apart.beat()
    assert await apart.after(1) == ["firing resolved", ""]
    await apart.is_back()
    assert await apart.shared_after(59) == ["firing", "resolved"]
    assert await apart.shared_after(2) == ["firing", "resolved"]
    assert await apart.shared_after(60) == ["firing", "resolved", "firing"]


async def test_each_router_that_misses_it_notifies_and_neither_again_later(apart: Apart) -> None:
    apart.beat(router=1)
    assert await apart.after(30) == ["", ""]
    assert await apart.after(31) == ["firing", ""]
    assert await apart.after(30) == ["firing", "firing"]
    await apart.is_back()
    assert await apart.shared_after(100) == ["firing", "firing"]
    apart.beat()
    assert await apart.shared_after(1) == ["firing", "firing", "resolved"]


async def test_one_that_another_router_received_meanwhile_is_back(apart: Apart) -> None:
    assert await apart.after(61) == ["firing", ""]
    apart.beat(router=1)
    assert await apart.after(1) == ["firing", ""]
    await apart.is_back()
    assert await apart.shared_after(1) == ["firing", "resolved"]


async def test_one_that_another_router_received_just_before_is_not_back(apart: Apart) -> None:
    """The one that misses it does not know that, as after its start without the database."""
    assert await apart.after(61) == ["firing", ""]
    await apart.outboxes[1]._spool.beat(["eu"], apart.now + 1_700_000_000 - 61.5)
    apart.outboxes[1]._has_heartbeats = True
    await apart.is_back()
    assert await apart.shared_after(1) == ["firing"]
    assert apart.routers[0].missing["eu"] > apart.now + 1_700_000_000 - 63
    apart.beat(router=1)
    assert await apart.shared_after(1) == ["firing", "resolved"]


async def test_after_the_database_was_down_a_heartbeat_has_its_time(apart: Apart) -> None:
    apart.beat()
    await apart.after(1)
    await apart.is_back()
    assert await apart.shared_after(1000) == []
    assert await apart.shared_after(60) == []
    assert await apart.shared_after(1) == ["firing"]


async def test_one_that_comes_in_time_notifies_nobody(world: World) -> None:
    await world.after(0)
    for _ in range(10):
        world.beat()
        assert await world.after(59) == []


async def test_one_that_is_missing_notifies_once_and_once_when_it_is_back(world: World) -> None:
    await world.after(0)
    assert await world.after(60) == []
    assert await world.after(1) == ["firing"]
    assert await world.after(10_000) == ["firing"]
    world.beat()
    assert await world.after(1) == ["firing", "resolved"]
    assert await world.after(59) == ["firing", "resolved"]
    assert await world.after(2) == ["firing", "resolved", "firing"]
    first, back, second = (json.loads(it.body)["alerts"][0] for it in await world.sent())
    assert first["startsAt"] == back["startsAt"] != second["startsAt"]
    assert first["fingerprint"] == back["fingerprint"]
    assert first["labels"]["heartbeat"] == "eu"
    assert world.woken == [Destination("oncall", "console")] * 3


@pytest.mark.parametrize(
    "other", [{"source": "us"}, {"source": ""}, {"name": "Other"}, {"status": "resolved"}]
)
async def test_another_alert_is_no_heartbeat(world: World, other: dict[str, str]) -> None:
    await world.after(0)
    world.now += 50
    world.beat(**other)
    assert await world.after(11) == ["firing"]


async def test_a_restart_repeats_nothing_and_still_reports_that_it_is_back(world: World) -> None:
    await world.after(0)
    assert await world.after(61) == ["firing"]
    world.start()
    assert await world.after(1000) == ["firing"]
    world.now -= 100_000  # the clock was set back
    assert await world.after(0) == ["firing"]
    world.beat()
    assert await world.after(1) == ["firing", "resolved"]
    world.start()
    assert await world.after(1) == ["firing", "resolved"]


async def test_a_start_gives_it_its_time(world: World) -> None:
    await world.after(0)
    world.now += 10_000  # the router was down
    world.start()
    assert await world.after(0) == []
    assert await world.after(61) == ["firing"]


async def test_a_store_that_is_down_gets_the_notification_later(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    await world.after(0)

    async def fail(*_: Any) -> None:
        raise StoreUnavailable("no")

    with monkeypatch.context() as down:
        down.setattr(world.outboxes[0], "change_heartbeat", fail)
        with pytest.raises(StoreUnavailable):
            await world.after(61)
    assert await world.after(1) == ["firing"]


async def test_metrics_show_it_until_it_is_not_configured_any_more(world: World) -> None:
    await world.after(0)
    await world.after(61)
    assert b'alert_router_heartbeat_missing{heartbeat="eu"} 1.0' in world.metrics.text()
    config = world.runtime.config.model_copy(update={"heartbeats": ()})
    world.runtime = _with(world.runtime, config)
    await world.after(1)
    assert b"heartbeat=" not in world.metrics.text()


def _with(runtime: Runtime, config: Any) -> Runtime:
    from dataclasses import replace

    return replace(runtime, loaded=replace(runtime.loaded, config=config))


@pytest.mark.parametrize(
    ("heartbeats", "part"),
    [
        ([EU | {"receiver": "nobody"}], "no receiver `nobody`"),
        ([EU, EU], "two heartbeats are called `eu`"),
        ([EU | {"matchers": ["="]}], "matchers"),
        ([EU | {"timeout": "0"}], "timeout"),
    ],
)
def test_what_cannot_work_is_refused(tmp_path: Path, heartbeats: Any, part: str) -> None:
    config = write_config(tmp_path, [{"type": "console"}], heartbeats=heartbeats)
    with pytest.raises(ProblemsError) as raised:
        read_runtime(config)
    assert part in "\n".join(problem.show() for problem in raised.value.problems)


def test_a_receiver_of_a_heartbeat_alone_is_used(tmp_path: Path) -> None:
    config = write_config(tmp_path, [{"type": "console"}], heartbeats=[EU | {"receiver": "b"}])
    written = json.loads(config.read_text())
    written["receivers"].append({"name": "b"})
    config.write_text(json.dumps(written))
    assert read_runtime(config).problems == ()


def test_several_matchers_all_have_to_match() -> None:
    matchers = ['alertname="Watchdog"', 'cluster=~"a|b"']
    heartbeat = Heartbeat(name="a", matchers=matchers, receiver="x")
    assert heartbeat.matches({"alertname": "Watchdog", "cluster": "b"})
    assert not heartbeat.matches({"alertname": "Watchdog", "cluster": "c"})


@pytest.mark.story
async def test_a_running_router_notifies_of_silence_and_of_its_end(tmp_path: Path) -> None:
    async with recorder() as destination:
        heartbeats = [EU | {"timeout": "2s"}]
        notifier = {"type": "webhook", "url": f"{destination.url}/hook"}
        config = write_config(tmp_path, [notifier], heartbeats=heartbeats)

        def statuses() -> list[str]:
            return _of_heartbeat(destination)

        async with router(config) as running:
            await eventually(lambda: statuses() == ["firing"], "the notification of silence")
            running.popen.kill()
            running.popen.wait()
        async with router(config) as running:
            line = 'heartbeat_missing{heartbeat="eu"} 1.0'
            await eventually(lambda: _metric(running.url, line), "the metric")

            async def is_back() -> bool:
                await post(f"{running.url}/webhook?source=eu", body(name="Watchdog"))
                return "resolved" in statuses()

            await eventually(is_back, "the notification that it is back")
            assert statuses()[:2] == ["firing", "resolved"]


@pytest.mark.long
@pytest.mark.story
async def test_two_running_routers_notify_once_of_silence_and_of_its_end(tmp_path: Path) -> None:
    url = await server().database(tmp_path)
    more: dict[str, Any] = {"heartbeats": [EU | {"timeout": "8s"}], "prefix": UNHURRIED}
    async with (
        recorder() as destination,
        replicas(tmp_path, url, 2, destination.url, **more) as [one, other],
    ):

        async def beat() -> None:
            while True:
                await post(f"{receiving.url}/webhook?source=eu", body(name="Watchdog"))
                await asyncio.sleep(0.2)

        missing = 'alert_router_heartbeat_missing{heartbeat="eu"}'
        await eventually(lambda: _of_heartbeat(destination), "the notification of silence")
        for running in (one, other):
            await eventually(lambda of=running: metric(of, missing), "each router to know")
        one.end(signal.SIGKILL)
        receiving = other
        beating = asyncio.create_task(beat())
        await eventually(lambda: "resolved" in _of_heartbeat(destination), "its end")
        async with router(config_of(one)) as again:
            receiving, until = again, time.monotonic() + 9
            await eventually(lambda: time.monotonic() > until, "more than its time")
            assert not await metric(other, missing)
        beating.cancel()
        assert _of_heartbeat(destination) == ["firing", "resolved"]


def _of_heartbeat(destination: Recorder) -> list[str]:
    """One for each message: what was being sent at a kill is sent again."""
    found = {it.headers["webhook-id"]: it.json for it in destination.requests}
    return [
        it["status"]
        for it in found.values()
        if it["alerts"][0]["labels"]["alertname"] == module.ALERT
    ]


async def _metric(url: str, line: str) -> bool:
    return line in (await get(f"{url}/metrics"))[1]
