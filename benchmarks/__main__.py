"""`make bench`: every measurement, or those named: `python -m benchmarks accept deliver`."""

import sys

from benchmarks import accept, deliver, latency, matching, memory, postgres, replicas, store, tabs
from benchmarks.programs import Unavailable

BENCHES = {
    "accept": accept.main,
    "deliver": deliver.main,
    "latency": latency.main,
    "matching": matching.main,
    "memory": memory.main,
    "postgres": postgres.main,
    "replicas": replicas.main,
    "store": store.main,
    "tabs": tabs.main,
}


def main() -> int:
    """Run them one after another; a program that is missing costs its bench only."""
    for name in sys.argv[1:] or BENCHES:
        try:
            BENCHES[name]()
        except Unavailable as why:
            print(f"{name}: not measured: {why}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
