"""What the store's tests share: groups with little in them, and the drivers to be proven."""

import asyncio
from collections.abc import Awaitable, Callable, Iterator, Sequence
from dataclasses import replace
from itertools import count
from pathlib import Path

from alert_router.fields import Rate
from alert_router.outbox.base import Outbox
from alert_router.outbox.model import (
    Claim,
    DeliveryFilter,
    Destination,
    Health,
    NewGroup,
    Probe,
    Role,
    Settlement,
    State,
    Target,
    Verdict,
)
from alert_router.outbox.postgres.database import Database
from alert_router.outbox.postgres.outbox import PostgresOutbox
from alert_router.outbox.sqlite import SqliteOutbox
from tests.postgres import server

A = Destination("oncall", "slack")
B = Destination("oncall", "webhook")

NOW = 1_700_000_000.0
LEASE = 60.0

# Opens the store in a directory; twice in the same one, after closing, finds what was there.
Open = Callable[[Path], Awaitable[Outbox]]


async def open_sqlite(directory: Path) -> SqliteOutbox:
    return SqliteOutbox.open(directory / "alert-router.db", new_id=ids().__next__)


async def open_postgres(directory: Path) -> PostgresOutbox:
    url = await server().database(directory)
    database = Database(url, None, unsafe=False)
    outbox = await PostgresOutbox.open(database, Role.SERVICE, new_id=ids().__next__)
    # A busy machine is no database that does not answer.
    outbox._accept._seconds = outbox._settle._seconds = 60
    return outbox


# A driver added here proves itself with every test that asks for `outbox` or `open_outbox`.
DRIVERS: dict[str, Open] = {"sqlite": open_sqlite, "postgres": open_postgres}


_batches = count(1)


def ids() -> Iterator[str]:
    while True:
        yield f"batch-{next(_batches)}"


def group(
    name: str,
    *to: Destination,
    lane: str = "lane",
    says: str | None = None,
    at: float = NOW,
    priority: int = 1,
    body: bytes | None = None,
    is_repeat: bool = False,
    is_over: bool = False,
) -> NewGroup:
    """A group of that id; what it says is its name unless given."""
    return NewGroup(
        id=name,
        identity=lane.encode(),
        content=(says or name).encode(),
        body=name.encode() if body is None else body,
        targets=tuple(Target(one, (f"fp-{name}",), priority) for one in to or (A,)),
        accepted_at=at,
        is_repeat=is_repeat,
        is_over=is_over,
    )


async def put(outbox: Outbox, *groups: NewGroup) -> None:
    """Accept them one after another; none is a duplicate."""
    for one in groups:
        assert not (await outbox.accept(one, 0.0)).duplicate


async def put_many(outbox: Outbox, groups: Sequence[NewGroup]) -> None:
    """Accept them in order, many at a time, but no more than a busy machine accepts soon."""
    for start in range(0, len(groups), 50):
        some = groups[start : start + 50]
        await asyncio.gather(*(outbox.accept(one, 0.0) for one in some))


async def take(
    outbox: Outbox,
    to: Destination = A,
    *,
    limit: int = 10,
    now: float = NOW,
    fold: bool = True,
    probe: Probe | None = None,
    owner: str = "service",
    rate: Rate | None = None,
) -> list[Claim]:
    return await outbox.claim(
        to, owner=owner, limit=limit, now=now, lease=LEASE, fold=fold, probe=probe, rate=rate
    )


async def take_one(
    outbox: Outbox, to: Destination = A, *, now: float = NOW, fold: bool = True
) -> Claim:
    [claim] = await take(outbox, to, limit=1, now=now, fold=fold)
    return claim


async def end(outbox: Outbox, claim: Claim, verdict: Verdict, **more: object) -> bool:
    settlement = Settlement(verdict, NOW)
    return await outbox.settle(claim, replace(settlement, **more))  # type: ignore[arg-type]


async def set_health(outbox: Outbox, to: Destination, health: Health) -> None:
    """As the settlement of an attempt that leaves nothing behind."""
    name = f"health-{next(_batches)}"
    await put(outbox, group(name, to, lane=name, priority=-1))
    [claim] = await take(outbox, to, probe=Probe.URGENT)
    assert names(claim) == [name]
    await end(outbox, claim, Verdict.DEAD, health=health)
    [row, *_] = await outbox.deliveries(DeliveryFilter(State.DEAD, to.receiver, to.notifier))
    await outbox.discard(row.id, now=NOW)


def failing(
    since: float = NOW, *, until: float = 0.0, why: str = "", reason: str = "misconfigured"
) -> Health:
    """A destination that fails since then, and is left alone until then."""
    return Health(since, 1, reason, why, next_at=until)


def names(claim: Claim) -> list[str]:
    return [waiting.group for waiting in claim.groups]
