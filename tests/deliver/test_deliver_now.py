"""What no store can take is delivered at once, within the limits of each notifier."""

import asyncio
import json
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web

from alert_router.deliver import worker
from alert_router.model import AlertGroup
from alert_router.outbox.base import StoreUnavailable
from alert_router.outbox.model import NewGroup
from alert_router.receive import Source, to_store
from alert_router.runtime import read_runtime
from alert_router.server import Router, running
from tests.programs import PATIENCE, Recorder, Request, body, eventually, recorder, write_config


@asynccontextmanager
async def serving(
    tmp_path: Path,
    *destinations: Recorder,
    delivery: dict[str, str] | None = None,
    **more: Any,
) -> AsyncIterator[Router]:
    hooks = [
        {"type": "webhook", "name": f"hook-{number}", "url": one.url, **more}
        for number, one in enumerate(destinations)
    ]
    config = write_config(tmp_path, hooks, delivery=delivery or {})
    async with running(config, read_runtime(config)) as router:
        await router.deliverer.recovered()
        yield router


@pytest.fixture
async def destination() -> AsyncIterator[Recorder]:
    async with recorder() as found:
        yield found


def new(router: Router, note: str, key: str = "") -> NewGroup:
    raw = body(key=key or note, note=note)
    group = AlertGroup.from_bytes(raw)
    return to_store(group, raw, Source(), router.runtime, router.outbox.now())


async def deliver(router: Router, note: str, key: str = "") -> bool:
    return await router.deliverer.deliver_now(new(router, note, key))


async def store(router: Router, note: str) -> None:
    group = new(router, note)
    await router.outbox.accept(group, 0)
    for target in group.targets:
        router.deliverer.wake(target.destination)


def notes(destination: Recorder) -> list[str]:
    return [
        alert["labels"]["note"]
        for request in destination.requests
        for alert in json.loads(request.body)["alerts"]
    ]


class Gate:
    """Keeps requests until they are let through; how many there were at once."""

    def __init__(self) -> None:
        self.opened = asyncio.Event()
        self.there = self.most = 0

    async def __call__(self, _: Request) -> web.Response:
        self.there += 1
        self.most = max(self.most, self.there)
        await self.opened.wait()
        self.there -= 1
        return web.Response()


async def test_no_more_are_sent_at_once_than_concurrency_allows(
    tmp_path: Path, destination: Recorder
) -> None:
    destination.answer = gate = Gate()
    async with serving(tmp_path, destination, concurrency=2) as router:
        waiting = [asyncio.create_task(deliver(router, f"n{number}")) for number in range(6)]
        await eventually(lambda: gate.there == 2, "the first messages")
        gate.opened.set()
        assert all(await asyncio.gather(*waiting))
    assert notes(destination) == [f"n{number}" for number in range(6)]
    assert gate.most == 2


async def test_what_is_sent_from_the_store_counts_for_concurrency(
    tmp_path: Path, destination: Recorder
) -> None:
    destination.answer = gate = Gate()
    async with serving(tmp_path, destination, concurrency=1) as router:
        await store(router, "stored")
        await eventually(lambda: gate.there == 1, "the message from the store")
        waiting = asyncio.create_task(deliver(router, "now"))
        gate.opened.set()
        assert await waiting
    assert (notes(destination), gate.most) == (["stored", "now"], 1)


async def test_sends_that_are_over_and_that_the_store_does_not_note_do_not_count_for_concurrency(
    tmp_path: Path, destination: Recorder, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def refuse(*_: object) -> bool:
        raise StoreUnavailable("the disk is full")

    monkeypatch.setattr(worker, "_TURN_SECONDS", PATIENCE)
    destination.answer = gate = Gate()
    async with serving(tmp_path, destination, concurrency=2) as router:
        with monkeypatch.context() as broken:
            broken.setattr(router.outbox, "settle", refuse)
            for note in ("a", "b"):
                await store(router, note)
            await eventually(lambda: gate.there == 2, "the messages from the store")
            waiting = [asyncio.create_task(deliver(router, f"n{number}")) for number in range(4)]
            gate.opened.set()
            assert all(await asyncio.gather(*waiting))
            assert await deliver(router, "later")
    assert sorted(notes(destination)[:2]) == ["a", "b"]
    assert notes(destination)[2:] == ["n0", "n1", "n2", "n3", "later"]
    assert gate.most == 2


async def test_what_does_not_have_its_turn_in_time_is_refused(
    tmp_path: Path, destination: Recorder, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(worker, "_TURN_SECONDS", 0.2)
    destination.answer = gate = Gate()
    async with serving(tmp_path, destination, concurrency=1) as router:
        first = asyncio.create_task(deliver(router, "one"))
        await eventually(lambda: gate.there == 1, "the first message")
        assert not await deliver(router, "two")
        gate.opened.set()
        assert await first
        assert await deliver(router, "three")
    assert notes(destination) == ["one", "three"]


async def test_more_than_the_rate_allows_is_refused_without_waiting_for_it(
    tmp_path: Path, destination: Recorder
) -> None:
    async with serving(tmp_path, destination, rate_limit="3/h") as router:
        taken = [await deliver(router, f"n{number}") for number in range(5)]
    assert taken == [True] * 3 + [False] * 2
    assert notes(destination) == ["n0", "n1", "n2"]


async def test_what_was_sent_at_once_counts_when_a_store_is_back(
    tmp_path: Path, destination: Recorder, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with serving(tmp_path, destination, rate_limit="2/h") as router:
        monkeypatch.setattr(type(router.outbox), "is_shared", True)  # it is asked each time
        assert await deliver(router, "one")
        [loop] = router.deliverer._loops.values()
        pace = await loop._paced()
        assert pace is not None
        assert pace.free(time.monotonic()) == 1


async def test_what_was_sent_before_a_start_counts_before_anything_is_claimed(
    tmp_path: Path, destination: Recorder, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with serving(tmp_path, destination, rate_limit="2/h") as router:
        for note in ("a", "b"):
            await store(router, note)
        await eventually(lambda: len(notes(destination)) == 2, "the messages from the store")
    claimed = asyncio.Event()

    async def later(*_: object) -> bool:
        await claimed.wait()
        return False

    with monkeypatch.context() as busy:
        busy.setattr(worker.DestinationLoop, "_claim", later)
        async with serving(tmp_path, destination, rate_limit="2/h") as router:
            assert not await deliver(router, "c")
            claimed.set()


async def test_a_store_that_does_not_say_what_was_sent_keeps_no_message_back(
    tmp_path: Path, destination: Recorder, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def refuse(*_: object, **__: object) -> list[float]:
        raise StoreUnavailable("the disk is gone")

    async with serving(tmp_path, destination, rate_limit="2/h") as router:
        monkeypatch.setattr(router.outbox, "sent", refuse)
        taken = [await deliver(router, f"n{number}") for number in range(3)]
    assert taken == [True, True, False]


async def test_a_pause_that_a_destination_asks_for_is_kept_and_delays_no_other(
    tmp_path: Path, destination: Recorder
) -> None:
    destination.answer = lambda _: web.Response(status=429, headers={"Retry-After": "60"})
    async with recorder() as other, serving(tmp_path, destination, other) as router:
        assert not await deliver(router, "one")
        assert not await deliver(router, "two")
    assert (notes(destination), notes(other)) == (["one"], ["one", "two"])


async def test_what_is_posted_again_goes_only_to_the_destinations_that_have_not_taken_it(
    tmp_path: Path, destination: Recorder
) -> None:
    destination.answer = lambda _: web.Response(status=503)
    async with recorder() as other, serving(tmp_path, destination, other) as router:
        taken = [await deliver(router, "one") for _ in range(3)]
        destination.answer = lambda _: web.Response()
        taken += [await deliver(router, "one") for _ in range(2)]
    assert taken == [False] * 3 + [True] * 2
    assert notes(destination) == ["one"] * 5
    assert notes(other) == ["one"] * 2, "all had it: what is equal and comes later is news"


async def test_what_a_destination_took_is_sent_again_after_other_news_of_the_group(
    tmp_path: Path, destination: Recorder
) -> None:
    destination.answer = lambda _: web.Response(status=503)
    async with recorder() as other, serving(tmp_path, destination, other) as router:
        for note in ("firing", "more", "more", "firing"):
            assert not await deliver(router, note, key="one")
    assert notes(other) == ["firing", "more", "firing"]


async def test_what_a_destination_took_is_sent_again_after_the_store_took_something(
    tmp_path: Path, destination: Recorder
) -> None:
    destination.answer = lambda _: web.Response(status=503)
    async with recorder() as other, serving(tmp_path, destination, other) as router:
        assert not await deliver(router, "one")
        await store(router, "stored")
        await eventually(lambda: "stored" in notes(other), "the message from the store")
        assert not await deliver(router, "one")
    assert notes(other) == ["one", "stored", "one"]


@pytest.mark.parametrize(("window", "messages"), [("1h", 1), ("0s", 2)])
async def test_dedup_window_says_how_long_it_is_known_who_took_it(
    tmp_path: Path, destination: Recorder, window: str, messages: int
) -> None:
    destination.answer = lambda _: web.Response(status=503)
    async with (
        recorder() as other,
        serving(tmp_path, destination, other, delivery={"dedup_window": window}) as router,
    ):
        for _ in range(2):
            assert not await deliver(router, "one")
    assert len(notes(other)) == messages


async def test_at_a_stop_what_waits_for_its_turn_is_refused(
    tmp_path: Path, destination: Recorder
) -> None:
    destination.answer = gate = Gate()
    async with serving(tmp_path, destination, concurrency=1) as router:
        first = asyncio.create_task(deliver(router, "one"))
        second = asyncio.create_task(deliver(router, "two"))
        await eventually(lambda: gate.there == 1, "the first message")
        stopping = asyncio.create_task(router.deliverer.stop(10))
        await eventually(lambda: router.deliverer._stopping, "the stop")
        gate.opened.set()
        await stopping
        assert (await first, await second) == (True, False)
    assert notes(destination) == ["one"]
