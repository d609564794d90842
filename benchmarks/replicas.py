"""Routers that share a PostgreSQL database, one to three, over one on SQLite: webhooks accepted a
second, groups delivered a second, and CPU time of the routers and of the database for each.
"""

import json
import statistics
import sys
import tempfile
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import NamedTuple

import uvloop

from benchmarks import programs
from benchmarks.accept import ALERT_ROUTER
from benchmarks.deliver import accepted, delivered
from benchmarks.programs import cpu_seconds, free_port, process, report, wait_for, wrk
from benchmarks.store import postgres

WARM_UP, ROUND = 2, 5  # seconds
ROUNDS = 3
KINDS = {"SQLite": 0, "PostgreSQL, one router": 1, "two": 2, "three": 3}


class Figures(NamedTuple):
    """Of one round: a second, and microseconds of CPU time for each."""

    rate: float
    routers: float
    database: float


class _Running(NamedTuple):
    bases: list[str]
    pids: list[int]
    has_database: bool

    def load(self, seconds: int) -> float:
        """Requests a second that all routers together answered."""
        connections = programs.CONNECTIONS // len(self.bases)
        with ThreadPoolExecutor() as pool:
            one = [
                pool.submit(wrk, f"{base}/webhook", "group.lua", seconds, connections=connections)
                for base in self.bases
            ]
            return sum(rate.result() for rate in one)

    def cpu(self) -> tuple[float, float]:
        """CPU seconds of the routers and of the database."""
        database = postgres().cpu_seconds() if self.has_database else 0.0
        return sum(map(cpu_seconds, self.pids)), database

    def drain(self) -> float:
        """Wait until nothing is pending; how many were delivered."""
        wait_for(
            lambda: sum(map(accepted, self.bases)) <= sum(map(delivered, self.bases)),
            "the backlog to drain",
            300,
        )
        return sum(map(delivered, self.bases))


@contextmanager
def running(number: int, destination: str) -> Iterator[_Running]:
    """So many routers on a database of their own, or one on SQLite for 0."""
    base, module = free_port(), [sys.executable, "-m", "benchmarks.baseline"]
    with ExitStack() as stack:
        serve = [*module, destination, str(base)]
        stack.enter_context(process(serve, f"http://127.0.0.1:{base}/count"))
        root = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        url = uvloop.run(postgres().database(root)) if number else ""
        bases, pids = [], []
        for index in range(max(1, number)):
            folder, port = root / str(index), free_port()
            folder.mkdir()
            target = f"http://127.0.0.1:{base}/webhook"
            path = programs.write_router_config(folder, port, target, fold=False)
            settings = json.loads(path.read_text()) | {"delivery": _DELIVERY}
            if number:
                settings["storage"] = f"{url}?spool={folder}/spool.db"
            path.write_text(json.dumps(settings))
            command = [ALERT_ROUTER, "serve", "--config", str(path)]
            bases.append(f"http://127.0.0.1:{port}")
            pids.append(stack.enter_context(process(command, f"{bases[-1]}/-/ready")).pid)
        yield _Running(bases, pids, number > 0)


# A destination that refused the first message is left alone for the round.
_DELIVERY = {"private_destinations": ["127.0.0.0/8"], "hold_backoff": "1h"}


def accepts(number: int) -> Figures:
    """Webhooks accepted while the destination is paused."""
    with running(number, "refuse") as them:
        them.load(WARM_UP)
        before = them.cpu()
        rate = them.load(ROUND)
        return _figures(rate, rate * ROUND, before, them.cpu())


def deliveries(number: int) -> Figures:
    """Groups delivered, from the first that was accepted to the last."""
    with running(number, "sink") as them:
        them.load(WARM_UP)
        done, before = them.drain(), them.cpu()
        began = time.monotonic()
        them.load(ROUND)
        count = them.drain() - done
        return _figures(count / (time.monotonic() - began), count, before, them.cpu())


def _figures(
    rate: float, count: float, before: tuple[float, float], after: tuple[float, float]
) -> Figures:
    each = [(late - early) / count * 1e6 for early, late in zip(before, after, strict=True)]
    return Figures(rate, *each)


def main() -> None:
    """Print the ratios; the kinds take turns, so that a noisy minute falls on all."""
    for what, measure in ("accepted", accepts), ("delivered", deliveries):
        rounds = [[measure(number) for number in KINDS.values()] for _ in range(ROUNDS)]
        kinds = [
            Figures(*(statistics.median(values) for values in zip(*found, strict=True)))
            for found in zip(*rounds, strict=True)
        ]
        for name, own in zip(KINDS, kinds, strict=True):
            detail = f"{own.rate:.0f}/s; each {own.routers:.0f} us of CPU time in the routers"
            if own.database:
                detail += f", {own.database:.0f} us in the database"
            report(f"{what}, over SQLite: {name}", own.rate / kinds[0].rate, "", detail)


if __name__ == "__main__":
    main()
