"""The methods of a store that are one operation each, written once for all drivers: coroutines on a
session, in which each driver runs statements of its own database.
"""

import asyncio
import time
from abc import ABC, abstractmethod
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable, Collection, Coroutine, Sequence
from typing import Any, TypeVar

from alert_router.fields import Rate
from alert_router.outbox import actions, deliveries, lanes, transfer
from alert_router.outbox.lanes import Wanted, claim, recover, settle
from alert_router.outbox.model import (
    ALL_DELIVERIES,
    MOST_A_DAY,
    OTHERS,
    Action,
    Backlog,
    Claim,
    DeliveryFilter,
    DeliveryRow,
    Destination,
    Health,
    HeartbeatState,
    History,
    LatestGroup,
    NewGroup,
    Observation,
    Probe,
    Settlement,
    StoredIdentity,
    Usage,
)
from alert_router.outbox.session import Session

_BATCH = 100  # rows of one short transaction where many may have to be changed

T = TypeVar("T")
Accept = Callable[[Any, Sequence[tuple[NewGroup, float]]], Coroutine[Any, Any, Any]]


class Operations(ABC):
    """Runs each method as an operation in a transaction of its driver's."""

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

    async def spooled(self) -> int:
        """As `Outbox.spooled`."""
        return 0

    async def recover(self, owner: str, keep: Collection[int] = ()) -> int:
        """As `Outbox.recover`."""
        return await self._run(recover, owner, keep)

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

    async def settle(self, claim: Claim, settlement: Settlement) -> bool:
        """As `Outbox.settle`."""
        return await self._run(settle, claim, settlement)

    async def sent(self, destination: Destination, *, since: float, now: float) -> list[float]:
        """As `Outbox.sent`."""
        return await self._run(lanes.sent, destination, since, now)

    async def health(self, destination: Destination) -> Health:
        """As `Outbox.health`."""
        return await self._run(lanes.read_health, destination)

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

    async def backlog(self) -> list[Backlog]:
        """As `Outbox.backlog`."""
        return await self._run(deliveries.backlog)

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

    async def last_successes(self) -> dict[Destination, float]:
        """As `Outbox.last_successes`."""
        return await self._run(deliveries.last_successes)

    async def of_group(self, group: str) -> list[DeliveryRow]:
        """As `Outbox.of_group`."""
        return await self._run(deliveries.of_group, group)

    async def show(self, delivery: int) -> tuple[DeliveryRow, bytes] | None:
        """As `Outbox.show`."""
        return await self._run(deliveries.show, delivery)

    async def replay(
        self, delivery: int, *, now: float, to: Destination | None = None, force: bool = False
    ) -> int:
        """As `Outbox.replay`."""
        return await self._run(deliveries.replay, delivery, now, to, force)

    async def discard(self, delivery: int, *, now: float) -> None:
        """As `Outbox.discard`."""
        await self._run(deliveries.discard, delivery, now)

    async def expire(
        self, *, older_than: float, now: float, served: Collection[Destination]
    ) -> Counter[Destination]:
        """As `Outbox.expire`; in short transactions, between which others have their turn."""
        done: Counter[Destination] = Counter()
        arguments = (older_than, now, frozenset(served), _BATCH)
        async for some in self._steps(lambda: self._run(deliveries.expire, *arguments)):
            done += some
        return done

    async def hasten(self, *, latest: float, now: float) -> int:
        """As `Outbox.hasten`."""
        return await self._run(deliveries.hasten, latest, now)

    async def prune(self, *, delivered_before: float, dead_before: float, limit: int) -> int:
        """As `Outbox.prune`."""
        return await self._run(deliveries.prune, delivered_before, dead_before, limit)

    async def observe(self, observations: Sequence[Observation]) -> None:
        """As `Outbox.observe`."""
        await self._run(_observe, observations)

    async def observed(self, day: int) -> list[Observation]:
        """As `Outbox.observed`."""
        return await self._run(_observed, day)

    async def forget_observed(self, *, before_day: int, limit: int) -> int:
        """As `Outbox.forget_observed`."""
        return await self._run(_forget_observed, before_day, limit)

    async def history(self, group: str) -> History | None:
        """As `Outbox.history`."""
        return await self._run(actions.history, group)

    async def latest(self, after: int, limit: int) -> list[LatestGroup]:
        """As `Outbox.latest`."""
        return await self._run(actions.latest, after, limit)

    async def latest_spooled(self, after: int, limit: int) -> list[LatestGroup]:
        """As `Outbox.latest_spooled`."""
        return []

    async def act(self, identity: bytes, action: Action) -> bool:
        """As `Outbox.act`."""
        return await self._run(actions.act, identity, action)

    async def actions_since(self, since: float, limit: int) -> list[tuple[bytes, Action]]:
        """As `Outbox.actions_since`."""
        return await self._run(actions.actions_since, since, limit)

    async def usage(self, runbook: str) -> list[Usage]:
        """As `Outbox.usage`."""
        return await self._run(actions.usage, runbook)

    async def secret(self, name: str) -> bytes:
        """As `Outbox.secret`."""
        return await self._run(actions.secret, name)

    async def forget_actions(self, *, before: float, limit: int) -> int:
        """As `Outbox.forget_actions`."""
        return await self._run(actions.forget, before, limit)

    async def beat(self, names: Collection[str], now: float) -> None:
        """As `Outbox.beat`."""
        await self._run(_beat, names, now)

    async def heartbeats(self, names: Collection[str], now: float) -> list[HeartbeatState]:
        """As `Outbox.heartbeats`."""
        return await self._run(_read_heartbeats, names, now)

    async def forget_heartbeat(self, name: str) -> None:
        """As `Outbox.forget_heartbeat`."""
        await self._run(_forget_heartbeat, name)

    async def services(self) -> int:
        """How many services use a shared store now."""
        return 0

    async def secrets(self) -> list[tuple[str, bytes]]:
        """All, by their names."""
        return await self._run(transfer.secrets)

    async def keep_secrets(self, found: Sequence[tuple[str, bytes]]) -> None:
        """Keep those of which none is kept: links that are signed with them stay good."""
        await self._run(transfer.keep_secrets, found)

    async def every_heartbeat(self) -> list[tuple[str, float, float]]:
        """Name, when it was last received, and since when it is missing, of all."""
        return await self._run(transfer.heartbeats)

    async def keep_heartbeats(self, found: Sequence[tuple[str, float, float]]) -> None:
        """Keep what another store has of heartbeats, or what is later here. Doing so again changes
        nothing."""
        await self._run(transfer.keep_heartbeats, found)

    async def every_identity(self) -> list[bytes]:
        """All of which anything is known."""
        return await self._run(transfer.every_identity)

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
        more = (it.received, it.woken, it.seen_at, it.day)
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


async def _forget_observed(session: Session, before_day: int, limit: int) -> int:
    """As `Outbox.forget_observed`."""
    return await session.run("forget_observed", (before_day, limit))


async def _add_to_observed(session: Session, values: tuple[int | float | str, ...]) -> bool:
    """Whether there was a count to add to."""
    return await session.run("add_to_observed", (*values[:3], *values[2:])) > 0
