"""How fast groups go all the way to a local HTTP server, over a relay that keeps nothing.

The rate is that at which the destination gets them, the backlog flat: what the router took in
during the round is delivered when the round is over, give or take a second's worth.
"""

import re
import statistics
import sys
import tempfile
import time
from pathlib import Path

from benchmarks.accept import ALERT_ROUTER
from benchmarks.programs import cpu_seconds, fetch, free_port, process, report, wait_for, wrk
from benchmarks.programs import write_router_config as configure

WARM_UP = 2  # seconds
ROUND = 5
ROUNDS = 3


def relay() -> tuple[float, float]:
    """Groups per second through the bare relay, and microseconds of CPU time for each."""
    sink, port = free_port(), free_port()
    module = [sys.executable, "-m", "benchmarks.baseline"]
    target = f"http://127.0.0.1:{sink}/webhook"
    with (
        process([*module, "sink", str(sink)], f"http://127.0.0.1:{sink}/count"),
        process([*module, "relay", str(port), target], f"http://127.0.0.1:{port}/count") as own,
    ):
        url = f"http://127.0.0.1:{port}/webhook"
        wrk(url, "group.lua", WARM_UP)
        before = cpu_seconds(own.pid)
        rate = wrk(url, "group.lua", ROUND)
        return rate, (cpu_seconds(own.pid) - before) / (rate * ROUND) * 1e6


def router() -> tuple[float, float]:
    """Groups per second through the router, from the first accepted to the last delivered, and
    microseconds of CPU time for each."""
    sink, port = free_port(), free_port()
    command = [sys.executable, "-m", "benchmarks.baseline", "sink", str(sink)]
    base = f"http://127.0.0.1:{port}"
    with tempfile.TemporaryDirectory() as folder:
        target = f"http://127.0.0.1:{sink}/webhook"
        config = configure(Path(folder), port, target, fold=False)
        serve = [ALERT_ROUTER, "serve", "--config", str(config)]
        with (
            process(command, f"http://127.0.0.1:{sink}/count"),
            process(serve, f"{base}/-/ready") as own,
        ):
            wrk(f"{base}/webhook", "group.lua", WARM_UP)
            drain(base)
            before, began, cpu = delivered(base), time.monotonic(), cpu_seconds(own.pid)
            wrk(f"{base}/webhook", "group.lua", ROUND)
            drain(base)
            groups = delivered(base) - before
            seconds = time.monotonic() - began
            return groups / seconds, (cpu_seconds(own.pid) - cpu) / groups * 1e6


def drain(base: str) -> None:
    """Until nothing is pending."""
    wait_for(lambda: accepted(base) <= delivered(base), "the backlog to drain", 300)


def accepted(base: str) -> float:
    """Groups accepted so far."""
    return series(base, r'alert_router_webhooks_total\{outcome="accepted"\}')


def delivered(base: str) -> float:
    """Notifications delivered so far."""
    return series(base, r"alert_router_notifications_total\{[^}]*\}")


def series(base: str, name: str) -> float:
    """The sum of a metric's series."""
    values = re.findall(rf"(?m)^{name} (\S+)$", fetch(f"{base}/metrics"))
    return sum(map(float, values))


def main() -> None:
    """Print the ratios."""
    rounds = [(router(), relay()) for _ in range(ROUNDS)]
    own, base = (statistics.median(one[kind][0] for one in rounds) for kind in (0, 1))
    report(
        "accepted, stored, enriched, delivered over a bare relay",
        own / base, ">= 0.3", f"{own:.0f}/s over {base:.0f}/s",
    )  # fmt: skip
    own, base = (statistics.median(one[kind][1] for one in rounds) for kind in (0, 1))
    report(
        "CPU time per delivered group, over a bare relay",
        own / base, "", f"{own:.0f} us over {base:.0f} us",
    )  # fmt: skip
