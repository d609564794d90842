"""Keeping to a destination's rate: tokens that come back with time.

Pure; `now` is seconds of a clock that only goes forward.
"""

from alert_router.notify.rate import Rate


class Pace:
    """At most so many messages at once, and no more than the rate on the long run.

    It begins with a single one: what was sent before a restart is not known.
    """

    def __init__(self, rate: Rate, now: float) -> None:
        self.rate = rate
        self._tokens = 1.0
        self._at = now

    def free(self, now: float) -> int:
        """How many messages may be sent now."""
        gained = (now - self._at) * self.rate.messages / self.rate.seconds
        self._tokens = min(float(self.rate.messages), self._tokens + max(0.0, gained))
        self._at = now
        return int(self._tokens + 1e-9)

    def take(self, messages: int) -> None:
        """So many are being sent."""
        self._tokens -= messages

    def wait(self, now: float) -> float:
        """Seconds until the next may be sent; 0 if it may now."""
        if self.free(now) >= 1:
            return 0.0
        return (1.0 - self._tokens) * self.rate.seconds / self.rate.messages
