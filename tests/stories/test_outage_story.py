"""Destinations that fail and come back: a page is out at once, one attempt at a time is made, and a
dead destination costs next to nothing, whatever waits for it.

How long "at once" is, tests of the policy say. Here everything that is no page, and every back-off
of a message, lasts for hours: what arrives has not waited for that.
"""

import asyncio
import os
import signal
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path

import aiohttp
import pytest
from aiohttp import web

from tests.http import metric, post
from tests.programs import (
    HOURS,
    Recorder,
    Request,
    Router,
    body,
    eventually,
    free_port,
    recorder,
    router,
    write_config,
)

pytestmark = pytest.mark.story


def status(code: int, **headers: str) -> Callable[[Request], web.Response]:
    return lambda request: web.Response(status=code, headers=headers)


def taken(destination: Recorder) -> list[Request]:
    return [request for request in destination.requests if request.status == 200]


def key(request: Request) -> str:
    return request.json["groupKey"]


async def fill(process: Router, lanes: int, severity: str = "warning") -> None:
    """Accept so many groups."""
    room = asyncio.Semaphore(64)
    async with aiohttp.ClientSession() as session:

        async def one(number: int) -> None:
            payload = body(key=f"{severity}{number}", n=str(number), severity=severity)
            async with room, session.post(f"{process.url}/webhook", data=payload) as answer:
                assert answer.status == 200

        await asyncio.gather(*map(one, range(lanes)))


def hook(url: str, **more: object) -> dict[str, object]:
    return {"type": "webhook", "url": url, **more}


@asynccontextmanager
async def at_port(destination: Recorder, port: int) -> AsyncIterator[None]:
    """The recording server at another port as well."""
    app = web.Application()
    app.router.add_route("*", "/{path:.*}", destination.handle)
    runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.1)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", port).start()
    try:
        yield
    finally:
        await runner.cleanup()


async def test_a_page_is_out_soon_after_the_end_of_an_outage(tmp_path: Path) -> None:
    async with recorder() as destination:
        destination.answer = status(503)
        config = write_config(tmp_path, [hook(destination.url)], delivery=HOURS)
        async with router(config) as process:
            await fill(process, 50)
            await post(f"{process.url}/webhook", body(key="page"))
            await eventually(lambda: len(destination.requests) >= 5, "some attempts")
            destination.answer = status(200)
            await eventually(lambda: len(taken(destination)) == 51, "all")
            # Every other probe takes another lane; the page follows it at once.
            assert "page" in [key(request) for request in taken(destination)[:2]]


async def test_a_page_is_out_soon_after_connections_are_no_longer_refused(tmp_path: Path) -> None:
    port = free_port()
    async with recorder() as destination:
        config = write_config(tmp_path, [hook(f"http://127.0.0.1:{port}/")], delivery=HOURS)
        async with router(config) as process:
            await post(f"{process.url}/webhook", body(key="page"))
            failed = 'alert_router_notifications_failed_total{notifier="webhook"'

            async def is_tried() -> bool:
                return await metric(process, failed) >= 3

            await eventually(is_tried, "attempts")
            async with at_port(destination, port):
                await eventually(lambda: destination.requests, "the page")


@pytest.mark.parametrize("code", [404, 403, 401, 405, 302])
async def test_one_passing_refusal_does_not_hold_a_page(tmp_path: Path, code: int) -> None:
    async with recorder() as destination:

        def once(_: Request) -> web.Response:
            return web.Response(status=code if len(destination.requests) == 1 else 200)

        destination.answer = once
        config = write_config(tmp_path, [hook(destination.url)], delivery=HOURS)
        async with router(config) as process:
            await post(f"{process.url}/webhook", body(key="page"))
            await eventually(lambda: taken(destination), "the page")
        assert len(destination.requests) == 2


async def test_a_page_that_comes_while_a_destination_fails_is_tried_at_once(
    tmp_path: Path,
) -> None:
    async with recorder() as destination:
        destination.answer = status(503)
        config = write_config(tmp_path, [hook(destination.url)], delivery=HOURS)
        async with router(config) as process:
            await post(f"{process.url}/webhook", body(key="minor", severity="warning"))
            await eventually(lambda: destination.requests, "the first attempt")
            destination.answer = status(200)
            await post(f"{process.url}/webhook", body(key="page"))
            await eventually(lambda: len(taken(destination)) == 2, "both")
        assert [key(request) for request in taken(destination)] == ["page", "minor"]


async def test_a_page_waits_as_long_as_the_destination_asked_for(tmp_path: Path) -> None:
    """And no longer, though what is no page would."""
    async with recorder() as destination:
        destination.answer = status(429, **{"Retry-After": "4"})
        config = write_config(tmp_path, [hook(destination.url)], delivery=HOURS)
        async with router(config) as process:
            await post(f"{process.url}/webhook", body(key="minor", severity="warning"))
            await eventually(lambda: destination.requests, "the first attempt")
            destination.answer = status(200)
            await post(f"{process.url}/webhook", body(key="page"))
            await eventually(lambda: len(taken(destination)) == 2, "both")
        limited, page, _ = destination.requests
        assert page.at - limited.at >= 4
        assert key(page) == "page"


async def test_a_failing_destination_is_asked_by_one_delivery_at_a_time_and_then_by_more(
    tmp_path: Path,
) -> None:
    at_once, most, refusing = 0, 0, True

    async def slow(_: Request) -> web.Response:
        nonlocal at_once, most
        at_once += 1
        most = max(most, at_once)
        await asyncio.sleep(0.05)
        at_once -= 1
        return web.Response(status=503 if refusing else 200)

    async with recorder() as destination:
        destination.answer = slow
        config = write_config(tmp_path, [hook(destination.url, concurrency=8)])
        async with router(config) as process:
            await post(f"{process.url}/webhook", body(key="first"))
            # From the second attempt on it is known to fail.
            await eventually(lambda: len(destination.requests) >= 2, "the second attempt")
            await fill(process, 60, "critical")
            await eventually(lambda: len(destination.requests) >= 5, "attempts")
            assert most == 1
            refusing = False
            await eventually(lambda: len(taken(destination)) == 61, "all")
            assert most == 8


async def test_one_message_that_is_always_answered_with_500_holds_up_no_other(
    tmp_path: Path,
) -> None:
    async with recorder() as destination:

        def poisoned(request: Request) -> web.Response:
            return web.Response(status=500 if b"poison" in request.body else 200)

        destination.answer = poisoned
        async with router(write_config(tmp_path, [hook(destination.url)])) as process:
            await post(f"{process.url}/webhook", body(key="poison"))
            await eventually(lambda: destination.requests, "the first attempt")
            await fill(process, 30)
            await eventually(lambda: len(taken(destination)) == 30, "the others")
            await fill(process, 30, "info")
            await eventually(lambda: len(taken(destination)) == 60, "more")
            assert await metric(process, "alert_router_deliveries_pending{") == 1


async def test_how_a_destination_is_outlasts_a_kill(tmp_path: Path) -> None:
    async with recorder() as destination:
        destination.answer = status(503)
        config = write_config(tmp_path, [hook(destination.url)], delivery=HOURS)
        failing = "alert_router_destination_failing_seconds{"
        async with router(config) as process:
            await post(f"{process.url}/webhook", body(key="minor", severity="warning"))

            async def is_failing() -> bool:
                return await metric(process, failing) > 0

            await eventually(is_failing, "the outage")
            process.end(signal.SIGKILL)
        async with router(config) as process:
            await fill(process, 20)
            assert await metric(process, failing) > 0
            await post(f"{process.url}/webhook", body(key="page"))
            await eventually(lambda: len(destination.requests) == 2, "the attempt for the page")
        assert [key(request) for request in destination.requests] == ["minor", "page"]


def processor_seconds(pid: int) -> float:
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


@pytest.mark.long
async def test_a_dead_destination_costs_next_to_nothing_whatever_waits_for_it(
    tmp_path: Path,
) -> None:
    """10,000 lanes, pages among them: an attempt a second, and 1 MB of log a day."""
    seconds = 10.0
    config = write_config(tmp_path, [hook(f"http://127.0.0.1:{free_port()}/")])
    async with router(config) as process:
        await fill(process, 5_000, "critical")
        await fill(process, 5_000)
        await asyncio.sleep(2)  # the intake's last work
        before, size = processor_seconds(process.popen.pid), process.log.stat().st_size
        tried = await metric(process, "alert_router_notifications_failed_total{")
        await asyncio.sleep(seconds)
        share = (processor_seconds(process.popen.pid) - before) / seconds
        tried = await metric(process, "alert_router_notifications_failed_total{") - tried
        lines = process.log.read_bytes()[size:].splitlines()
        about = [line for line in process.log.read_bytes().splitlines() if b"failing" in line]
    print(f"{share:.2%} of a processor, {sum(map(len, lines))} bytes of log")
    assert tried <= seconds + 2
    assert len(lines) <= 1
    # One such line a minute is what there is.
    assert max(map(len, about)) * 24 * 60 < 1_000_000
