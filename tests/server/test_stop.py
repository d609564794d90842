"""Stopping and reloading while deliveries are on their way."""

import asyncio
import os
import signal
import sqlite3
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web

from alert_router.cli.commands import serve
from alert_router.outbox.model import Destination, State
from alert_router.runtime import read_runtime
from alert_router.server import Router, running
from tests.http import post
from tests.programs import PATIENCE, Recorder, Request, body, eventually, recorder, write_config

HOOK = Destination("oncall", "webhook")


@asynccontextmanager
async def serving(
    tmp_path: Path, destination: Recorder, **more: Any
) -> AsyncIterator[tuple[Router, sqlite3.Connection]]:
    """A router in this process that posts to the destination, and a way into its store."""
    config = write_config(tmp_path, [{"type": "webhook", "url": destination.url}], **more)
    snapshot = read_runtime(config)
    async with running(config, snapshot) as router:
        store = sqlite3.connect(snapshot.loaded.config.storage.path, isolation_level=None)
        try:
            yield router, store
        finally:
            store.close()


async def rest(router: Router, store: sqlite3.Connection, until: float) -> None:
    """Have the destination be left alone until then, once its loop has asked how it is."""
    await router.deliverer.recovered()
    await turns()
    await router.outbox.health(HOOK)
    values = (HOOK.receiver, HOOK.notifier, until)
    store.execute(
        "INSERT INTO destination (receiver, notifier, failing_since, paused_until)"
        " VALUES (?, ?, 1, ?)",
        values,
    )


async def accept(router: Router) -> None:
    host, port = router.addresses[0]
    status, _ = await post(f"http://{host}:{port}/webhook", body())
    assert status == 200


async def turns() -> None:
    """Let whatever is ready run, and what that makes ready."""
    for _ in range(20):
        await asyncio.sleep(0)


async def test_what_the_store_hands_out_during_the_stop_is_left_for_the_next_start(
    tmp_path: Path,
) -> None:
    async with recorder() as destination, serving(tmp_path, destination) as (router, store):
        await rest(router, store, until=time.time() + 1000)
        await accept(router)
        store.execute("BEGIN IMMEDIATE")  # the claim that is made now waits for this
        store.execute("UPDATE destination SET paused_until = 0")
        router.deliverer.wake(HOOK)
        await turns()
        stopping = asyncio.create_task(router.deliverer.stop(30))
        await turns()
        store.execute("COMMIT")
        await stopping
        (row,) = await router.outbox.deliveries()
        assert (row.state, row.attempts) == (State.WAITING, 0)
        assert row.due_at is not None, "it is still being sent"
        assert destination.requests == []


async def test_a_destination_that_left_at_a_reload_does_not_outlast_the_deadline(
    tmp_path: Path,
) -> None:
    released = asyncio.Event()

    async def hang(_: Request) -> web.Response:
        await released.wait()
        return web.Response(text="late")

    async with recorder() as destination, serving(tmp_path, destination) as (router, _):
        destination.answer = hang
        await accept(router)
        await eventually(lambda: destination.requests, "the message")
        router.deliverer.follow({})
        with pytest.raises(TimeoutError):  # it is given the time that is left
            async with asyncio.timeout(0.2):
                await router.deliverer.stop(30)
        async with asyncio.timeout(PATIENCE):
            await router.deliverer.stop(0.1)
        released.set()


async def test_a_stop_gives_sends_the_configured_time_and_waits_for_no_store_after_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    given: list[float] = []

    async def stop(seconds: float) -> None:
        given.append(seconds)

    async def never() -> None:
        await asyncio.Event().wait()

    delivery = {"shutdown_timeout": "100ms"}
    async with recorder() as destination:
        async with serving(tmp_path, destination, delivery=delivery) as (router, _):
            monkeypatch.setattr(router.deliverer, "stop", stop)
            monkeypatch.setattr(router.outbox, "close", never)
            async with asyncio.timeout(PATIENCE):
                await router.stop()
            assert given == [0.1]
            monkeypatch.undo()


def test_a_process_that_is_told_to_stop_ends_soon_after_that_time_whatever_hangs(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Its own thread sees to that."""
    done: list[object] = []
    monkeypatch.setattr(signal, "sigwait", lambda _: signal.SIGTERM)
    monkeypatch.setattr(time, "sleep", done.append)
    monkeypatch.setattr(os, "_exit", lambda code: done.append(f"exit {code}"))
    serve._Stopper(lambda: 2.0)._wait()
    [seconds, end] = done
    assert isinstance(seconds, float)
    assert 2 < seconds <= 3
    assert end == "exit 1"


async def test_a_reload_that_comes_late_begins_nothing(tmp_path: Path) -> None:
    async with recorder() as destination, serving(tmp_path, destination) as (router, _):
        router.deliverer.follow({})
        await router.deliverer.stop(1)
        router.site.serving = False
        for task in router._tasks:  # those that begin others all the time
            task.cancel()
        await asyncio.gather(*router._tasks, return_exceptions=True)
        before = asyncio.all_tasks()
        await router.reload()
        assert not asyncio.all_tasks() - before


async def test_a_row_that_cannot_be_read_does_not_end_the_service_of_its_destination(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    async with recorder() as destination, serving(tmp_path, destination) as (router, store):
        await rest(router, store, until=time.time() + 1000)
        await accept(router)
        store.execute("UPDATE delivery SET fingerprints = '['")
        store.execute("UPDATE destination SET paused_until = 0")
        router.deliverer.wake(HOOK)
        seen = ""

        def told() -> bool:
            nonlocal seen
            seen += "".join(capfd.readouterr())
            return "cannot claim" in seen

        await eventually(told, "the log to say so")
        store.execute("UPDATE delivery SET fingerprints = '[]'")
        await eventually(lambda: destination.requests, "the message once it is mended")
