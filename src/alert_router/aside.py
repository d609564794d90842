"""Work that takes long, in few threads of its own: the loop goes on, and memory stays bounded
because only so much is done at a time.
"""

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextvars import copy_context
from typing import TypeVar, TypeVarTuple

T = TypeVar("T")
Ts = TypeVarTuple("Ts")


class Aside:
    """So many threads, started when they are needed; further work is queued."""

    def __init__(self, name: str, threads: int = 1) -> None:
        self._threads = ThreadPoolExecutor(threads, thread_name_prefix=name)

    async def run(self, work: Callable[[*Ts], T], *arguments: *Ts) -> T:
        """The result of the work; raises what it raises. Log lines of the work have the fields that
        are bound here."""
        loop, context = asyncio.get_running_loop(), copy_context()
        return await loop.run_in_executor(self._threads, lambda: context.run(work, *arguments))

    def close(self) -> None:
        """Begin nothing more."""
        self._threads.shutdown(wait=False, cancel_futures=True)
