"""Calls that block, each in a thread of its own that nobody has to wait for.

The threads are daemons: one that hangs keeps neither the loop nor the end of the process.
"""

import asyncio
import threading
from collections.abc import Callable
from typing import TypeVar

Result = TypeVar("Result")

MOST = 32  # calls at once, those that were given up included
_room = threading.BoundedSemaphore(MOST)


class NoRoom(Exception):
    """So many earlier calls are not over that none more is begun."""


async def run(call: Callable[[], Result], name: str) -> Result:
    """What the call returns. Cancelling waits no longer; the thread goes on. Raises NoRoom, and
    what the call raises."""
    if not _room.acquire(blocking=False):
        raise NoRoom
    loop = asyncio.get_running_loop()
    done: asyncio.Future[Result] = loop.create_future()

    def settle(result: Result | None, error: Exception | None) -> None:
        if done.cancelled():
            return
        if error is not None:
            done.set_exception(error)
        else:
            done.set_result(result)  # type: ignore[arg-type]

    def work() -> None:
        result, error = None, None
        try:
            result = call()
        except Exception as raised:  # for who waits
            error = raised
        finally:
            _room.release()
        if not loop.is_closed():
            loop.call_soon_threadsafe(settle, result, error)

    threading.Thread(target=work, name=name, daemon=True).start()
    return await done
