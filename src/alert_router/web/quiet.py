"""Log lines about what others send, few of a kind, so that nobody can fill the disk with them."""

import time
from collections.abc import Callable
from typing import Any

import structlog

log = structlog.get_logger(__name__)

_BURST = 10  # lines of a kind
_EVERY = 10.0  # seconds until one more


class QuietLog:
    """Passes on so many lines of an event, then one in a while with how many there were."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._left: dict[str, tuple[float, float, int]] = {}

    def warning(self, event: str, **fields: Any) -> None:
        """A line of that level. The event is one of few constant texts."""
        self._say(log.warning, event, fields)

    def error(self, event: str, **fields: Any) -> None:
        """A line of that level."""
        self._say(log.error, event, fields)

    def _say(self, write: Callable[..., object], event: str, fields: dict[str, Any]) -> None:
        now = self._clock()
        left, then, suppressed = self._left.get(event, (float(_BURST), now, 0))
        left = min(float(_BURST), left + (now - then) / _EVERY)
        if left < 1:
            self._left[event] = left, now, suppressed + 1
            return
        self._left[event] = left - 1, now, 0
        if suppressed:
            fields = fields | {"suppressed": suppressed}
        write(event, **fields)
