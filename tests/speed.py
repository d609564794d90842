"""How work grows with its input, on any machine; and how long is waited, by a clock that
a test sets."""

import asyncio
import gc
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import pytest

from tests.programs import PATIENCE


def assert_linear(work: Callable[[int], object], size: int) -> None:
    """Work of eight times that size takes about eight times as long. Quadratic work takes 64 times
    as long.

    Something else may slow one run down, and does not in five: the best of them counts.
    """
    seen = []
    for _ in range(5):
        small, large = _processor_seconds(work, size), _processor_seconds(work, 8 * size)
        seen.append(large / max(small, 0.002))  # what takes no time at all does not grow
        if seen[-1] < 24:
            return
    pytest.fail(f"eight times the size takes {min(seen):.0f} times as long")


def _processor_seconds(work: Callable[[int], object], size: int) -> float:
    gc.disable()  # it looks at what other tests left, too
    try:
        began = time.thread_time()
        work(size)
        return time.thread_time() - began
    finally:
        gc.enable()


class LoopClock:
    """The clock of an event loop's timers. It goes only where a test has time pass."""

    def __init__(self, now: float) -> None:
        self.now = now

    def passes(self, seconds: float) -> None:
        """So many seconds have passed."""
        self.now += seconds + 1e-6  # what rounding takes from it

    async def turns(self) -> None:
        """Let whatever is ready run, and what that makes ready."""
        for _ in range(20):
            await asyncio.sleep(0)

    async def until(self, is_done: Callable[[], bool]) -> None:
        """Wait until that is so without any time passing, however long threads and other processes
        take for it."""
        deadline = time.monotonic() + PATIENCE
        while not is_done():
            assert time.monotonic() < deadline, "it waits for time to pass"
            await asyncio.sleep(0)


@contextmanager
def clock_of_the_loop() -> Iterator[LoopClock]:
    """For the length of the block, the running loop's clock stands still."""
    loop = asyncio.get_running_loop()
    clock = LoopClock(loop.time())
    setattr(loop, "time", lambda: clock.now)  # noqa: B010 - a method
    try:
        yield clock
    finally:
        delattr(loop, "time")
