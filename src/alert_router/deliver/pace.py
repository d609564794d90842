"""Keeping to a destination's rate: when messages were sent, and when the next may be.

Pure; times are seconds of a clock that only goes forward. What was sent before a restart is the
store's to know.
"""

from collections import deque
from collections.abc import Iterable
from itertools import repeat

from alert_router.fields import Rate


class Pace:
    """No more than `rate.messages` in any span of `rate.seconds`, wherever it begins: that is how
    destinations count. `sent` are the times of earlier messages."""

    def __init__(self, rate: Rate, sent: Iterable[float] = ()) -> None:
        self.rate = rate
        self._sent = deque(sorted(sent))

    def changed(self, rate: Rate) -> "Pace":
        """Another rate for the same destination, which has had the same messages."""
        return Pace(rate, self._sent)

    def free(self, now: float) -> int:
        """How many messages may be sent now."""
        while self._sent and self._sent[0] <= now - self.rate.seconds:
            self._sent.popleft()
        return max(0, self.rate.messages - len(self._sent))

    def take(self, messages: int, now: float) -> None:
        """So many are being sent."""
        self._sent.extend(repeat(now, messages))

    def wait(self, now: float) -> float:
        """Seconds until the next may be sent; 0 if it may now."""
        if self.free(now):
            return 0.0
        # Rounding may make it 0 a moment before one is free.
        return max(0.001, self._sent[-self.rate.messages] + self.rate.seconds - now)
