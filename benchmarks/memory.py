"""Resident memory after many deliveries over that after few."""

import sys
import tempfile
from pathlib import Path

from benchmarks.accept import ALERT_ROUTER
from benchmarks.deliver import delivered, drain
from benchmarks.programs import free_port, process, report, write_router_config, wrk

FEW, MANY = 1_000, 100_000


def main() -> None:
    """Print the ratio."""
    sink, port = free_port(), free_port()
    base = f"http://127.0.0.1:{port}"
    command = [sys.executable, "-m", "benchmarks.baseline", "sink", str(sink)]
    with tempfile.TemporaryDirectory() as folder:
        config = write_router_config(
            Path(folder), port, f"http://127.0.0.1:{sink}/webhook", fold=False
        )
        serve = [ALERT_ROUTER, "serve", "--config", str(config)]
        with (
            process(command, f"http://127.0.0.1:{sink}/count"),
            process(serve, f"{base}/-/ready") as router,
        ):
            resident = {}
            for goal in (FEW, MANY):
                while delivered(base) < goal:
                    wrk(f"{base}/webhook", "group.lua", 1 if goal == FEW else 5)
                    drain(base)
                resident[goal] = resident_kib(router.pid)
    few, many = resident[FEW], resident[MANY]
    report(
        f"resident memory after {MANY:,} deliveries over that after {FEW:,}",
        many / few, "< 1.2", f"{many / 1024:.0f} MiB over {few / 1024:.0f} MiB",
    )  # fmt: skip


def resident_kib(pid: int) -> int:
    """VmRSS of a process, KiB."""
    for line in Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith("VmRSS:"):
            return int(line.split()[1])
    raise RuntimeError(f"process {pid} is gone")
