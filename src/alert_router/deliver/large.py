"""Room for large messages: few are made and few are on their way at a time, since each takes
memory several times its size. Others do not wait for them.
"""

import asyncio
from contextlib import AbstractAsyncContextManager, nullcontext
from typing import Any

from alert_router.outbox.model import Claim

_LARGE = 1024 * 1024  # bytes from which on a body or a message is large
_MADE = 1  # at a time
_SENT = 2


class Room:
    """Of all destinations together, in one event loop."""

    def __init__(self) -> None:
        self._making = asyncio.Semaphore(_MADE)
        self._sending = asyncio.Semaphore(_SENT)

    def to_make(self, claim: Claim) -> AbstractAsyncContextManager[None]:
        """Wait until the message of a claim may be made."""
        is_large = sum(len(group.body) for group in claim.groups) > _LARGE
        return self._making if is_large else nullcontext()

    def to_send(self, payload: Any) -> AbstractAsyncContextManager[None]:
        """Wait until a message may be sent."""
        is_large = isinstance(payload, bytes) and len(payload) > _LARGE
        return self._sending if is_large else nullcontext()
