"""The workers: one loop per destination claims what is due and settles the outcome; all of them are
begun and ended as the configuration has it, and stopped in order.

One slow or dead destination delays no other: loops share nothing but the outbox.
"""

import asyncio
import random
import time
from collections import OrderedDict
from collections.abc import Collection, Coroutine, Mapping
from contextlib import suppress
from dataclasses import dataclass, field, replace
from typing import Any, TypeVar

import structlog

from alert_router.deliver.attempt import Attempted, DeliverContext, carry_out
from alert_router.deliver.policy import DestinationHealth, Pace, decide, decide_change
from alert_router.notify.base import Failed, Notifier, Outcome, Reason
from alert_router.outbox.base import StoreUnavailable
from alert_router.outbox.lanes import webhook_id
from alert_router.outbox.model import (
    Claim,
    Destination,
    NewGroup,
    Probe,
    Settlement,
    Target,
    Verdict,
    WaitingGroup,
)

log = structlog.get_logger(__name__)

T = TypeVar("T")

# An idle loop looks this often, in seconds, for what no event announced: a delivery replayed
# by another process, a lease that ran out. An empty look writes nothing.
_POLL = 1.0
_STORE_PAUSE = 1.0  # seconds between tries while the store cannot be written
_LAST_WORD = 0.3  # seconds for the store to take what was cut off at a stop
# Seconds in which the turn of a delivery that no store has must come: its sender waits for it, and
# sends it again if it is refused. Alertmanager waits for 10 s or longer.
_TURN_SECONDS = 5.0
_RECALL_SECONDS = 1.0  # of these, for a store to say what was sent
# Seconds beyond an attempt's own limit before another may take it: another start, or another
# service that shares the store.
_LEASE_MARGIN, _SHARED_LEASE_MARGIN = 60.0, 20.0
_MOST_TAKEN = 10_000  # that `Taken` knows: what is forgotten is sent once more


@dataclass(eq=False, slots=True)
class DestinationLoop:
    """Claims for one destination, never more at once than its notifier allows."""

    destination: Destination
    notifier: Notifier
    shared: DeliverContext
    wake: asyncio.Event = field(default_factory=asyncio.Event)
    _looking: asyncio.Task[None] | None = None
    _running: set[asyncio.Task[Any]] = field(default_factory=set)
    _due: list[float] = field(default_factory=list)
    _settling: int = 0  # of those that run: their sends are over
    _kept: int = 0  # of these: the store did not take the outcome
    _freed: asyncio.Event = field(default_factory=asyncio.Event)  # another may perhaps begin
    _has_news: bool = False  # something was accepted here since the last look
    _pace: Pace | None = None
    _unstored: list[float] = field(default_factory=list)  # when what no store has was sent
    _turn: asyncio.Lock = field(default_factory=asyncio.Lock)  # of what no store has
    _stopping: bool = False
    _health: DestinationHealth = field(init=False)

    def __post_init__(self) -> None:
        self._health = DestinationHealth(self._names())

    def start(self) -> None:
        """Work until stopped."""
        self._looking = asyncio.create_task(self._look())

    def accepted(self, *, urgent: bool) -> None:
        """Something was accepted for this destination."""
        if urgent:
            self._health.hurry(self.shared.runtime().config.delivery, time.monotonic())
        self._has_news = True
        self.wake.set()

    def reconfigure(self, notifier: Notifier) -> None:
        """Go on with these settings."""
        if notifier != self.notifier:
            self._health.reconfigured(time.monotonic())
        self.notifier = notifier
        self._freed.set()
        self.wake.set()  # it may send sooner now

    async def deliver_now(self, claim: Claim) -> bool:
        """Carry out a claim that no store has, once the notifier's limits and the destination's
        pause allow it, one after the other as they come; whether it worked. False if its turn does
        not come soon."""
        try:
            async with asyncio.timeout(_TURN_SECONDS), self._turn:
                await self._recall_pace()
                if not await self._may_begin(time.monotonic() + _TURN_SECONDS):
                    return False
                self._take_turn(time.monotonic())
                task = self._begin(self._work_unstored(claim))
        except TimeoutError:
            return False
        await asyncio.wait([task])
        return not task.cancelled() and task.result()

    async def _may_begin(self, deadline: float) -> bool:
        """Wait until another attempt may begin, as far as that is known without the store; False if
        it may not before the deadline."""
        while not self._stopping:
            clock, pace = time.monotonic(), self._known_pace()
            pause = max(self._health.pause(clock), pace.wait(clock) if pace else 0.0)
            if clock + pause > deadline:
                return False
            if not pause and len(self._running) - self._settling < self.notifier.concurrency:
                return True
            self._freed.clear()
            with suppress(TimeoutError):
                async with asyncio.timeout(pause or None):
                    await self._freed.wait()
        return False

    def _take_turn(self, now: float) -> None:
        if self._pace:
            self._pace.take(1, now)
            since = now - self._pace.rate.seconds
            self._unstored = [*(at for at in self._unstored if at > since), now]

    async def drain(self) -> None:
        """Claim nothing more and wait for what is being sent."""
        self._stopping = True
        self._freed.set()
        self.wake.set()
        # First the loop: a claim that the store is making just now is given back or sent.
        if self._looking:
            await asyncio.wait([self._looking])
        if self._running:
            await asyncio.wait(self._running)

    async def abandon(self) -> None:
        """Give up what is still being sent: it is in doubt, and the next start sends it again."""
        working = [*self._running, *([self._looking] if self._looking else [])]
        for task in working:
            task.cancel()
        await asyncio.gather(*working, return_exceptions=True)

    async def _look(self) -> None:
        """Claim again and again. Trouble with the store is waited out."""
        await self.shared.recovered.wait()
        is_known = False
        while not self._stopping:
            self.wake.clear()
            # One clock for both questions, whether something may be done and until when not: what
            # becomes due between them would be slept over.
            clock = time.monotonic()
            try:
                if not is_known:
                    await self._recall()
                    is_known = True
                claimed = await self._claim(clock)
            except StoreUnavailable as error:
                log.warning("cannot claim", **self._names(), error=str(error))
                await asyncio.sleep(_STORE_PAUSE)
            except Exception:  # a defect of ours must not leave the destination without service
                log.exception("cannot claim", **self._names())
                await asyncio.sleep(_STORE_PAUSE)
            else:
                if not claimed:
                    self._share()
                    await self._rest(clock)

    def _share(self) -> None:
        """Let other services have what this one has accepted and cannot send now."""
        is_busy = len(self._running) >= self.notifier.concurrency or self._kept > 0
        if self._has_news and is_busy:
            self.shared.outbox.announce(self.destination)
        self._has_news = self._has_news and self.wake.is_set()  # what came meanwhile

    async def _refresh(self) -> None:
        """Take over what another service has found out about the destination."""
        health = await self.shared.outbox.health(self.destination)
        known = self._health.health
        if not self._running and (health.next_at, health.failures) != (
            known.next_at,
            known.failures,
        ):
            delivery, now = self.shared.runtime().config.delivery, self.shared.outbox.now()
            self._health.recall(health, delivery, now=now, clock=time.monotonic())

    async def _recall(self) -> None:
        health = await self.shared.outbox.health(self.destination)
        delivery = self.shared.runtime().config.delivery
        now = self.shared.outbox.now()
        self._health.recall(health, delivery, now=now, clock=time.monotonic())

    async def _claim(self, clock: float) -> bool:
        if self.shared.outbox.is_shared:
            await self._refresh()
        running = len(self._running)
        free = min(self.notifier.concurrency - running, self._health.room(running, clock))
        if free <= 0 or self._kept:  # what was sent is written down before more is sent
            return False
        if pace := await self._paced():
            free = min(free, pace.free(clock))
            if free <= 0:
                return False
        probe = self._health.probe()
        margin = _SHARED_LEASE_MARGIN if self.shared.outbox.is_shared else _LEASE_MARGIN
        claims = await self.shared.outbox.claim(
            self.destination,
            owner=self.shared.outbox.owner,
            limit=free,
            now=self.shared.outbox.now(),
            lease=self.notifier.timeout + margin,
            fold=self.notifier.fold,
            probe=probe,
            rate=self.notifier.rate_limit,
            changes=self._may_change(pace, clock),
        )
        if self._stopping:
            await self._give_back(claims)
            return False
        if pace:
            pace.take(len(claims), time.monotonic())
        if claims and probe:
            self._health.begin_probe()
        for claim in claims:
            self._begin(self._work(claim, probe, clock))
        return bool(claims)

    def _begin(self, work: Coroutine[Any, Any, T]) -> asyncio.Task[T]:
        task = asyncio.create_task(work)
        self._running.add(task)
        task.add_done_callback(self._done)
        return task

    def _may_change(self, pace: Pace | None, clock: float) -> bool:
        """Whether messages may be changed because of what people did: not with the second half of
        what the rate allows, which is for notifications."""
        if not self.notifier.changes_messages:
            return False
        return pace is None or 2 * pace.free(clock) > pace.rate.messages

    async def _give_back(self, claims: list[Claim]) -> None:
        """What was claimed while the stop was called is the next start's."""
        outbox = self.shared.outbox
        for claim in claims:
            await outbox.settle(claim, Settlement(Verdict.RELEASED, outbox.now()))

    async def _paced(self) -> Pace | None:
        """The pace to keep. At the start it goes on from what the store knows to be sent."""
        rate = self.notifier.rate_limit
        if rate and (self._pace is None or self.shared.outbox.is_shared):  # others send, too
            now = self.shared.outbox.now()
            sent = await self.shared.outbox.sent(
                self.destination, since=now - rate.seconds, now=now
            )
            clock = time.monotonic()
            self._unstored = [at for at in self._unstored if at > clock - rate.seconds]
            stored = (clock - max(0.0, now - at) for at in sent)
            self._pace = Pace(rate, [*stored, *self._unstored])
        return self._known_pace()

    async def _recall_pace(self) -> None:
        """What was sent before the start counts, also where that is asked for the first time
        before anything is claimed. Where no store says it, nothing is known to be sent."""
        if self._pace is None:
            with suppress(StoreUnavailable, TimeoutError):
                async with asyncio.timeout(_RECALL_SECONDS):
                    await self._paced()

    def _known_pace(self) -> Pace | None:
        """The pace to keep, as far as it is known without asking the store."""
        rate = self.notifier.rate_limit
        if rate is None:
            self._pace = None
        elif self._pace is None:
            self._pace = Pace(rate, self._unstored)
        elif self._pace.rate != rate:
            self._pace = self._pace.changed(rate)
        return self._pace

    def _done(self, task: asyncio.Task[Any]) -> None:
        self._running.discard(task)
        self._freed.set()
        self.wake.set()

    async def _rest(self, clock: float) -> None:
        """Until something may be due: a new group, a finished attempt, a retry, or a while."""
        now = self.shared.outbox.now()
        self._health.report(now, clock)
        self._due = [due for due in self._due if due > now]
        pause = min([_POLL, *(due - now for due in self._due)])
        if wait := self._health.wait(clock):
            pause = wait  # nothing may be tried before
        if self._pace and (wait := self._pace.wait(clock)):
            pause = wait  # nothing can be sent before, and something may be then
        if self.shared.outbox.is_shared:
            pause = min(pause, _POLL)  # another service may find that it is back
        try:
            async with asyncio.timeout(pause):
                await self.wake.wait()
        except TimeoutError:
            pass

    async def _work(self, claim: Claim, probe: Probe | None, claimed: float) -> None:
        try:
            attempted = await carry_out(claim, self.notifier, self.shared)
        except asyncio.CancelledError:
            # Cut off at the stop's deadline: it may have arrived. The next start sends it again.
            now = self.shared.outbox.now()
            doubt = Settlement(Verdict.DOUBT, now, due_at=now, reason=Reason.TIMEOUT.value)
            with suppress(StoreUnavailable, TimeoutError):
                async with asyncio.timeout(_LAST_WORD):
                    await self.shared.outbox.settle(claim, doubt)
            raise
        finally:
            if probe:
                self._health.end_probe()
        settlement = self._judge(claim, attempted, claimed, probe)
        self._settling += 1
        self._freed.set()
        try:
            await self._settle(claim, settlement)
        finally:
            self._settling -= 1

    async def _work_unstored(self, claim: Claim) -> bool:
        claimed = time.monotonic()
        attempted = await carry_out(claim, self.notifier, self.shared)
        if isinstance(attempted.outcome, str):
            return True
        self._decide(claim, attempted.outcome, attempted.cost, claimed, None)
        return not isinstance(attempted.outcome, Failed)

    def _judge(
        self, claim: Claim, attempted: Attempted, claimed: float, probe: Probe | None
    ) -> Settlement:
        """What an attempt that has ended just now means, as it is to be written down."""
        now, outcome = self.shared.outbox.now(), attempted.outcome
        if claim.only_change:
            if isinstance(outcome, Failed):
                names = self._names() | {"id": claim.id}
                log.warning("message could not be changed", **names, error=outcome.message)
            return decide_change(outcome, claim, self.shared.runtime().config.delivery, now=now)
        if isinstance(outcome, str):
            return Settlement(Verdict.DROPPED, now, reason=outcome)
        settlement = self._decide(claim, outcome, attempted.cost, claimed, probe)
        if isinstance(outcome, Failed):
            self._say_failed(claim, outcome, settlement)
        return settlement

    def _decide(
        self, claim: Claim, outcome: Outcome, cost: float, claimed: float, probe: Probe | None
    ) -> Settlement:
        """What an outcome means, and what is known of the destination since."""
        now, clock = self.shared.outbox.now(), time.monotonic()
        situation = self._health.situation(
            claim, claimed, probe=probe is not None, cost=cost, clock=clock
        )
        chance = random.random()  # noqa: S311
        delivery = self.shared.runtime().config.delivery
        settlement = decide(outcome, claim, situation, delivery, now=now, chance=chance)
        self._health.note(claim, outcome, settlement, cost, clock=clock)
        return settlement

    def _say_failed(self, claim: Claim, outcome: Failed, settled: Settlement) -> None:
        """What concerns this delivery alone; the destination's failures are one line a minute."""
        is_dead = settled.verdict is Verdict.DEAD
        if not is_dead and settled.health is not None and settled.health.is_failing:
            return
        (log.error if is_dead else log.warning)(
            "delivery failed for good; kept as a dead letter"
            if is_dead
            else "delivery failed; will retry",
            **self._names(),
            id=claim.id,
            attempt=claim.attempt,
            reason=outcome.reason.value,
            error=outcome.message,
            retry_in=None if is_dead else round(settled.due_at - settled.now, 1),
        )

    async def _settle(self, claim: Claim, settlement: Settlement) -> None:
        """Write the outcome. While that fails it is kept here and the lane stays leased, so
        that nothing is sent twice while the process lives."""
        if settlement.due_at > settlement.now:
            self._due.append(settlement.due_at)
        kept = False
        while True:
            try:
                if not await self.shared.outbox.settle(claim, settlement):
                    log.warning("claim was lost to another worker", **self._names(), id=claim.id)
                break
            except StoreUnavailable as error:
                if not kept:
                    kept = True
                    self._kept += 1
                    self.shared.metrics.unsettled.inc()
                    log.error("cannot settle; kept in memory", **self._names(), error=str(error))
                await asyncio.sleep(_STORE_PAUSE)
                if settlement.health is not None:  # as it is by now
                    settlement = replace(settlement, health=self._health.health)
        if kept:
            self._kept -= 1
            self.shared.metrics.unsettled.dec()

    def _names(self) -> dict[str, str]:
        return {"receiver": self.destination.receiver, "notifier": self.destination.notifier}


class Taken:
    """Which destinations have taken a group that no store has and that others refused: when its
    sender posts it again, only the others get it. Times are seconds of a clock that only goes
    forward."""

    def __init__(self) -> None:
        self._taken: OrderedDict[tuple[bytes, Destination], tuple[object, float]] = OrderedDict()

    def left(self, group: NewGroup, since: float) -> list[Target]:
        """The targets without those that took this last, then or later."""
        return [target for target in group.targets if not self._has(group, target, since)]

    def note(self, group: NewGroup, refused: Collection[Target], now: float) -> None:
        """All targets but these have it now. Once all have it, its sender does not post it again:
        what is equal and comes later is news."""
        for target in group.targets:
            key = (group.identity, target.destination)
            if target in refused:
                continue
            self._taken.pop(key, None)
            if refused:
                self._taken[key] = (_content(group, target), now)
        while len(self._taken) > _MOST_TAKEN:
            self._taken.popitem(last=False)

    def forget(self) -> None:
        """A store takes groups again, perhaps newer ones."""
        self._taken.clear()

    def _has(self, group: NewGroup, target: Target, since: float) -> bool:
        content, at = self._taken.get((group.identity, target.destination), (None, since))
        return at >= since and content == _content(group, target)


def _content(group: NewGroup, target: Target) -> object:
    return group.content, target.fingerprints


class Deliverer:
    """All destination loops; follows the configuration as it changes."""

    def __init__(self, shared: DeliverContext) -> None:
        self._shared = shared
        self._loops: dict[Destination, DestinationLoop] = {}
        self._leaving: dict[DestinationLoop, asyncio.Task[None]] = {}
        self._recovering: asyncio.Task[None] | None = None
        self._taken = Taken()
        self._stopping = False

    def follow(self, notifiers: Mapping[Destination, Notifier]) -> None:
        """Serve exactly these: begin new ones, let go of those that went, keep the others. Once
        it is stopping, a reload that comes late begins nothing."""
        if self._stopping:
            return
        if self._recovering is None:
            self._recovering = asyncio.create_task(self._recover())
            self._shared.outbox.listen(self._look_at)
        for destination in set(self._loops) - set(notifiers):
            self._let_go(destination)
        for destination, notifier in notifiers.items():
            if destination in self._loops:
                self._loops[destination].reconfigure(notifier)
                continue
            loop = DestinationLoop(destination, notifier, self._shared)
            self._loops[destination] = loop
            loop.start()

    async def recovered(self) -> None:
        """Wait until what an earlier process had claimed is due."""
        await self._shared.recovered.wait()

    async def _recover(self) -> None:
        """What an earlier process of this name had claimed is due, before anything is claimed."""
        outbox = self._shared.outbox
        while True:
            try:
                await outbox.recover(outbox.owner)
            except StoreUnavailable as error:
                log.warning("cannot recover leases", error=str(error))
                await asyncio.sleep(_STORE_PAUSE)
            else:
                self._shared.recovered.set()
                return

    async def deliver_now(self, group: NewGroup) -> bool:
        """Deliver a group that could not be stored; whether every destination took it. What one
        refuses is posted again: those that took it do not get it again within `dedup_window`."""
        if not all(target.destination in self._loops for target in group.targets):
            return False
        window = self._shared.runtime().config.delivery.dedup_window
        left = self._taken.left(group, since=time.monotonic() - window)
        attempts = []
        for target in left:
            alone = WaitingGroup(0, group.id, group.body, target.fingerprints, group.accepted_at)
            claim = Claim(webhook_id(), 0, 0, target.destination, (alone,), attempt=1)
            attempts.append(self._loops[target.destination].deliver_now(claim))
        results = await asyncio.gather(*attempts)
        refused = [target for target, took in zip(left, results, strict=True) if not took]
        self._taken.note(group, refused, time.monotonic())
        return not refused

    def wake(self, destination: Destination, priority: int = 1) -> None:
        """Something was accepted for this destination: of priority 0 it is a page."""
        self._taken.forget()
        loop = self._loops.get(destination)
        if loop is not None and not self._stopping:
            loop.accepted(urgent=priority == 0)
        else:  # another service may be configured for it, or go on
            self._shared.outbox.announce(destination)

    def _look_at(self, destination: Destination | None) -> None:
        """Another service says that something is due for this destination, None for any."""
        for one, loop in self._loops.items():
            if destination in (None, one):
                loop.wake.set()

    async def stop(self, deadline: float) -> None:
        """Finish what is being sent within `deadline` seconds; leave the rest for next time."""
        self._stopping = True
        if self._recovering and not self._shared.recovered.is_set():
            self._recovering.cancel()
            self._shared.recovered.set()
        loops = [*self._loops.values(), *self._leaving]
        draining = asyncio.gather(*(loop.drain() for loop in loops))
        try:
            async with asyncio.timeout(deadline):
                await asyncio.shield(draining)
        except TimeoutError:
            log.warning("some sends did not finish in time and will be repeated")
            await asyncio.gather(*(loop.abandon() for loop in loops))
        await draining

    def _let_go(self, destination: Destination) -> None:
        loop = self._loops.pop(destination)
        self._leaving[loop] = leaving = asyncio.create_task(loop.drain())
        leaving.add_done_callback(lambda _: self._leaving.pop(loop))
