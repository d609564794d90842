"""The methods of a store that are one operation each, written once for all drivers: coroutines on a
session, in which each driver runs statements of its own database.
"""

import asyncio
import time
from abc import ABC, abstractmethod
from collections import Counter
from collections.abc import (
    AsyncIterator,
    Awaitable,
    Callable,
    Collection,
    Coroutine,
    Mapping,
    Sequence,
)
from functools import partial
from types import MappingProxyType
from typing import Any, Concatenate, ParamSpec, TypeVar

from alert_router.fields import Rate
from alert_router.outbox import actions, deliveries, lanes, transfer
from alert_router.outbox.lanes import Wanted, claim
from alert_router.outbox.model import (
    ALL_DELIVERIES,
    MOST_A_DAY,
    OTHERS,
    Claim,
    DeliveryFilter,
    DeliveryRow,
    Destination,
    HeartbeatState,
    LatestGroup,
    NewGroup,
    Observation,
    Probe,
    StoredIdentity,
)
from alert_router.outbox.session import Session

_BATCH = 100  # rows of one short transaction where many may have to be changed

P = ParamSpec("P")
T = TypeVar("T")
Accept = Callable[[Any, Sequence[tuple[NewGroup, float]]], Coroutine[Any, Any, Any]]


async def _beat(session: Session, names: Collection[str], now: float) -> None:
    """As `Outbox.beat`."""
    for name in sorted(names):  # in one order: routers do not wait for each other in a circle
        await session.run("beat", (name, now))


async def _read_heartbeats(
    session: Session, names: Collection[str], now: float
) -> list[HeartbeatState]:
    """As `Outbox.heartbeats`."""
    found = {row[0]: HeartbeatState(*row) for row in await session.rows("heartbeats")}
    for name in sorted(set(names) - set(found)):
        await session.run("begin_heartbeat", (name, now))
        row = await session.row("heartbeat", (name,))
        found[name] = HeartbeatState(*(row or (name, now, 0.0)))
    return [found[name] for name in names]


async def change_heartbeat(
    session: Session, accept: Accept, before: HeartbeatState, missing_since: float, group: NewGroup
) -> bool:
    """As `Outbox.change_heartbeat`; `accept` is the driver's."""
    values = (missing_since, before.name, before.seen_at, before.missing_since)
    if not await session.run("change_heartbeat", values):
        return False
    await accept(session, [(group, 0.0)])
    return True


async def _forget_heartbeat(session: Session, name: str) -> None:
    """As `Outbox.forget_heartbeat`."""
    await session.run("forget_heartbeat", (name,))


async def _observe(session: Session, observations: Sequence[Observation]) -> None:
    """As `Outbox.observe`."""
    counts: dict[int, int] = {}  # how many each day has, once that had to be asked
    for it in observations:
        alert, rest = session.clean(it.alert), (session.clean(it.runbook), session.clean(it.way))
        more = (it.received, it.notified, it.seen_at, it.day)
        if await _add_to_observed(session, (*more, alert, *rest)):
            continue
        if it.day not in counts:
            (counts[it.day],) = await session.one("counts_on", (it.day,))
        if counts[it.day] >= MOST_A_DAY:
            alert = OTHERS
            if await _add_to_observed(session, (*more, alert, *rest)):
                continue
        await session.run("begin_observed", (*more, alert, *rest))
        counts[it.day] += 1


async def _observed(session: Session, day: int) -> list[Observation]:
    """As `Outbox.observed`."""
    return [Observation(*row) for row in await session.rows("observed_on", (day,))]


async def _forget_observed(session: Session, *, before_day: int, limit: int) -> int:
    """As `Outbox.forget_observed`."""
    return await session.run("forget_observed", (before_day, limit))


async def _add_to_observed(session: Session, values: tuple[int | float | str, ...]) -> bool:
    """Whether there was a count to add to."""
    return await session.run("add_to_observed", (*values[:3], *values[2:])) > 0


def _operation(
    operation: Callable[Concatenate[Session, P], Coroutine[Any, Any, T]],
) -> Callable[Concatenate["Operations", P], Coroutine[Any, Any, T]]:
    """The method of a store that is one operation."""

    async def method(self: "Operations", /, *args: P.args, **kwargs: P.kwargs) -> T:
        return await self._run(partial(operation, **kwargs), *args)

    return method


class Operations(ABC):
    """Runs each method as an operation in a transaction of its driver's. What is not described here
    is as `Outbox` has it."""

    is_spooling = False
    outages = 0
    spooled_identities: frozenset[bytes] = frozenset()
    unmovable: Mapping[bytes, str] = MappingProxyType({})

    @abstractmethod
    async def _run(self, operation: Callable[..., Coroutine[Any, Any, T]], *arguments: Any) -> T:
        """The result of the operation on a session, once its transaction is durable. It may run
        more than once: it changes nothing but the database."""

    @abstractmethod
    def now(self) -> float:
        """As `Outbox.now`."""

    @abstractmethod
    async def close(self) -> None:
        """As `Outbox.close`."""

    recover = _operation(lanes.recover)
    settle = _operation(lanes.settle)
    sent = _operation(lanes.sent)
    health = _operation(lanes.read_health)
    backlog = _operation(deliveries.backlog)
    last_successes = _operation(deliveries.last_successes)
    of_group = _operation(deliveries.of_group)
    show = _operation(deliveries.show)
    replay = _operation(deliveries.replay)
    discard = _operation(deliveries.discard)
    hasten = _operation(deliveries.hasten)
    prune = _operation(deliveries.prune)
    observe = _operation(_observe)
    observed = _operation(_observed)
    forget_observed = _operation(_forget_observed)
    history = _operation(actions.history)
    latest = _operation(actions.latest)
    act = _operation(actions.act)
    actions_since = _operation(actions.actions_since)
    usage = _operation(actions.usage)
    secret = _operation(actions.secret)
    forget_actions = _operation(actions.forget)
    beat = _operation(_beat)
    heartbeats = _operation(_read_heartbeats)
    forget_heartbeat = _operation(_forget_heartbeat)

    # For copies and spools.
    secrets = _operation(transfer.secrets)
    """All, by their names."""
    keep_secrets = _operation(transfer.keep_secrets)
    """Keep those of which none is kept: links that are signed with them stay good."""
    every_heartbeat = _operation(transfer.heartbeats)
    """Name, when it was last received, and since when it is missing, of all."""
    keep_heartbeats = _operation(transfer.keep_heartbeats)
    """Keep what another store has of heartbeats, or what is later here. Doing so again changes
    nothing."""
    every_identity = _operation(transfer.every_identity)
    """All of which anything is known."""

    async def spooled(self) -> int:
        """As `Outbox.spooled`."""
        return 0

    async def claim(
        self,
        destination: Destination,
        *,
        owner: str,
        limit: int,
        now: float,
        lease: float,
        fold: bool,
        probe: Probe | None = None,
        rate: Rate | None = None,
        changes: bool = False,
    ) -> list[Claim]:
        """As `Outbox.claim`."""
        wanted = Wanted(owner, limit, now, lease, fold, probe, rate, changes)
        return await self._run(claim, destination, wanted)

    async def divert(
        self,
        destination: Destination,
        to: tuple[Destination, ...],
        *,
        failing_before: float,
        now: float,
    ) -> int:
        """As `Outbox.divert`; in short transactions as `expire`."""
        steps = self._steps(
            lambda: self._run(lanes.divert, destination, to, failing_before, now, _BATCH)
        )
        return sum([done async for done in steps])

    async def deliveries(
        self,
        wanted: DeliveryFilter = ALL_DELIVERIES,
        *,
        limit: int = 100,
        before: int | None = None,
    ) -> list[DeliveryRow]:
        """As `Outbox.deliveries`; in short transactions as `expire`."""
        found: list[DeliveryRow] = []
        last = deliveries.BEYOND if before is None else before

        async def step() -> bool:
            nonlocal last
            if last <= 0 or len(found) >= limit:
                return False
            rows, last = await self._run(deliveries.rows, wanted, limit - len(found), last)
            found.extend(rows)
            return True

        async for _ in self._steps(step):
            pass
        return found

    async def expire(
        self, *, older_than: float, now: float, served: Collection[Destination]
    ) -> Counter[Destination]:
        """As `Outbox.expire`; in short transactions, between which others have their turn."""
        done: Counter[Destination] = Counter()
        arguments = (older_than, now, frozenset(served), _BATCH)
        async for some in self._steps(lambda: self._run(deliveries.expire, *arguments)):
            done += some
        return done

    async def latest_spooled(self, after: int, limit: int) -> list[LatestGroup]:
        """As `Outbox.latest_spooled`."""
        return []

    async def services(self) -> int:
        """How many services use a shared store now."""
        return 0

    async def export(self, identity: bytes) -> StoredIdentity | None:
        """Everything of an identity; None where nothing is known."""
        return await self._run(transfer.export, identity)

    async def reconcile(self, stored: StoredIdentity) -> None:
        """Take over what another store has of an identity. Doing so again changes nothing."""
        await self._run(transfer.reconcile, stored, self.now())

    async def _steps(self, step: Callable[[], Awaitable[T]]) -> AsyncIterator[T]:
        """What a step did, again until it does nothing. After each the store is left to others for
        as long as it took."""
        while True:
            began = time.monotonic()
            if not (done := await step()):
                return
            yield done
            await asyncio.sleep(time.monotonic() - began)
