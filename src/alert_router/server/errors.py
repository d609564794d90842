"""Answers that refuse, headers of every answer, and the log lines about what others send."""

import time
from collections.abc import Callable
from typing import Any

import structlog
from aiohttp import web

log = structlog.get_logger(__name__)

_BURST = 10  # lines of a kind
_REFILL = 10.0  # seconds until one more


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
        left = min(float(_BURST), left + (now - then) / _REFILL)
        if left < 1:
            self._left[event] = left, now, suppressed + 1
            return
        self._left[event] = left - 1, now, 0
        if suppressed:
            fields = fields | {"suppressed": suppressed}
        write(event, **fields)


_RETRY_AFTER = "5"  # seconds; Alertmanager has a back-off of its own, others may heed it


def refuse(status: int, why: str, *, close: bool = False) -> web.Response:
    """An answer with the reason; the connection is closed after it if `close`."""
    body = {"status": "refused", "error": why}
    answer = web.json_response(body, status=status)
    if close:
        answer.force_close()
    return answer


def unavailable(why: str, *, close: bool = False) -> web.Response:
    """503, for trouble of ours that may pass: Alertmanager tries that again."""
    answer = refuse(503, why, close=close)
    answer.headers["Retry-After"] = _RETRY_AFTER
    return answer


def harden(answer: web.StreamResponse) -> None:
    """No guessing of types, and no version of anything for whoever looks for holes."""
    answer.headers["X-Content-Type-Options"] = "nosniff"
    answer.headers["Server"] = "alert-router"
