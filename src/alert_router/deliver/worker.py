"""The workers: one loop a destination that claims what is due and writes down what became of it.

What is done with a claim is `carry`. One slow or dead destination delays no other: loops share
nothing but the outbox.
"""

import asyncio
import time
from contextlib import suppress
from dataclasses import dataclass, field

import structlog

from alert_router.deliver.carry import carry_out
from alert_router.deliver.lines import Lines
from alert_router.deliver.pace import Pace
from alert_router.notify.base import Notifier, Reason
from alert_router.outbox.base import StoreUnavailable
from alert_router.outbox.model import Claim, Destination, Settlement, Verdict

log = structlog.get_logger(__name__)

# An idle loop looks this often, in seconds, for what no event told it of: a delivery replayed
# by another process, a lease that ran out. An empty look writes nothing.
_POLL = 1.0
_STORE_PAUSE = 1.0  # seconds between tries while the store cannot be written
_LEASE_MARGIN = 60.0  # seconds beyond an attempt's own limit before another may take it


@dataclass(eq=False, slots=True)
class DestinationLoop:
    """Claims for one destination, never more at once than its notifier allows."""

    destination: Destination
    notifier: Notifier
    lines: Lines
    wake: asyncio.Event = field(default_factory=asyncio.Event)
    _looking: asyncio.Task[None] | None = None
    _running: set[asyncio.Task[None]] = field(default_factory=set)
    _due: list[float] = field(default_factory=list)
    _kept: int = 0
    _pace: Pace | None = None
    _stopping: bool = False

    def start(self) -> None:
        """Work until told to stop."""
        self._looking = asyncio.create_task(self._look())

    async def drain(self) -> None:
        """Claim nothing more and wait for what is being sent."""
        self._stopping = True
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
        while not self._stopping:
            self.wake.clear()
            try:
                claimed = await self._claim()
            except StoreUnavailable as error:
                log.warning("cannot claim", **self._names(), error=str(error))
                await asyncio.sleep(_STORE_PAUSE)
            except Exception:  # a defect of ours must not leave the destination without service
                log.exception("cannot claim", **self._names())
                await asyncio.sleep(_STORE_PAUSE)
            else:
                if not claimed:
                    await self._rest()

    async def _claim(self) -> bool:
        free = self.notifier.concurrency - len(self._running)
        if free <= 0 or self._kept:  # what was sent is written down before more is sent
            return False
        if pace := await self._paced():
            free = min(free, pace.free(time.monotonic()))
            if free <= 0:
                return False
        claims = await self.lines.outbox.claim(
            self.destination,
            limit=free,
            now=time.time(),
            lease=self.notifier.timeout + _LEASE_MARGIN,
            fold=self.notifier.fold,
        )
        if self._stopping:
            await self._give_back(claims)
            return False
        if pace:
            pace.take(len(claims), time.monotonic())
        for claim in claims:
            task = asyncio.create_task(self._work(claim))
            self._running.add(task)
            task.add_done_callback(self._done)
        return bool(claims)

    async def _give_back(self, claims: list[Claim]) -> None:
        """What was claimed while the stop was called is the next start's."""
        for claim in claims:
            await self.lines.outbox.settle(claim, Settlement(Verdict.RELEASED, time.time()))

    async def _paced(self) -> Pace | None:
        """The pace to keep. At the start it goes on from what the store knows to be sent."""
        rate = self.notifier.rate_limit
        if rate is None:
            self._pace = None
        elif self._pace is None:
            now = time.time()
            sent = await self.lines.outbox.sent(self.destination, since=now - rate.seconds, now=now)
            self._pace = Pace(rate, (time.monotonic() - max(0.0, now - at) for at in sent))
        elif self._pace.rate != rate:
            self._pace = self._pace.changed(rate)
        return self._pace

    def _done(self, task: asyncio.Task[None]) -> None:
        self._running.discard(task)
        self.wake.set()

    async def _rest(self) -> None:
        """Until something may be due: a new group, a finished attempt, a retry, or a while."""
        now = time.time()
        self._due = [due for due in self._due if due > now]
        pause = min([_POLL, *(due - now for due in self._due)])
        if self._pace and (wait := self._pace.wait(time.monotonic())):
            pause = wait  # nothing can be sent before, and something may be then
        try:
            async with asyncio.timeout(pause):
                await self.wake.wait()
        except TimeoutError:
            pass

    async def _work(self, claim: Claim) -> None:
        try:
            decision = await carry_out(claim, self.notifier, self.lines)
        except asyncio.CancelledError:
            # Cut off at the stop's deadline: it may have arrived. The next start sends it again.
            now = time.time()
            doubt = Settlement(Verdict.DOUBT, now, due_at=now, reason=Reason.TIMEOUT.value)
            with suppress(StoreUnavailable):
                await self.lines.outbox.settle(claim, doubt)
            raise
        await self._settle(claim, decision.settlement, decision.pause_until)

    async def _settle(self, claim: Claim, settlement: Settlement, pause_until: float) -> None:
        """Write the outcome. While that fails it is kept here and the lane stays leased, so
        that nothing is sent twice while the process lives."""
        if settlement.due_at > settlement.now:
            self._due.append(settlement.due_at)
        kept = False
        while True:
            try:
                if pause_until:
                    await self.lines.outbox.pause(self.destination, pause_until, settlement.message)
                if not await self.lines.outbox.settle(claim, settlement):
                    log.warning("claim was lost to another worker", **self._names(), id=claim.id)
                break
            except StoreUnavailable as error:
                if not kept:
                    kept = True
                    self._kept += 1
                    self.lines.metrics.unsettled.inc()
                    log.error("cannot settle; kept in memory", **self._names(), error=str(error))
                await asyncio.sleep(_STORE_PAUSE)
        if kept:
            self._kept -= 1
            self.lines.metrics.unsettled.dec()

    def _names(self) -> dict[str, str]:
        return {"receiver": self.destination.receiver, "notifier": self.destination.notifier}
