"""A shared store with a store of this machine beside it, the spool, which is used while the shared
one cannot be.

What is accepted meanwhile is delivered from the spool. Once the shared store can be used again, all
of it is moved there: see `reconcile`. What the shared store does not take stays in the spool and is
delivered from there. A claim of the spool has a negative lane.
"""

import asyncio
import time
from collections import Counter
from collections.abc import Awaitable, Callable, Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from typing import Any, TypeVar
from weakref import WeakValueDictionary

import structlog

from alert_router.fields import Rate
from alert_router.outbox.base import Outbox, StoreUnavailable
from alert_router.outbox.model import (
    ALL_DELIVERIES,
    HEALTHY,
    Accepted,
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
    Role,
    Settlement,
    Usage,
)
from alert_router.outbox.postgres.outbox import PostgresOutbox
from alert_router.outbox.sqlite import SqliteOutbox

log = structlog.get_logger(__name__)

_ACCEPT_SECONDS = 1.2  # for an answer of the shared store; then the group goes into the spool
_PAUSED_SECONDS = 5.0  # much longer: this process did not run
# For moving something there: meanwhile its identity accepts nothing, and nothing of the spool is
# claimed. What has many rows or bytes has more, and twice as much after each failure.
_MOVE_SECONDS = 1.0
_ROWS_A_SECOND, _BYTES_A_SECOND = 500, 2_000_000
_CLAIM_SECONDS = 0.5  # that a claim waits for what is being moved, before it looks elsewhere
_MOST_PATIENCE = 16.0
# Seconds until something is tried again that the shared store does not take; and after how many it
# is said though that may have been trouble of the store.
_LONGEST_PAUSE, _LONG_PAUSE = 600.0, 8.0
_LOOK_EVERY = 1.0  # seconds between looks at whether the shared store can be used again
# Seconds to move what an earlier process has left, before webhooks are accepted: in the spool.
_START_SECONDS = 20.0
_HEARTBEATS = b""  # the key of them all; identities are longer

T = TypeVar("T")


@dataclass(slots=True)
class _Failed:
    """What could not be moved: when it is tried again (monotonic), the seconds until then, the
    latest group of it, and why it stays in the spool, once that is known not to be a matter of
    all."""

    next_at: float = 0.0
    pause: float = 1.0
    group: str = ""
    reason: str = ""

    @property
    def patience(self) -> float:
        """How many times as long as at first it may take."""
        return min(self.pause, _MOST_PATIENCE)


class SpooledOutbox:
    """An Outbox of two. Made by `start`; used from one event loop."""

    is_shared = True

    def __init__(self, shared: PostgresOutbox, spool: SqliteOutbox) -> None:
        self._shared = shared
        self._spool = spool
        self._is_up = False
        self._outages = 0
        self._held: set[tuple[int, int]] = set()  # claims of the shared store: lane and fence
        # Those with something in the spool, in the order in which they are moved.
        self._identities: dict[bytes, None] = {}
        self._has_heartbeats = False  # in the spool
        self._unsettled: list[tuple[Claim, Settlement]] = []
        self._pauses: dict[Destination, Health] = {}  # as far as known
        # When the shared store's messages to those with a rate were sent, as far as known.
        self._sent: dict[Destination, list[float]] = {}
        self._failed: dict[bytes, _Failed] = {}  # what could not be moved, by identity
        # Held by what changes an identity or the heartbeats in the spool, and by what moves them.
        self._locks: WeakValueDictionary[bytes, asyncio.Lock] = WeakValueDictionary()
        self._claiming = asyncio.Lock()  # nothing that is being moved is claimed
        self._is_read = False  # what an earlier process has left in the spool is known
        self._why = ""  # the shared store cannot be used, as said last
        self._watching: asyncio.Task[None] | None = None

    async def start(self) -> None:
        """Look which of the two can be used. Raises StoreRefused."""
        await self._read_spool()
        try:
            await self._shared.prepare(Role.SERVICE)
            await self._come_up_soon()
        except StoreUnavailable as error:
            if self._shared.must_not_start(error):
                await self.close()
                raise
            self._why = str(error)
            log.error("the shared store cannot be used; using the spool", error=self._why)
        self._watching = asyncio.create_task(self._watch())

    @property
    def owner(self) -> str:
        """As `Outbox.owner`."""
        return self._shared.owner

    @property
    def is_spooling(self) -> bool:
        """As `Outbox.is_spooling`."""
        return not self._is_up

    @property
    def outages(self) -> int:
        """As `Outbox.outages`."""
        return self._outages

    @property
    def why_unusable(self) -> str | None:
        """As `Outbox.why_unusable`."""
        return None if self._is_up else self._spool.why_unusable

    @property
    def spooled_identities(self) -> frozenset[bytes]:
        """As `Outbox.spooled_identities`."""
        return frozenset(self._identities)

    @property
    def unmovable(self) -> Mapping[bytes, str]:
        """As `Outbox.unmovable`."""
        return {key: failed.reason for key, failed in self._failed.items() if failed.reason}

    def now(self) -> float:
        """As `Outbox.now`: the shared store's clock."""
        return self._shared.now()

    def has_room(self, *, reserve: int, coming: int) -> bool:
        """As `Outbox.has_room`."""
        return self._is_up or self._spool.has_room(reserve=reserve, coming=coming)

    async def accept(self, group: NewGroup, dedup_window: float) -> Accepted:
        """As `Outbox.accept`. An identity that has something in the spool goes there too, so that
        nothing overtakes it."""
        async with self._lock(group.identity):  # then what is being moved is in the shared store
            if not self._is_up or group.identity in self._identities:
                try:
                    with self._spooling(group.identity):
                        return await self._spool.accept(group, dedup_window)
                except StoreUnavailable:  # better out of order than not at all
                    if not self._is_up:
                        raise
        began = time.monotonic()
        try:
            async with asyncio.timeout(_ACCEPT_SECONDS):
                return await self._shared.accept(group, dedup_window)
        except TimeoutError:
            self._go_down("it does not answer")
        except StoreUnavailable as error:
            self._go_down(str(error))
        except Exception:  # said against this group alone
            log.exception("an alert group goes into the spool", group_id=group.id)
        if time.monotonic() - began > _PAUSED_SECONDS:
            # The sender has given up, and newer groups of the lane may be in the shared store.
            raise StoreUnavailable("this router was paused")
        async with self._lock(group.identity):
            with self._spooling(group.identity):
                return await self._spool.accept(group, dedup_window)

    @contextmanager
    def _spooling(self, identity: bytes) -> Iterator[None]:
        """While something of it is put into the spool. It is known to be there before that: whoever
        asked may not wait for the answer."""
        is_new = identity not in self._identities
        self._identities[identity] = None
        try:
            yield
        except Exception:
            if is_new:
                del self._identities[identity]
            raise

    async def recover(self, owner: str, keep: Collection[int] = ()) -> int:
        """As `Outbox.recover`. In the shared store it was done when that could be used."""
        del owner, keep
        return await self._spool.recover(self._spool.owner) if self._identities else 0

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
        claims: list[Claim] = []
        more: dict[str, Any] = {"now": now, "lease": lease, "fold": fold}
        if self._identities and await self._may_claim_spooled():
            try:
                found = await self._spool.claim(
                    destination, owner=self._spool.owner, limit=limit, probe=probe, rate=rate,
                    changes=changes, **more,
                )  # fmt: skip
            finally:
                self._claiming.release()
            claims = [replace(claim, lane=-claim.lane) for claim in found]
        limit = 0 if probe and claims else limit - len(claims)
        if self._is_up and limit > 0:
            try:
                found = await self._shared.claim(
                    destination, owner=owner, limit=limit, probe=probe, rate=rate,
                    changes=changes, **more,
                )  # fmt: skip
                self._held |= {(claim.lane, claim.fence) for claim in found}
                if destination in self._sent:
                    self._sent[destination] += [now] * len(found)
                claims += found
            except StoreUnavailable as error:
                self._go_down(str(error))
        return claims

    async def _may_claim_spooled(self) -> bool:
        """Whether `_claiming` is held now. What is large takes a while to move: the shared store's
        claims do not wait for it."""
        try:
            async with asyncio.timeout(_CLAIM_SECONDS):
                return await self._claiming.acquire()
        except TimeoutError:
            return False

    async def settle(self, claimed: Claim, settlement: Settlement) -> bool:
        """As `Outbox.settle`. What the shared store cannot take now is kept in memory: if this
        process ends before, its lease ends and the batch goes again."""
        if settlement.health is not None and settlement.health.asked_until > settlement.now:
            self._with_pause(claimed.destination, settlement.health)
        if claimed.lane < 0:
            return await self._spool.settle(replace(claimed, lane=-claimed.lane), settlement)
        if self._is_up:
            try:
                return await self._settle(claimed, settlement)
            except StoreUnavailable as error:
                self._go_down(str(error))
        self._unsettled.append((claimed, settlement))
        return True

    def announce(self, destination: Destination) -> None:
        """As `Outbox.announce`."""
        if self._is_up:
            self._shared.announce(destination)

    def listen(self, wake: Callable[[Destination | None], None]) -> None:
        """As `Outbox.listen`."""
        self._shared.listen(wake)

    async def sent(self, destination: Destination, *, since: float, now: float) -> list[float]:
        """As `Outbox.sent`; in the shared store, as far as known."""
        if self._is_up:
            self._sent[destination] = await self._shared.sent(destination, since=since, now=now)
        found = [at for at in self._sent.get(destination, ()) if at > since]
        if self._identities or not self._is_up:
            found += await self._spool.sent(destination, since=since, now=now)
        return found

    async def health(self, destination: Destination) -> Health:
        """As `Outbox.health`. A pause that only the other store knows is kept."""
        if self._is_up:
            try:
                return self._with_pause(destination, await self._shared.health(destination))
            except StoreUnavailable as error:  # it is asked before each claim
                self._go_down(str(error))
        return self._with_pause(destination, await self._spool.health(destination))

    def _with_pause(self, destination: Destination, found: Health) -> Health:
        known = self._pauses.get(destination, HEALTHY)
        if known.asked_until > max(found.asked_until, self.now()):
            return known
        self._pauses[destination] = found
        return found

    async def divert(
        self,
        destination: Destination,
        to: tuple[Destination, ...],
        *,
        failing_before: float,
        now: float,
    ) -> int:
        """As `Outbox.divert`."""
        return await self._sum(
            lambda store: store.divert(destination, to, failing_before=failing_before, now=now)
        )

    async def backlog(self) -> list[Backlog]:
        """As `Outbox.backlog`, of both."""
        rows = {row.destination: row for row in await self._either(lambda store: store.backlog())}
        if self._is_up and self._identities:
            for row in await self._spool.backlog():
                if (other := rows.get(row.destination)) is None:
                    rows[row.destination] = row
                    continue
                ages = [it.oldest_accepted_at for it in (row, other) if it.oldest_accepted_at]
                rows[row.destination] = replace(
                    other,
                    waiting=other.waiting + row.waiting,
                    dead=other.dead + row.dead,
                    oldest_accepted_at=min(ages, default=None),
                )
        return list(rows.values())

    async def spooled(self) -> int:
        """As `Outbox.spooled`."""
        if not self._identities:
            return 0
        return sum(row.waiting for row in await self._spool.backlog())

    async def deliveries(
        self,
        wanted: DeliveryFilter = ALL_DELIVERIES,
        *,
        limit: int = 100,
        before: int | None = None,
    ) -> list[DeliveryRow]:
        """As `Outbox.deliveries`, of the store that is in use."""
        return await self._either(
            lambda store: store.deliveries(wanted, limit=limit, before=before)
        )

    async def last_successes(self) -> dict[Destination, float]:
        """As `Outbox.last_successes`, of the store that is in use."""
        return await self._either(lambda store: store.last_successes())

    async def of_group(self, group: str) -> list[DeliveryRow]:
        """As `Outbox.of_group`."""
        found = await self._either(lambda store: store.of_group(group))
        if not found and self._is_up and self._identities:
            found = await self._spool.of_group(group)
        return found

    async def show(self, delivery: int) -> tuple[DeliveryRow, bytes] | None:
        """As `Outbox.show`."""
        return await self._either(lambda store: store.show(delivery))

    async def replay(
        self, delivery: int, *, now: float, to: Destination | None = None, force: bool = False
    ) -> int:
        """As `Outbox.replay`, in the shared store."""
        return await self._alone(lambda store: store.replay(delivery, now=now, to=to, force=force))

    async def discard(self, delivery: int, *, now: float) -> None:
        """As `Outbox.discard`, in the shared store."""
        await self._alone(lambda store: store.discard(delivery, now=now))

    async def history(self, group: str) -> History | None:
        """As `Outbox.history`."""
        found = await self._either(lambda store: store.history(group))
        if found is None and self._is_up and self._identities:
            found = await self._spool.history(group)
        return found

    async def latest(self, after: int, limit: int) -> list[LatestGroup]:
        """As `Outbox.latest`, in the shared store."""
        return await self._alone(lambda store: store.latest(after, limit))

    async def latest_spooled(self, after: int, limit: int) -> list[LatestGroup]:
        """As `Outbox.latest_spooled`."""
        return await self._spool.latest(after, limit)

    async def act(self, identity: bytes, action: Action) -> bool:
        """As `Outbox.act`. What the shared store cannot take now is moved there later."""
        if self._is_up:
            with suppress(StoreUnavailable):
                return await self._shared.act(identity, action)
        async with self._lock(identity):
            with self._spooling(identity):
                return await self._spool.act(identity, action)

    async def actions_since(self, since: float, limit: int) -> list[tuple[bytes, Action]]:
        """As `Outbox.actions_since`."""
        found: dict[tuple[bytes, Action], None] = {}
        for store in reversed(self._stores()):  # what is moved meanwhile is found in both
            found |= dict.fromkeys(await store.actions_since(since, limit))
        return sorted(found, key=lambda it: it[1].at)[:limit]

    async def usage(self, runbook: str) -> list[Usage]:
        """As `Outbox.usage`, in the shared store."""
        return await self._alone(lambda store: store.usage(runbook))

    async def secret(self, name: str) -> bytes:
        """As `Outbox.secret`, in the shared store."""
        return await self._alone(lambda store: store.secret(name))

    async def forget_actions(self, *, before: float, limit: int) -> int:
        """As `Outbox.forget_actions`, in the shared store."""
        return await self._alone(lambda store: store.forget_actions(before=before, limit=limit))

    async def beat(self, names: Collection[str], now: float) -> None:
        """As `Outbox.beat`. What the shared store cannot take now is moved there later."""
        if self._is_up:
            with suppress(StoreUnavailable):
                await self._shared.beat(names, now)
                return
        async with self._lock(_HEARTBEATS):
            self._has_heartbeats = True
            await self._spool.beat(names, now)

    async def heartbeats(self, names: Collection[str], now: float) -> list[HeartbeatState]:
        """As `Outbox.heartbeats`."""
        if self._is_up:
            return await self._shared.heartbeats(names, now)
        found = await self._spool.every_heartbeat()
        return [HeartbeatState(*row) for row in found if row[0] in names]

    async def change_heartbeat(
        self, before: HeartbeatState, missing_since: float, group: NewGroup
    ) -> bool:
        """As `Outbox.change_heartbeat`."""
        if self._is_up:
            if group.identity in self._identities:  # in the next round: nothing overtakes it
                return False
            return await self._shared.change_heartbeat(before, missing_since, group)
        async with self._lock(_HEARTBEATS), self._lock(group.identity):
            with self._spooling(group.identity):
                return await self._spool.change_heartbeat(before, missing_since, group)

    async def forget_heartbeat(self, name: str) -> None:
        """As `Outbox.forget_heartbeat`, in the shared store."""
        await self._alone(lambda store: store.forget_heartbeat(name))

    async def expire(
        self, *, older_than: float, now: float, served: Collection[Destination]
    ) -> Counter[Destination]:
        """As `Outbox.expire`."""
        done: Counter[Destination] = Counter()
        for store in self._stores():
            done += await store.expire(older_than=older_than, now=now, served=served)
        return done

    async def hasten(self, *, latest: float, now: float) -> int:
        """As `Outbox.hasten`."""
        return await self._sum(lambda store: store.hasten(latest=latest, now=now))

    async def prune(self, *, delivered_before: float, dead_before: float, limit: int) -> int:
        """As `Outbox.prune`."""
        return await self._sum(
            lambda store: store.prune(
                delivered_before=delivered_before, dead_before=dead_before, limit=limit
            )
        )

    async def observe(self, observations: Sequence[Observation]) -> None:
        """As `Outbox.observe`, in the shared store: what it cannot take now is kept."""
        await self._alone(lambda store: store.observe(observations))

    async def observed(self, day: int) -> list[Observation]:
        """As `Outbox.observed`."""
        return await self._either(lambda store: store.observed(day))

    async def forget_observed(self, *, before_day: int, limit: int) -> int:
        """As `Outbox.forget_observed`."""
        return await self._sum(
            lambda store: store.forget_observed(before_day=before_day, limit=limit)
        )

    async def close(self) -> None:
        """As `Outbox.close`."""
        if self._watching is not None:
            self._watching.cancel()
            with suppress(asyncio.CancelledError):
                await self._watching
        if self._is_up:
            with suppress(StoreUnavailable):
                await self._reconcile()
        if self._unsettled:
            log.error("outcomes are lost; what was sent will be repeated", n=len(self._unsettled))
        await self._shared.close()
        await self._spool.close()

    def _stores(self) -> list[Outbox]:
        """Those in which there may be something."""
        stores: list[Outbox] = [self._shared] if self._is_up else []
        if self._identities or not self._is_up:
            stores.append(self._spool)
        return stores

    async def _either(self, ask: Callable[[Outbox], Awaitable[T]]) -> T:
        """The answer of the store that is in use. Raises StoreUnavailable, as `_alone`: whether the
        shared one can be used is not decided by what pages ask, which may be much."""
        return await ask(self._shared if self._is_up else self._spool)

    async def _alone(self, ask: Callable[[Outbox], Awaitable[T]]) -> T:
        """The answer of the shared store, which alone has it. Raises StoreUnavailable at once while
        that cannot be used."""
        if not self._is_up:
            raise StoreUnavailable("the shared store cannot be used")
        return await ask(self._shared)

    async def _sum(self, ask: Callable[[Outbox], Awaitable[int]]) -> int:
        return sum([await ask(store) for store in self._stores()])

    def _go_down(self, why: str) -> None:
        """Use the spool: what accepts, claims or settles found that the shared store cannot be."""
        if not self._is_up:
            return
        self._is_up = False
        self._outages += 1
        self._shared.drop()
        self._why = why
        log.error("the shared store cannot be used; using the spool", error=why)

    def _lock(self, key: bytes) -> asyncio.Lock:
        """The lock of an identity, or of the heartbeats, for as long as anything asks for it."""
        return self._locks.setdefault(key, asyncio.Lock())

    async def _read_spool(self) -> None:
        """See what an earlier process has left in the spool, unless that cannot be read now."""
        with suppress(StoreUnavailable):
            self._identities |= dict.fromkeys(await self._spool.identities())
            self._has_heartbeats |= bool(await self._spool.every_heartbeat())
            self._is_read = True

    async def _watch(self) -> None:
        """Use the shared store again once it can be, and move there what is in the spool."""
        while True:
            await asyncio.sleep(_LOOK_EVERY)
            try:
                await self._look_again()
            except StoreUnavailable as error:
                self._say_unusable(str(error))
            except Exception:  # a defect of ours must not end this for good
                log.exception("cannot move the spool into the shared store")

    async def _look_again(self) -> None:
        if not self._is_read:
            await self._read_spool()
        if not self._is_up:
            await self._shared.probe()
            await self._come_up()
        elif self._identities or self._has_heartbeats:
            await self._reconcile()

    def _say_unusable(self, why: str) -> None:
        """Say each reason once: what is wrong after a restart of the database may be another."""
        if self._is_up or why == self._why:
            log.debug("the spool is not moved yet", error=why)
            return
        self._why = why
        log.error("the shared store still cannot be used", error=why)

    async def _come_up(self) -> None:
        # Also claims that were written down although the answer never came.
        await self._shared.recover(self._shared.owner, {lane for lane, _ in self._held})
        await self._settle_kept()
        await self._reconcile()
        await self._settle_kept()  # what ended meanwhile
        self._is_up = True
        log.warning("the shared store is in use")

    async def _come_up_soon(self) -> None:
        try:
            async with asyncio.timeout(_START_SECONDS):
                await self._come_up()
        except TimeoutError:
            log.warning("the spool is still being moved into the shared store; using the spool")

    async def _settle(self, claim: Claim, settlement: Settlement) -> bool:
        result = await self._shared.settle(claim, settlement)
        self._held.discard((claim.lane, claim.fence))
        return result

    async def _settle_kept(self) -> None:
        while self._unsettled:
            claim, settlement = self._unsettled[-1]
            names = {"id": claim.id, "group_id": claim.groups[-1].group}
            try:
                if not await self._settle(claim, settlement):
                    log.warning("claim was lost to another router", **names)
            except StoreUnavailable:
                raise
            except Exception:  # it keeps nothing else back
                log.exception("an outcome is lost; what was sent will be repeated", **names)
            self._unsettled.remove((claim, settlement))

    async def _reconcile(self) -> None:
        """Move heartbeats and what the spool has of each identity into the shared store, unless it
        is being sent: then in the next round. Raises StoreUnavailable where nothing can be moved.
        Where others can be, what could not is tried again later and later."""
        moved = in_a_row = 0
        late: list[tuple[bytes, _Failed, StoreUnavailable]] = []
        keys = [_HEARTBEATS, *self._identities] if self._has_heartbeats else [*self._identities]
        for key in keys:
            failed = self._failed.get(key) or _Failed()
            if time.monotonic() < failed.next_at:
                continue
            try:
                move = self._move_heartbeats if key == _HEARTBEATS else self._move
                moved += await move(key, failed)
            except StoreUnavailable as error:
                late.append((key, failed, error))
                in_a_row += 1
                if in_a_row > 1:  # it is everything, or the next round begins with the others
                    break
            except Exception as error:
                self._put_off(key, failed, error)
            else:
                self._failed.pop(key, None)
                in_a_row = 0
        if moved:
            log.info("moved from the spool into the shared store", alert_groups=moved)
        for key, failed, why in late:
            if key in self._identities:
                self._identities[key] = self._identities.pop(key)
            if moved or self._is_up:
                self._put_off(key, failed, why)
        if late and not moved:
            raise late[-1][-1]

    def _put_off(self, key: bytes, failed: _Failed, error: Exception) -> None:
        """Say once what it is that cannot be moved, while others can."""
        self._failed[key] = failed
        failed.pause = min(2 * failed.pause, _LONGEST_PAUSE)
        failed.next_at = time.monotonic() + failed.pause
        may_pass = isinstance(error, StoreUnavailable) and failed.pause < _LONG_PAUSE
        if failed.reason or may_pass:
            return
        failed.reason = str(error).partition("\n")[0] or type(error).__name__
        log.error(
            "cannot move an alert group into the shared store; it is sent from the spool",
            group_id=failed.group,
            error=failed.reason,
            remedy="make the database accept it: it is tried again at least every ten minutes",
        )

    async def _move(self, identity: bytes, failed: _Failed) -> int:
        """How many alert groups are moved."""
        async with self._lock(identity), self._claiming:
            content = await self._spool.export(identity)
            if content is not None and content.is_being_sent:
                return 0
            if content is not None:
                failed.group = content.group
                bodies = {one.group: len(one.body) for one in content.deliveries}
                seconds = _MOVE_SECONDS + len(content.deliveries) / _ROWS_A_SECOND
                seconds += sum(bodies.values()) / _BYTES_A_SECOND
                await _within(seconds * failed.patience, self._shared.reconcile(content))
                await self._spool.remove(identity)
            self._identities.pop(identity, None)
        return int(content is not None)

    async def _move_heartbeats(self, key: bytes, failed: _Failed) -> int:
        async with self._lock(key):
            failed.group = "heartbeats"
            found = await self._spool.every_heartbeat()
            seconds = _MOVE_SECONDS * failed.patience
            await _within(seconds, self._shared.keep_heartbeats(found))
            for name, *_ in found:
                await self._spool.forget_heartbeat(name)
            self._has_heartbeats = False
        return 0


async def _within(seconds: float, work: Awaitable[None]) -> None:
    """The work in the shared store. Raises StoreUnavailable where it takes longer."""
    try:
        async with asyncio.timeout(seconds):
            await work
    except TimeoutError:
        raise StoreUnavailable("the shared store does not answer") from None
