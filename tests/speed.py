"""How long work takes, on any machine: in processor time, and relative to work that is known."""

import time
from collections.abc import Iterator
from contextlib import contextmanager

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
