"""What holds for all tests: generated examples are the same in every run, so that a change is
judged by what it changes, and never by the speed of the machine. `--hypothesis-profile=explore`
makes up new ones, and ten times as many, every night in a workflow, and finds what nobody thought
of. Stories, which take long, come first, and the longest before the others: what is left in the end
is short, and no process waits for another."""

import gc
import os

import pytest
from hypothesis import HealthCheck, settings

any_speed = settings(deadline=None, suppress_health_check=[HealthCheck.too_slow], print_blob=True)
settings.register_profile("same", any_speed, derandomize=True)
settings.register_profile("explore", any_speed, max_examples=1000)
settings.load_profile("same")


def pytest_xdist_auto_num_workers() -> int:
    """Two more than the processors that it may use: a story mostly waits for other programs."""
    return len(os.sched_getaffinity(0)) + 2


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    items.sort(key=lambda item: (_is(item, "story"), _is(item, "long")), reverse=True)


def _is(item: pytest.Item, marker: str) -> bool:
    return item.get_closest_marker(marker) is not None


def pytest_collection_finish() -> None:
    """What there is now stays: looking for garbage in it takes longer than most tests."""
    gc.collect()
    gc.freeze()
