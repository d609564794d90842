"""Several routers that share a PostgreSQL database: what was answered 200 arrives, in order, and
once, whatever is killed, paused or cut off."""

import asyncio
import json
import os
import random
import signal
import sys
import time
from contextlib import AsyncExitStack
from pathlib import Path

import aiohttp
import pytest
from aiohttp import web

from alert_router.outbox.postgres.database import MIGRATIONS
from tests import version_before
from tests.http import metric, post
from tests.postgres import server
from tests.programs import (
    Process,
    Request,
    body,
    eventually,
    free_port,
    need,
    recorder,
    router,
)
from tests.replicas import TIMEOUT, Ledger, config_of, is_up, proxy, replicas

pytestmark = pytest.mark.story

CRASHES = int(os.environ.get("ALERT_ROUTER_CRASHES", "3"))
LEASE = TIMEOUT + 20  # seconds
QUICK = {"min_backoff": "100ms", "max_backoff": "1s", "hold_backoff": "1s"}


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
        await ledger.judge_all(both)


async def test_routers_that_are_killed_or_paused_under_load_lose_and_invert_nothing(
    tmp_path: Path,
) -> None:
    """Of three, one after the other is killed. Then one is paused past its leases."""
    url = await server().database(tmp_path)
    async with (
        recorder() as destination,
        replicas(tmp_path, url, 3, destination.url) as three,
        AsyncExitStack() as stack,
    ):
        running = list(three)
        ledger = Ledger(running, destination)
        async with ledger.load():
            for _ in range(CRASHES):
                await ledger.more(random.randint(40, 80))
                victim = running.pop(0)
                victim.end(signal.SIGKILL)
                again = await stack.enter_async_context(router(config_of(victim)))
                running.append(again)
            await ledger.more(40)
        await ledger.settled()
        await ledger.judge_all(three, crashes=CRASHES)
        print(f"{len(ledger.accepted)} accepted, {CRASHES} killed, {ledger.repeated()} repeated")
        ledger.patience = 5.0  # what the paused one does not answer goes to another
        async with ledger.load():
            await ledger.more(20)
            paused = running.pop()
            paused.popen.send_signal(signal.SIGSTOP)
            until = time.monotonic() + LEASE + 2
            await eventually(lambda: time.monotonic() > until, "the leases to end")
            paused.popen.send_signal(signal.SIGCONT)
            await eventually(lambda: is_up(paused), "it to use the database again")
            running.append(paused)
            await ledger.more(20)
        await ledger.settled()
        await ledger.judge_all(three, crashes=CRASHES + 1)


async def test_a_pause_that_one_router_is_asked_for_binds_the_other(tmp_path: Path) -> None:
    """Also where an attempt of the other, which began before, succeeds meanwhile."""
    url = await server().database(tmp_path)
    async with recorder() as destination, replicas(tmp_path, url, 2, destination.url) as both:
        ledger = Ledger(both, destination)
        released = asyncio.Event()

        async def answer(request: Request) -> web.Response:
            lane = request.json["groupKey"]
            if lane == "slow":
                await released.wait()
            if lane == "asks" and len(destination.requests) == 2:
                return web.Response(status=429, headers={"Retry-After": "15"})
            return web.Response()

        destination.answer = answer
        await ledger.send("slow", to=both[1])
        await eventually(lambda: destination.requests, "the slow attempt")
        await ledger.send("asks", to=both[0])
        await eventually(lambda: len(destination.requests) == 2, "the refused attempt")
        asked = destination.requests[-1]
        held = "alert_router_destination_held"
        await eventually(lambda: metric(both[0], held), "the pause to be written")
        released.set()
        for number in range(6):
            await ledger.send(f"lane{number}", to=both[number % 2])
        await ledger.settled()
        [first, *_] = destination.requests[2:]
        # Routers know the database's clock to some milliseconds.
        assert first.at - asked.at > 14
        await ledger.judge_all(both)


async def test_a_rate_limit_holds_over_all_routers(tmp_path: Path) -> None:
    url = await server().database(tmp_path)
    rate = {"rate_limit": "5/h"}
    async with (
        recorder() as destination,
        replicas(tmp_path, url, 2, destination.url, notifier=rate) as both,
    ):
        ledger = Ledger(both, destination)
        await asyncio.gather(*(ledger.send(f"lane{n}", to=both[n % 2]) for n in range(20)))

        async def as_many_wait(number: int) -> bool:
            waiting = [await metric(one, "alert_router_deliveries_pending{") for one in both]
            return waiting == [number, number]

        await eventually(lambda: as_many_wait(15), "what the rate allows to be settled")
        # Each of them would now send if the limit were its own.
        await ledger.send("lane20", to=both[0])
        await ledger.send("lane21", to=both[1])
        await eventually(lambda: as_many_wait(17), "both to wait")
        assert len(destination.requests) == 5


async def test_a_router_that_is_cut_off_from_the_destination_keeps_nothing_from_it(
    tmp_path: Path,
) -> None:
    """The other one delivers what both accept."""
    url = await server().database(tmp_path)
    async with recorder() as destination, proxy(int(destination.url.rpartition(":")[2])) as way:
        ways = [f"http://127.0.0.1:{way.port}", destination.url]
        async with replicas(tmp_path, url, 2, ways, delivery=QUICK) as both:
            ledger = Ledger(both, destination)
            async with ledger.load():
                await ledger.more(20)
                way.is_open.clear()
                await ledger.more(40)
                accepted = set(ledger.accepted)
                await eventually(
                    lambda: not accepted & ledger.missing_ids(), "what was accepted while cut off"
                )
                way.is_open.set()
                await ledger.more(20)
            await ledger.settled()
            assert ledger.refused == 0
            await ledger.judge_all(both, crashes=1)


async def test_a_rolling_update_of_the_tables_under_load_loses_and_repeats_nothing(
    tmp_path: Path,
) -> None:
    """Routers of the version before are replaced one by one; each has its spool from the one that
    it replaces."""
    url = await server().database(tmp_path)
    old = (sys.executable, "-P", version_before.__file__)
    versions = "SELECT max(number) FROM alert_router.version"
    async with (
        recorder() as destination,
        replicas(tmp_path, url, 2, destination.url, prefix=old) as two,
        AsyncExitStack() as stack,
    ):
        assert await server().value(versions, url) == len(version_before.POSTGRES_TABLES)
        running = list(two)
        ledger = Ledger(running, destination)
        async with ledger.load():
            for replaced in two:
                await ledger.more(40)
                running.remove(replaced)
                assert await asyncio.to_thread(replaced.end) == 0
                new = await stack.enter_async_context(router(config_of(replaced)))
                running.append(new)
                for one in running:
                    await eventually(lambda one=one: is_up(one), "both to use the database")
                await ledger.more(40)  # both versions side by side
        await ledger.settled()
        assert await server().value(versions, url) == len(MIGRATIONS)
        for one in [*two, *running]:
            for trouble in "UndefinedColumn", "request failed":
                assert trouble not in one.text(), one.log
        await ledger.judge_all([*two, *running])


def start_alertmanagers(folder: Path, urls: list[str]) -> tuple[list[Process], list[int]]:
    """Of one cluster, except that they never hear of each other: each posts to its own router."""
    program = need("prometheus-alertmanager")
    processes, ports = [], []
    for number, url in enumerate(urls):
        place = folder / f"alertmanager-{number}"
        place.mkdir()
        config = {
            "route": {
                "receiver": "alert-router", "group_by": ["alertname"], "group_wait": "1s",
                "group_interval": "1s", "repeat_interval": "8s",
            },
            "receivers": [
                {"name": "alert-router", "webhook_configs": [{"url": f"{url}/webhook"}]}
            ],
        }  # fmt: skip
        (place / "alertmanager.yml").write_text(json.dumps(config))
        ports.append(free_port())
        arguments = [
            program,
            f"--config.file={place / 'alertmanager.yml'}",
            f"--storage.path={place / 'data'}",
            f"--web.listen-address=127.0.0.1:{ports[-1]}",
            "--cluster.listen-address=",
        ]
        processes.append(Process(arguments, place / "log"))
    return processes, ports


async def test_two_alertmanagers_lead_to_one_message_and_one_for_each_repeat(
    tmp_path: Path,
) -> None:
    need("prometheus-alertmanager")
    url = await server().database(tmp_path)
    window = {"dedup_window": "4s"}
    async with (
        recorder() as destination,
        replicas(tmp_path, url, 2, destination.url, delivery=window) as both,
    ):
        processes, ports = start_alertmanagers(tmp_path, [one.url for one in both])
        try:
            begins = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())
            alert = [{"labels": {"alertname": "HighErrorRate"}, "startsAt": begins}]
            async with aiohttp.ClientSession() as session:
                for port in ports:
                    await eventually(
                        lambda port=port: takes_alerts(session, port), "Alertmanager to answer"
                    )
                apis = [f"http://127.0.0.1:{port}/api/v2/alerts" for port in ports]
                for answer in await asyncio.gather(
                    *(session.post(api, json=alert) for api in apis)
                ):
                    assert answer.status == 200
            await eventually(lambda: len(destination.requests) >= 3, "two repeats")
        finally:
            for process in processes:
                process.end()
        posted = [await metric(one, "alert_router_webhooks_total{") for one in both]
        assert min(posted) > 0
        duplicates = 'alert_router_webhooks_total{outcome="duplicate"}'
        repeated = [await metric(one, duplicates) for one in both]
        print(f"{posted} posted, {repeated} duplicates")
        assert sum(repeated) > 0

        async def all_are_told() -> bool:
            return len(destination.requests) == sum(posted) - sum(repeated)

        await eventually(all_are_told, "one message for each that is no duplicate")


async def takes_alerts(session: aiohttp.ClientSession, port: int) -> bool:
    """Whether an Alertmanager answers."""
    try:
        async with session.get(f"http://127.0.0.1:{port}/-/ready") as answer:
            return answer.status == 200
    except aiohttp.ClientError:
        return False
