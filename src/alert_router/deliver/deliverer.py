"""All destination loops together: begun and ended as the configuration has it, stopped in order.

What a loop does is `worker`'s.
"""

import asyncio
from collections.abc import Mapping

import structlog

from alert_router.deliver.lines import Lines
from alert_router.deliver.worker import DestinationLoop
from alert_router.notify.base import Notifier
from alert_router.outbox.model import Destination

log = structlog.get_logger(__name__)


class Deliverer:
    """All destination loops; follows the configuration as it changes."""

    def __init__(self, lines: Lines) -> None:
        self._lines = lines
        self._loops: dict[Destination, DestinationLoop] = {}
        self._tasks: dict[Destination, asyncio.Task[None]] = {}
        self._leaving: set[asyncio.Task[None]] = set()

    def follow(self, notifiers: Mapping[Destination, Notifier]) -> None:
        """Serve exactly these: begin new ones, let go of those that went, keep the others."""
        for destination in set(self._loops) - set(notifiers):
            self._let_go(destination)
        for destination, notifier in notifiers.items():
            if destination in self._loops:
                self._loops[destination].notifier = notifier
                continue
            loop = DestinationLoop(destination, notifier, self._lines)
            self._loops[destination] = loop
            self._tasks[destination] = asyncio.create_task(loop.run())

    def wake(self, destination: Destination) -> None:
        """Something was accepted for this destination."""
        loop = self._loops.get(destination)
        if loop is not None:
            loop.wake.set()

    async def stop(self, deadline: float) -> None:
        """Finish what is being sent within `deadline` seconds; leave the rest for next time."""
        loops = list(self._loops.values())
        draining = asyncio.gather(*(loop.drain() for loop in loops), *self._leaving)
        try:
            async with asyncio.timeout(deadline):
                await asyncio.shield(draining)
        except TimeoutError:
            log.warning("some sends did not finish in time and will be repeated")
            await asyncio.gather(*(loop.abandon() for loop in loops))
        await asyncio.gather(draining, *self._tasks.values(), return_exceptions=True)

    def _let_go(self, destination: Destination) -> None:
        loop = self._loops.pop(destination)
        del self._tasks[destination]
        leaving = asyncio.create_task(loop.drain())
        self._leaving.add(leaving)
        leaving.add_done_callback(self._leaving.discard)
