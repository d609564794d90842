"""Where a library's own connections may go: judged at the socket, whoever opens it.

An audit hook (PEP 578) sees each connection of the process; it judges those of threads that were
told to keep to a guard. Threads that such a thread starts itself are not seen.
"""

import socket
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from typing import Any

from alert_router.notify.guard import ForbiddenAddress, Guard

_EVENTS = frozenset(("socket.connect", "socket.sendto", "socket.sendmsg"))


class _Thread(threading.local):
    """What holds in this thread."""

    guard: Guard | None = None
    forbidden: ForbiddenAddress | None = None


_thread = _Thread()


@contextmanager
def confined(guard: Guard) -> Iterator[list[ForbiddenAddress]]:
    """Connections of this thread keep to the guard for the length of the block; the list has the
    one that was refused, once the block is left."""
    _watch()
    refused: list[ForbiddenAddress] = []
    _thread.guard, _thread.forbidden = guard, None
    try:
        yield refused
    finally:
        if _thread.forbidden is not None:
            refused.append(_thread.forbidden)
        _thread.guard = None


@cache
def _watch() -> None:
    """From now on, once: a hook cannot be taken away again."""
    sys.addaudithook(_judge)


def _judge(event: str, arguments: tuple[Any, ...]) -> None:
    guard = _thread.guard
    if event not in _EVENTS or guard is None:
        return
    where = arguments[1]
    if not isinstance(where, tuple):
        return  # a socket that is connected already, or no network's
    try:
        for *_, address in socket.getaddrinfo(where[0], where[1]):
            guard.check(str(address[0]))
    except ForbiddenAddress as error:
        _thread.forbidden = error
        raise
