"""All destination loops together: begun and ended as the configuration has it, stopped in order.

What a loop does is `worker`'s.
"""

import asyncio
from collections.abc import Mapping

import structlog

from alert_router.deliver.attempt import Shared
from alert_router.deliver.worker import DestinationLoop
from alert_router.notify.base import Notifier
from alert_router.outbox.model import Destination

log = structlog.get_logger(__name__)


class Deliverer:
    """All destination loops; follows the configuration as it changes."""

    def __init__(self, shared: Shared) -> None:
        self._shared = shared
        self._loops: dict[Destination, DestinationLoop] = {}
        self._leaving: dict[DestinationLoop, asyncio.Task[None]] = {}
        self._stopping = False

    def follow(self, notifiers: Mapping[Destination, Notifier]) -> None:
        """Serve exactly these: begin new ones, let go of those that went, keep the others. Once
        it is stopping, a reload that comes late begins nothing."""
        if self._stopping:
            return
        for destination in set(self._loops) - set(notifiers):
            self._let_go(destination)
        for destination, notifier in notifiers.items():
            if destination in self._loops:
                self._loops[destination].reconfigure(notifier)
                continue
            loop = DestinationLoop(destination, notifier, self._shared)
            self._loops[destination] = loop
            loop.start()

    def wake(self, destination: Destination, priority: int = 1) -> None:
        """Something was accepted for this destination: of priority 0 it is a page."""
        loop = self._loops.get(destination)
        if loop is not None:
            loop.accepted(urgent=priority == 0)

    async def stop(self, deadline: float) -> None:
        """Finish what is being sent within `deadline` seconds; leave the rest for next time."""
        self._stopping = True
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
