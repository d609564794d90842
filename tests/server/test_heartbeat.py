"""Heartbeats: who is notified of one that is missing, when, and how often."""

import json
from pathlib import Path
from typing import Any

import pytest

from alert_router.config.model import Heartbeat
from alert_router.metrics import Metrics
from alert_router.model import AlertGroup
from alert_router.model.problem import ProblemsError
from alert_router.outbox.base import StoreUnavailable
from alert_router.outbox.model import NewGroup
from alert_router.runtime import Runtime, read_runtime
from alert_router.server import heartbeat as module
from alert_router.server.heartbeat import Heartbeats
from tests.http import get, post
from tests.programs import body, eventually, recorder, router, write_config

EU = {"name": "eu", "source": "eu", "timeout": "60s", "receiver": "oncall"}


class World:
    """Heartbeats with a clock and a store of the test's own."""

    def __init__(self, folder: Path) -> None:
        self.file = folder / "heartbeats.json"
        self.metrics = Metrics()
        config = write_config(folder, [{"type": "console"}], heartbeats=[EU])
        self.runtime: Runtime = read_runtime(config)
        self.sent: list[NewGroup] = []
        self.is_down = False
        self.now = 1_000_000.0
        self.it = self.start()

    def start(self) -> Heartbeats:
        self.it = Heartbeats(
            self.file,
            self.metrics,
            runtime=lambda: self.runtime,
            store=self._store,
            steady=lambda: self.now,
            wall=lambda: self.now + 1_700_000_000,
        )
        self.it._missing = module._read(self.file)
        return self.it

    async def _store(self, group: NewGroup) -> None:
        if self.is_down:
            raise StoreUnavailable("no")
        self.sent.append(group)

    def beat(self, source: str = "eu", **changes: Any) -> None:
        alert = {"name": "Watchdog"} | changes
        self.it.note(AlertGroup.from_bytes(body(**alert)), source)

    async def after(self, seconds: float) -> list[str]:
        """The status of each notification so far, that many seconds later."""
        self.now += seconds
        await self.it.look()
        return [json.loads(group.body)["status"] for group in self.sent]


@pytest.fixture
def world(tmp_path: Path) -> World:
    return World(tmp_path)


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
    first, back, second = (json.loads(group.body)["alerts"][0] for group in world.sent)
    assert first["startsAt"] == back["startsAt"] != second["startsAt"]
    assert first["fingerprint"] == back["fingerprint"]
    assert first["labels"]["heartbeat"] == "eu"
    assert [target.destination.receiver for target in world.sent[0].targets] == ["oncall"]


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


async def test_a_store_that_is_down_gets_the_notification_later(world: World) -> None:
    await world.after(0)
    world.is_down = True
    with pytest.raises(StoreUnavailable):
        await world.after(61)
    world.is_down = False
    assert await world.after(1) == ["firing"]


async def test_a_damaged_file_is_none(world: World) -> None:
    for text in ("", "[]", '{"eu": "x"}', "\0"):
        world.file.write_text(text)
        world.start()
        assert await world.after(0) == []


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
        ([EU, EU], "two are called `eu`"),
        ([EU | {"matchers": ["="]}], "matchers"),
        ([EU | {"timeout": "0"}], "timeout"),
    ],
)
def test_what_cannot_work_is_refused(tmp_path: Path, heartbeats: Any, part: str) -> None:
    config = write_config(tmp_path, [{"type": "console"}], heartbeats=heartbeats)
    with pytest.raises(ProblemsError) as raised:
        read_runtime(config)
    assert part in "\n".join(problem.show() for problem in raised.value.problems)


def test_routers_that_share_a_database_cannot_have_heartbeats(tmp_path: Path) -> None:
    storage = "postgresql://alert@db/alerts"
    config = write_config(tmp_path, [{"type": "console"}], heartbeats=[EU], storage=storage)
    with pytest.raises(ProblemsError) as raised:
        read_runtime(config)
    assert "not available with PostgreSQL" in raised.value.problems[0].message


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
            """One for each message: what was being sent at the kill is sent again."""
            found = {it.headers["webhook-id"]: it.json for it in destination.requests}
            return [
                it["status"]
                for it in found.values()
                if it["alerts"][0]["labels"]["alertname"] == module.ALERT
            ]

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
            assert statuses() == ["firing", "resolved"]


async def _metric(url: str, line: str) -> bool:
    return line in (await get(f"{url}/metrics"))[1]
