"""The store alone: accepts a second, and claims with settlements a second, on a flat backlog
and before 50,000 lanes that back off.

    python -m benchmarks.store
"""

import asyncio
import os
import tempfile
import time
from collections.abc import Awaitable, Callable
from pathlib import Path

import uvloop

from alert_router.outbox.model import Destination, NewGroup, Settlement, Target, Verdict
from alert_router.outbox.sqlite import SqliteOutbox

CALLERS = 64  # at once
SOON, LATER = Destination("oncall", "slack"), Destination("oncall", "webhook")
BODY = os.urandom(2048)


def group(to: Destination) -> NewGroup:
    """A 2 KB group of four alerts with a key of its own."""
    key = os.urandom(16)
    fingerprints = tuple(f"{number:016x}" for number in range(4))
    return NewGroup(key.hex(), key, key, BODY, (Target(to, fingerprints),), accepted_at=time.time())


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


async def measure(outbox: SqliteOutbox) -> None:
    """Print the rates."""

    async def accept(to: Destination = SOON) -> int:
        await outbox.accept(group(to), 300.0)
        return 1

    async def claim_one(verdict: Verdict, to: Destination = SOON, delay: float = 0.0) -> int:
        now = time.time()
        claims = await outbox.claim(to, owner="bench", limit=1, now=now, lease=60, fold=False)
        settlement = Settlement(verdict, now, due_at=now + delay)
        await asyncio.gather(*(outbox.settle(claim, settlement) for claim in claims))
        return len(claims)

    async def through() -> int:
        await accept()
        return await claim_one(Verdict.DELIVERED)

    async def back_off() -> int:
        await accept(LATER)
        return await claim_one(Verdict.RETRY, LATER, 3600.0)

    async def through_beside() -> int:
        await accept(LATER)
        return await claim_one(Verdict.DELIVERED, LATER)

    await rate(accept, 2_000)
    print(f"accepts, {CALLERS} at once: {await rate(accept, 30_000):.0f}/s")
    print(f"accepted, claimed and settled, backlog flat: {await rate(through, 10_000):.0f}/s")
    await rate(back_off, 50_000)
    backed = await rate(through_beside, 10_000)
    print(f"the same beside 50,000 lanes in back-off: {backed:.0f}/s")
    began = time.perf_counter()
    rows = await outbox.backlog()
    waiting = sum(row.waiting for row in rows)
    print(f"backlog, {waiting} waiting: {(time.perf_counter() - began) * 1000:.1f} ms")


async def _all() -> None:
    """On a store of its own, in the directory for temporary files."""
    with tempfile.TemporaryDirectory() as directory:
        outbox = SqliteOutbox.open(Path(directory, "alert-router.db"))
        await measure(outbox)
        await outbox.close()


def main() -> None:
    """Print them."""
    uvloop.run(_all())


if __name__ == "__main__":
    main()
