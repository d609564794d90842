"""Several routers that share a PostgreSQL database: what was answered 200 arrives, in order, and
once, whatever is killed, paused or cut off."""

import asyncio
import json
import os
import random
import signal
import sys
import time
from collections.abc import Awaitable, Callable
from contextlib import AsyncExitStack
from itertools import combinations
from pathlib import Path
from typing import Any, NamedTuple

import aiohttp
import pytest
from aiohttp import web

from alert_router.outbox.postgres.database import MIGRATIONS
from tests import version_before
from tests.http import get, metric, post
from tests.postgres import server
from tests.programs import (
    Process,
    Request,
    Router,
    body,
    eventually,
    free_port,
    need,
    recorder,
    router,
)
from tests.replicas import (
    TIMEOUT,
    UNHURRIED,
    Ledger,
    config_of,
    is_up,
    proxy,
    replicas,
)

pytestmark = pytest.mark.story

CRASHES = int(os.environ.get("ALERT_ROUTER_CRASHES", "3"))
LEASE = TIMEOUT + 20  # seconds
QUICK = {"min_backoff": "100ms", "max_backoff": "1s", "hold_backoff": "1s"}


async def test_two_routers_recognise_each_others_duplicates_and_deliver_once(
    tmp_path: Path,
) -> None:
    url = await server().database(tmp_path)
    async with (
        recorder() as destination,
        replicas(tmp_path, url, 2, destination.url, prefix=UNHURRIED) as both,
    ):
        same = body(key="k", number="1")
        answers = await asyncio.gather(*(post(f"{one.url}/webhook", same) for one in both))
        assert sorted(data["status"] for _, data in answers) == ["accepted", "duplicate"]
        ledger = Ledger(both, destination)
        for number in range(60):
            await ledger.send(f"lane{number % 20}", to=both[number % 2])
        await ledger.settled()
        ledger.judge()


@pytest.mark.long
async def test_routers_that_are_killed_under_load_lose_and_invert_nothing(tmp_path: Path) -> None:
    """Of three, one after the other."""
    url = await server().database(tmp_path)
    async with (
        recorder() as destination,
        replicas(tmp_path, url, 3, destination.url, prefix=UNHURRIED) as three,
        AsyncExitStack() as stack,
    ):
        running = list(three)
        ledger = Ledger(running, destination)
        async with ledger.load():
            for _ in range(CRASHES):
                await ledger.more(random.randint(40, 80))
                victim = running.pop(0)
                victim.end(signal.SIGKILL)
                again = router(config_of(victim), prefix=UNHURRIED)
                running.append(await stack.enter_async_context(again))
            await ledger.more(40)
        await ledger.settled()
        ledger.judge(crashes=CRASHES)
        print(f"{len(ledger.accepted)} accepted, {CRASHES} killed, {ledger.repeated()} repeated")


@pytest.mark.long
async def test_a_router_that_is_paused_past_its_leases_loses_and_inverts_nothing(
    tmp_path: Path,
) -> None:
    url = await server().database(tmp_path)
    async with recorder() as destination, replicas(tmp_path, url, 3, destination.url) as three:
        running = list(three)
        ledger = Ledger(running, destination)
        ledger.patience = 5.0  # what the paused one does not answer goes to another
        async with ledger.load():
            await ledger.more(20)
            paused = running.pop()
            paused.popen.send_signal(signal.SIGSTOP)
            asking = asyncio.create_task(ledger.send("asked", to=paused))
            await eventually(lambda: ledger.refused, "a sender to give up")
            until = time.monotonic() + LEASE + 2
            await eventually(lambda: time.monotonic() > until, "the leases to end")
            paused.popen.send_signal(signal.SIGCONT)
            await eventually(lambda: is_up(paused), "it to use the database again")
            await asking
            running.append(paused)
            await ledger.more(20)
        await ledger.settled()
        await ledger.judge_all(three, crashes=1)


async def test_a_pause_that_one_router_is_asked_for_binds_the_other(tmp_path: Path) -> None:
    """Also where an attempt of the other, which began before, succeeds meanwhile."""
    url = await server().database(tmp_path)
    async with (
        recorder() as destination,
        replicas(tmp_path, url, 2, destination.url, prefix=UNHURRIED) as both,
    ):
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
        ledger.judge()


async def test_a_rate_limit_holds_over_all_routers(tmp_path: Path) -> None:
    url = await server().database(tmp_path)
    rate = {"rate_limit": "5/h"}
    async with (
        recorder() as destination,
        replicas(tmp_path, url, 2, destination.url, notifier=rate, prefix=UNHURRIED) as both,
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
        async with replicas(tmp_path, url, 2, ways, delivery=QUICK, prefix=UNHURRIED) as both:
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
            ledger.judge(crashes=1)


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


DEDUP_WINDOW = 4.0  # seconds; half of the time after which Alertmanager repeats
# Both members of a cluster know each other, and neither hears in time of what the other has sent:
# so both send each notification.
LATE_GOSSIP = {
    "peer-timeout": "0s",
    "settle-timeout": "1s",
    "gossip-interval": "10h",
    "pushpull-interval": "10h",
    "probe-interval": "10h",
}


def start_alertmanagers(folder: Path, urls: list[str]) -> tuple[list[Process], list[str]]:
    """A cluster, each member of which posts to its own URL; and where they listen."""
    program = need("prometheus-alertmanager")
    processes, listening, gossip = [], [], [free_port() for _ in urls]
    for number, url in enumerate(urls):
        place = folder / f"alertmanager-{number}"
        place.mkdir()
        config = {
            "global": {"resolve_timeout": "10h"},
            "route": {
                "receiver": "alert-router", "group_by": ["alertname"], "group_wait": "1s",
                "group_interval": "1s", "repeat_interval": f"{2 * DEDUP_WINDOW:g}s",
            },
            "receivers": [
                {"name": "alert-router", "webhook_configs": [{"url": f"{url}/webhook"}]}
            ],
        }  # fmt: skip
        (place / "alertmanager.yml").write_text(json.dumps(config))
        address = f"127.0.0.1:{free_port()}"
        arguments = [
            program,
            f"--config.file={place / 'alertmanager.yml'}",
            f"--storage.path={place / 'data'}",
            f"--web.listen-address={address}",
            f"--cluster.listen-address=127.0.0.1:{gossip[number]}",
            *(f"--cluster.peer=127.0.0.1:{port}" for port in gossip),
            *(f"--cluster.{name}={value}" for name, value in LATE_GOSSIP.items()),
        ]
        processes.append(Process(arguments, place / "log"))
        listening.append(f"http://{address}")
    return processes, listening


async def is_cluster(url: str, members: int) -> bool:
    """Whether an Alertmanager is one of so many."""
    try:
        _, text = await get(f"{url}/api/v2/status")
        cluster = json.loads(text)["cluster"]
    except (aiohttp.ClientError, json.JSONDecodeError):
        return False
    return cluster["status"] == "ready" and len(cluster["peers"]) == members


class Post(NamedTuple):
    """A webhook that was answered 200."""

    began: float
    ended: float
    is_duplicate: bool


class Posts(list[Post]):
    """What the members of a cluster post to their routers."""

    on_their_way = 0

    def passed_on(self, to: Router) -> Callable[[Request], Awaitable[web.Response]]:
        """For a recorder: answers as the router does."""

        async def answer(request: Request) -> web.Response:
            self.on_their_way += 1
            try:
                began = time.monotonic()
                status, said = await post(f"{to.url}/webhook", request.body)
                if status == 200:
                    self.append(Post(began, time.monotonic(), said["status"] == "duplicate"))
                return web.Response(status=status)
            finally:
                self.on_their_way -= 1

        return answer

    def accepted(self) -> list[Post]:
        return [one for one in self if not one.is_duplicate]

    def duplicates(self) -> list[Post]:
        return [one for one in self if one.is_duplicate]

    def judge(self) -> None:
        """Of two that were accepted, one came later than the window after the other; and what is a
        duplicate came within the window after one that was accepted. When exactly a router decided
        is not known, nor exactly how well it knows the database's clock."""
        unknown = DEDUP_WINDOW / 4
        for one, other in combinations(self.accepted(), 2):
            apart = max(one.ended - other.began, other.ended - one.began)
            assert apart > DEDUP_WINDOW - unknown, (one, other)
        for one in self.duplicates():
            assert any(
                of.began < one.ended and one.began - of.ended < DEDUP_WINDOW + unknown
                for of in self.accepted()
            ), (one, self.accepted())


@pytest.mark.long
async def test_a_cluster_of_two_alertmanagers_leads_to_one_message_and_one_for_each_repeat(
    tmp_path: Path,
) -> None:
    need("prometheus-alertmanager")
    url = await server().database(tmp_path)
    more: dict[str, Any] = {
        "delivery": {"dedup_window": f"{DEDUP_WINDOW:g}s"},
        "notifier": {"fold": False},
        "prefix": UNHURRIED,
    }
    posts = Posts()
    async with (
        recorder() as destination,
        recorder() as way,
        recorder() as other_way,
        replicas(tmp_path, url, 2, destination.url, **more) as both,
    ):
        ways = [way, other_way]
        for one, to in zip(ways, both, strict=True):
            one.answer = posts.passed_on(to)
        processes, members = start_alertmanagers(tmp_path, [one.url for one in ways])
        try:
            for member in members:
                await eventually(lambda it=member: is_cluster(it, 2), "the cluster to form")
            begins = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())
            alert = json.dumps([{"labels": {"alertname": "HighErrorRate"}, "startsAt": begins}])
            headers = {"Content-Type": "application/json"}
            async with aiohttp.ClientSession(headers=headers) as session:
                apis = [f"{member}/api/v2/alerts" for member in members]
                for answer in await asyncio.gather(
                    *(session.post(api, data=alert) for api in apis)
                ):
                    assert answer.status == 200
            await eventually(
                lambda: min(len(posts.accepted()), len(posts.duplicates())) >= 3,
                "two repeats by both",
            )
        finally:
            for process in processes:
                process.end()
        await eventually(lambda: not posts.on_their_way, "the last answer")
        posts.judge()

        def messages() -> set[str]:
            return {request.headers["webhook-id"] for request in destination.requests}

        print(f"{len(posts.accepted())} accepted, {len(posts.duplicates())} duplicates")
        await eventually(lambda: len(messages()) >= len(posts.accepted()), "all messages")
        assert len(messages()) == len(posts.accepted())
