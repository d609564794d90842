"""How late the event loop is: what holds it up holds up every webhook."""

import asyncio

from prometheus_client import Histogram

_EVERY = 0.25  # seconds between looks
_LATE = 1.0  # seconds of lag that are too many
_IN_A_ROW = 3  # looks that late before it is more than a passing stall


class LoopLag:
    """Looks again and again how much later than asked it is called."""

    def __init__(self, histogram: Histogram) -> None:
        self._histogram = histogram
        self._late = 0

    def is_late(self) -> bool:
        """Whether the lag has stayed above a second."""
        return self._late >= _IN_A_ROW

    async def watch(self) -> None:
        """Look, for as long as the router runs."""
        loop = asyncio.get_running_loop()
        due = loop.time() + _EVERY
        while True:
            await asyncio.sleep(due - loop.time())
            self.note(loop.time() - due)
            due = loop.time() + _EVERY

    def note(self, lag: float) -> None:
        """A look that came so many seconds late."""
        self._histogram.observe(max(0.0, lag))
        self._late = self._late + 1 if lag > _LATE else 0
