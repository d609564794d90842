"""Which events PagerDuty took in an attempt that failed as a whole, so that the next goes on from
there and comes to an end however many there are and however few a minute it takes.

Kept in the process only: after a restart all are sent again, which does no harm.
"""

import hashlib
from collections import OrderedDict
from collections.abc import Iterable
from typing import Any

from pydantic_core import to_json

_MOST = 20_000  # events; the oldest are forgotten


class Taken:
    """The last event that was taken under each key, as long as others of its notification were
    not."""

    def __init__(self) -> None:
        self._last: OrderedDict[str, bytes] = OrderedDict()

    def add(self, event: dict[str, Any]) -> None:
        """It was taken."""
        self._last[event["dedup_key"]] = _digest(event)
        self._last.move_to_end(event["dedup_key"])
        while len(self._last) > _MOST:
            self._last.popitem(last=False)

    def has(self, event: dict[str, Any]) -> bool:
        """Whether the last one that was taken under its key says the same, details aside."""
        return self._last.get(event["dedup_key"]) == _digest(event)

    def forget(self, events: Iterable[dict[str, Any]]) -> None:
        """All of a notification's were taken: what comes next under their keys is news."""
        for event in events:
            self._last.pop(event["dedup_key"], None)


def _digest(event: dict[str, Any]) -> bytes:
    """What an event says, without its details: those are fewer when it is sent again smaller."""
    payload = {name: v for name, v in event["payload"].items() if name != "custom_details"}
    return hashlib.sha256(to_json([event["event_action"], payload, event["links"]])).digest()
