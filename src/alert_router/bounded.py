"""`python -m alert_router.bounded MEMORY SECONDS NICE MODULE ...` runs a module like `python -m`,
with so many bytes of data and seconds of processor time, at a lower priority.

A process that bounds itself is bounded before it does anything; one that is bounded by the process
that starts it may have done much by then. It imports little: the rest of the package comes after.
"""

import os
import resource
import runpy
import sys


def main() -> None:
    """Bound this process, where the system can, and run the module."""
    memory, seconds, nice, module, *arguments = sys.argv[1:]
    os.nice(int(nice))
    if sys.platform == "linux":
        _limit(resource.RLIMIT_DATA, int(memory))
        _limit(resource.RLIMIT_CPU, int(seconds))
        _limit(resource.RLIMIT_CORE, 0)
    sys.argv = [module, *arguments]
    runpy.run_module(module, run_name="__main__", alter_sys=True)


def _limit(which: int, most: int) -> None:
    hard = resource.getrlimit(which)[1]
    if hard != resource.RLIM_INFINITY:
        most = min(most, hard)
    resource.setrlimit(which, (most, most))


if __name__ == "__main__":
    main()
