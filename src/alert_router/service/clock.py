"""Noticing that the wall clock was set: what is judged by age must not be judged by that."""

import time
from math import inf

import structlog

log = structlog.get_logger(__name__)

_JUMP = 5.0  # seconds by which two clocks do not part by themselves between two looks
_AHEAD = 60.0  # seconds by which something may look older than it is
_AT_START = 600.0  # seconds: until then the clock may be set, and everything is tried once
_DAY = 86_400.0


class Clock:
    """Compares the wall clock with one that only goes forward. That one stands still while the
    machine sleeps, so that a long sleep counts as a jump ahead: nothing could be sent meanwhile.

    `has_jumped` is for whoever sets the schedules again, and to be set to false then."""

    def __init__(self) -> None:
        self.has_jumped = False
        self._began = self._steady = time.monotonic()
        self._wall = time.time()
        self._ahead_at = -inf

    def look(self) -> float:
        """The time now, unix seconds, having noticed whether the clock was set since the last
        look."""
        steady, wall = time.monotonic(), time.time()
        jump = (wall - self._wall) - (steady - self._steady)
        self._steady, self._wall = steady, wall
        if abs(jump) > _JUMP:
            self.has_jumped = True
            log.warning("the clock was set, or the machine slept", seconds=round(jump, 1))
        if jump > _AHEAD:
            self._ahead_at = steady
        return wall

    def may_expire(self, max_age: float) -> bool:
        """Whether ages can be compared with `max_age`. After a jump ahead not for as long as that:
        then everything accepted before it is as old, and what comes after it is not affected."""
        began = self._began + min(_AT_START, max_age)
        return self._steady >= max(began, self._ahead_at + max_age)

    def may_prune(self) -> bool:
        """Whether what is settled may be deleted. After a jump ahead not for a day, in which
        somebody can correct the clock."""
        return self._steady >= max(self._began + _AT_START, self._ahead_at + _DAY)
