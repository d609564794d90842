"""The stores alone, SQLite's and PostgreSQL's: accepts a second, and deliveries (claims with
settlements) a second, on a flat backlog and beside lanes that back off; and the CPU time of each.
"""

import asyncio
import os
import tempfile
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path

import uvloop

from alert_router.outbox.base import Outbox
from alert_router.outbox.model import (
    Destination,
    NewGroup,
    Role,
    Settlement,
    Storage,
    Target,
    Verdict,
)
from alert_router.outbox.opening import open_outbox
from benchmarks.programs import Unavailable, report
from tests.postgres import Server, programs, server

CALLERS = 64  # at once
ACCEPTS, DELIVERIES, BACKED_OFF = 20_000, 10_000, 20_000
SOON, LATER = Destination("oncall", "slack"), Destination("oncall", "webhook")
BODY = os.urandom(2048)


def group(to: Destination, identity: bytes = b"") -> NewGroup:
    """A 2 KB group of four alerts, with a key of its own unless one is given."""
    key = os.urandom(16)
    fingerprints = tuple(f"{number:016x}" for number in range(4))
    targets = (Target(to, fingerprints),)
    return NewGroup(key.hex(), identity or key, key, BODY, targets, accepted_at=time.time())


async def rate(what: Callable[[], Awaitable[int]], total: int) -> float:
    """How many a second, `what` being called by all callers until `total` were done."""
    done = 0

    async def caller() -> None:
        nonlocal done
        while done < total:
            count = await what()  # not within `+=`, which would read `done` before the wait
            done += count

    began = time.perf_counter()
    await asyncio.gather(*(caller() for _ in range(CALLERS)))
    return done / (time.perf_counter() - began)


async def deliver(
    outbox: Outbox, to: Destination, total: int, verdict: Verdict = Verdict.DELIVERED
) -> float:
    """How many deliveries a second: claimed by one loop, as a router has, and settled at once."""
    running: set[asyncio.Task[bool]] = set()
    done = 0
    began = time.perf_counter()
    while done < total:
        now = outbox.now()
        claims = await outbox.claim(
            to, owner=outbox.owner, limit=CALLERS - len(running), now=now, lease=60, fold=False
        )
        for claim in claims:
            due_at = now + 3600 if verdict is Verdict.RETRY else now
            settlement = Settlement(verdict, now, due_at=due_at)
            running.add(asyncio.create_task(outbox.settle(claim, settlement)))
        if not claims and not running:
            break
        if len(running) == CALLERS or not claims:
            await asyncio.wait(running, return_when=asyncio.FIRST_COMPLETED)
        ended = {one for one in running if one.done()}
        done += sum(one.result() for one in ended)
        running -= ended
    return done / (time.perf_counter() - began)


def postgres() -> Server:
    """A server of this process's own, with fsync on. Raises Unavailable."""
    if programs() is None:
        raise Unavailable("PostgreSQL is not installed")
    return server()


@asynccontextmanager
async def opened(kind: str) -> AsyncIterator[tuple[Outbox, str]]:
    """An empty store, `sqlite` or `postgres`, in a directory for temporary files, and the URL of
    its database. Raises Unavailable."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "alert-router.db")
        url = await postgres().database(path) if kind == "postgres" else ""
        outbox = await open_outbox(Storage(path, url=url), Role.SERVICE)
        try:
            yield outbox, url
        finally:
            await outbox.close()


async def fill(outbox: Outbox, to: Destination, total: int) -> float:
    """Accept so many groups of 2 KB; how many a second."""

    async def accept() -> int:
        await outbox.accept(group(to), 300.0)
        return 1

    return await rate(accept, total)


async def measure(kind: str) -> dict[str, tuple[float, float]]:
    """A rate a second, and microseconds of this process's CPU time for each, of what is done."""
    found = {}
    async with opened(kind) as (outbox, _):
        await fill(outbox, SOON, 1_000)
        await deliver(outbox, SOON, 1_000)

        async def note(what: str, work: Awaitable[float], count: int) -> None:
            before = time.process_time()
            found[what] = await work, (time.process_time() - before) / count * 1e6

        await note("accepts", fill(outbox, SOON, ACCEPTS), ACCEPTS)
        await note("deliveries", deliver(outbox, SOON, DELIVERIES), DELIVERIES)
        await fill(outbox, LATER, BACKED_OFF)
        await deliver(outbox, LATER, BACKED_OFF, Verdict.RETRY)
        await fill(outbox, LATER, DELIVERIES)
        beside = f"deliveries beside {BACKED_OFF:,} lanes in back-off"
        await note(beside, deliver(outbox, LATER, DELIVERIES), DELIVERIES)
        began = time.perf_counter()
        waiting = sum(row.waiting for row in await outbox.backlog())
        took = (time.perf_counter() - began) * 1000
        print(f"{kind}: counting a backlog of {waiting:,} takes {took:.1f} ms")
    return found


def main() -> None:
    """Print them; PostgreSQL's over SQLite's."""
    own = uvloop.run(measure("sqlite"))
    for what, (a_second, cpu) in own.items():
        print(f"SQLite: {what}: {a_second:.0f}/s, {cpu:.0f} us of CPU time each")
    for what, (a_second, cpu) in uvloop.run(measure("postgres")).items():
        detail = f"{a_second:.0f}/s, {cpu:.0f} us of CPU time each"
        report(f"PostgreSQL over SQLite: {what}", a_second / own[what][0], "", detail)


if __name__ == "__main__":
    main()
