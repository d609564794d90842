"""Several routers on one PostgreSQL database, under load and with a ledger: what was answered 200,
and what arrived."""

import asyncio
import random
import re
import signal
from collections import Counter, defaultdict
from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import Any

import aiohttp

from alert_router.outbox.postgres.database import _SETTINGS
from alert_router.outbox.postgres.pool import Pool
from tests.http import metric
from tests.programs import (
    PATIENCE,
    Recorder,
    Request,
    Router,
    body,
    eventually,
    patched,
    write_config,
)

TIMEOUT = 8.0  # seconds of the notifier; a lease is 20 longer
CONCURRENCY = 4  # sends of one router at once

_HOUR = 3600.0
# Limits of what a router asks the database: to accept, and everything else.
_TO_ACCEPT = {
    "alert_router.outbox.postgres.outbox.ACCEPT_SECONDS": _HOUR,
    "alert_router.outbox.spooled._ACCEPT_SECONDS": _HOUR,
    "alert_router.outbox.spooled._PAUSED_SECONDS": _HOUR,
}
_ELSE = {
    "alert_router.outbox.postgres.database._CONNECT_SECONDS": _HOUR,
    "alert_router.outbox.postgres.outbox._SETTLE_SECONDS": _HOUR,
    "alert_router.outbox.postgres.pool.Pool.run.__kwdefaults__": {
        **Pool.run.__kwdefaults__,
        "seconds": _HOUR,
    },
    "alert_router.server.context._STORE_SECONDS": _HOUR,
    "alert_router.server.status._STALLED": _HOUR,
}
# Routers that wait for the database for hours, except where they accept.
HURRIED = patched(_ELSE)
# Routers that never take a busy machine for a database that does not answer, nor use their spool.
UNHURRIED = patched(
    _TO_ACCEPT
    | _ELSE
    | {
        "alert_router.outbox.postgres.database._SETTINGS": re.sub(
            r"(_timeout) = '[^']*'", r"\1 = '1h'", _SETTINGS
        )
    }
)


def configuration(folder: Path, storage: str, url: str, **more: Any) -> Path:
    """The configuration of a router in a new folder, with a spool of its own, one webhook to the
    URL with the settings of `notifier`, and more sections."""
    folder.mkdir()
    hook = {
        "type": "webhook",
        "url": url,
        "timeout": f"{TIMEOUT:g}s",
        "concurrency": CONCURRENCY,
    }
    notifier = more.pop("notifier", {})
    return write_config(folder, [hook | notifier], storage=f"{storage}?spool=spool.db", **more)


@asynccontextmanager
async def replicas(
    folder: Path, storage: str | list[str], number: int, url: str | list[str], **more: Any
) -> AsyncIterator[list[Router]]:
    """That many routers; each may have its own way to the database and to the destination. Started
    by the program `prefix`, if there is one."""
    prefix = more.pop("prefix", ())
    storages = [storage] * number if isinstance(storage, str) else storage
    urls = [url] * number if isinstance(url, str) else url
    configs = [
        configuration(folder / f"replica-{index}", storages[index], urls[index], **more)
        for index in range(number)
    ]
    started = [Router(config, prefix=prefix) for config in configs]
    try:
        yield list(await asyncio.gather(*(one.started() for one in started)))
    finally:
        for one in started:
            one.end(signal.SIGKILL)


def config_of(process: Router) -> Path:
    """The configuration that a router was started with."""
    return process.log.with_name("alert-router.yaml")


async def is_up(process: Router) -> bool:
    """Whether a router uses the shared store, and its spool is empty."""
    series = "alert_router_store_spooling", "alert_router_spooled_deliveries"
    return not any([await metric(process, one) for one in series])


class Ledger:
    """What was answered 200, and what arrived.

    A lane's webhooks are numbered and sent one after the other; one that was not answered 200 goes
    again, to any router, as Alertmanager does.
    """

    def __init__(self, routers: list[Router], destination: Recorder) -> None:
        self.routers = routers
        self.destination = destination
        self.accepted: dict[str, tuple[str, int]] = {}  # by the group's id: its lane and number
        self.refused = 0
        self.patience = PATIENCE  # seconds until a webhook is sent again
        self._numbers: Counter[str] = Counter()
        self._stop = False

    async def send(self, lane: str, to: Router | None = None, **labels: str) -> None:
        """The lane's next webhook, until it is accepted."""
        self._numbers[lane] += 1
        number = self._numbers[lane]
        payload = body(f"HighErrorRate{lane}", key=lane, number=str(number), **labels)
        async with aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(self.patience)) as session:
            while True:
                url = (to or random.choice(self.routers)).url
                try:
                    async with session.post(f"{url}/webhook", data=payload) as answer:
                        text = await answer.json()
                        status = answer.status
                except (aiohttp.ClientError, OSError, TimeoutError):
                    status = 0
                if status == 200:
                    self.accepted[text["id"]] = lane, number
                    return
                self.refused += 1
                await asyncio.sleep(0.02)

    @asynccontextmanager
    async def load(
        self, lanes: int = 12, posters: int = 6, pause: float = 0.05
    ) -> AsyncIterator[None]:
        """Webhooks without end while the block lasts."""
        self._stop = False

        async def post(number: int) -> None:
            while not self._stop:
                await self.send(f"lane{random.randrange(number, lanes, posters)}")
                await asyncio.sleep(pause)

        tasks = [asyncio.create_task(post(number)) for number in range(posters)]
        try:
            yield
        finally:
            self._stop = True
            await asyncio.gather(*tasks)

    async def more(self, webhooks: int) -> None:
        """Wait until so many more are accepted."""
        enough = len(self.accepted) + webhooks
        await eventually(lambda: len(self.accepted) >= enough, "webhooks to be accepted")

    def taken(self) -> list[Request]:
        """The messages that the destination took, in the order in which they came."""
        return [request for request in self.destination.requests if request.status == 200]

    async def settled(self) -> None:
        """Wait until everything accepted has arrived."""
        try:
            await eventually(lambda: not self.missing(), "all that was accepted")
        except AssertionError:
            raise AssertionError(self.missing()) from None

    def missing(self) -> list[tuple[str, int]]:
        return sorted(self.accepted[group] for group in self.missing_ids())

    def missing_ids(self) -> set[str]:
        """The groups that were accepted and have not arrived."""
        covered = {group for request in self.taken() for group in _groups(request)}
        return self.accepted.keys() - covered

    def repeated(self) -> int:
        """How many messages came more than once."""
        return len(self.taken()) - len({_id(request) for request in self.taken()})

    def judge(self, *, crashes: int = 0) -> None:
        """Nothing is missing, no order is inverted, what repeats was in flight at a crash and has
        the id it had."""
        assert not self.missing(), self.missing()
        assert self.repeated() <= crashes * CONCURRENCY, f"{self.repeated()} repeated"
        message_of: dict[str, str] = {}
        newest: dict[str, int] = defaultdict(int)
        seen: set[str] = set()
        for request in self.taken():
            lane, number, id_ = request.json["groupKey"], _number(request), _id(request)
            for group in _groups(request):
                assert message_of.setdefault(group, id_) == id_, f"{lane}: {number} under two ids"
            if id_ not in seen:
                assert number > newest[lane], f"{lane}: {number} came after {newest[lane]}"
                newest[lane] = number
            seen.add(id_)

    async def judge_all(self, routers: Iterable[Router], *, crashes: int = 0) -> None:
        """As `judge`, unless one of the routers accepted something into its spool, as on a machine
        with too much to do: what both stores have may be sent twice."""
        if any("moved from the spool" in one.text() for one in routers):
            print("a router used its spool: only the ends of the lanes are judged")
            await self.judge_ends()
        else:
            self.judge(crashes=crashes)

    async def judge_ends(self) -> None:
        """Nothing is missing, and in the end the last message of each lane says how things are."""
        assert not self.missing(), self.missing()
        try:
            await eventually(lambda: not self._outdated(), "the last messages")
        except AssertionError:
            raise AssertionError(f"outdated last messages: {self._outdated()}") from None

    def _outdated(self) -> dict[str, tuple[int, int]]:
        """The lanes whose last message is older than their last webhook; the numbers of both."""
        last = {request.json["groupKey"]: _number(request) for request in self.taken()}
        return {
            lane: (last[lane], number)
            for lane, number in self._numbers.items()
            if last[lane] != number
        }

    def judge_answers(self) -> None:
        """Nothing was refused, nor not answered."""
        assert not self.refused, f"{self.refused} refused"


def _id(request: Request) -> str:
    return request.headers["webhook-id"]


def _groups(request: Request) -> list[str]:
    groups: list[str] = request.json["alert_router"]["groups"]
    return groups


def _number(request: Request) -> int:
    return int(request.json["alerts"][0]["labels"]["number"])


class Proxy:
    """A way to a port of this machine. While `is_open` is not set, what is sent is lost, unnoticed;
    the connections concerned end once it is set again. With `loses_commits`, a connection
    that says COMMIT gets no answer any more."""

    def __init__(self, to: int) -> None:
        self.is_open = asyncio.Event()
        self.is_open.set()
        self.loses_commits = False
        self.port = 0
        self._to = to

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with suppress(asyncio.CancelledError):  # the test is over
            if await self._passes():
                await self._connect(reader, writer)
        writer.close()

    async def _connect(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        from_server, to_server = await asyncio.open_connection("127.0.0.1", self._to)
        is_lost = asyncio.Event()

        async def there() -> None:
            while (data := await reader.read(65536)) and await self._passes():
                if self.loses_commits and b"COMMIT" in data:
                    is_lost.set()
                to_server.write(data)

        async def back() -> None:
            while (data := await from_server.read(65536)) and await self._passes():
                if not is_lost.is_set():
                    writer.write(data)

        tasks = [asyncio.create_task(one()) for one in (there, back)]
        try:
            await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for task in tasks:
                task.cancel()
            to_server.close()

    async def _passes(self) -> bool:
        """Whether what is sent now arrives. If not, that is said when the way is open again."""
        if self.is_open.is_set():
            return True
        await self.is_open.wait()
        return False


@asynccontextmanager
async def proxy(to: int) -> AsyncIterator[Proxy]:
    """A proxy for the length of the block."""
    it = Proxy(to)
    serving = await asyncio.start_server(it.serve, "127.0.0.1", 0)
    it.port = serving.sockets[0].getsockname()[1]
    try:
        yield it
    finally:
        it.is_open.set()
        serving.close()
