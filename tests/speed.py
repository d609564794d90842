"""How long work takes, on any machine: in processor time, and relative to work that is known; and
how long is waited, by a clock that a test sets."""

import asyncio
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from tests.programs import PATIENCE

_USUAL = 0.01  # processor seconds that the known work takes on a machine of 2026


def _known_work() -> float:
    began = time.thread_time()
    table: dict[str, int] = {}
    for number in range(25_000):
        word = f"w{number % 999}"
        table[word] = table.get(word, 0) + len(word)
    return time.thread_time() - began


@contextmanager
def within(seconds: float) -> Iterator[None]:
    """What the block does takes this thread fewer seconds than that: of a usual machine, alone."""
    before = _known_work()
    began = time.thread_time()
    yield
    took = time.thread_time() - began
    slowness = max(1.0, max(before, _known_work()) / _USUAL)
    assert took < seconds * slowness, f"{took:.2f} s, on a machine {slowness:.1f} times as slow"


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
