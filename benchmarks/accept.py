"""How fast webhooks are made durable, over two baselines that keep nothing, and the CPU time of
each."""

import json
import statistics
import sys
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

from benchmarks.programs import (
    Unavailable,
    cpu_seconds,
    free_port,
    need,
    process,
    report,
    write_router_config,
    wrk,
)

ROUND = 2  # seconds
ROUNDS = 8  # of each, taking turns, so that a noisy minute falls on all

ALERT_ROUTER = str(Path(sys.executable).parent / "alert-router")


@contextmanager
def bare() -> Iterator[tuple[str, int]]:
    """An aiohttp handler that reads and parses the same body."""
    port = free_port()
    command = [sys.executable, "-m", "benchmarks.baseline", "bare", str(port)]
    with process(command, f"http://127.0.0.1:{port}/count") as popen:
        yield f"http://127.0.0.1:{port}/webhook", popen.pid


@contextmanager
def router() -> Iterator[tuple[str, int]]:
    """The router with its destination paused: it refused the first message and is paused."""
    port, refusing = free_port(), free_port()
    module = [sys.executable, "-m", "benchmarks.baseline", "refuse", str(refusing)]
    with (
        tempfile.TemporaryDirectory() as folder,
        process(module, f"http://127.0.0.1:{refusing}/count"),
    ):
        target = f"http://127.0.0.1:{refusing}/webhook"
        config = write_router_config(Path(folder), port, target, concurrency=1)
        settings = json.loads(config.read_text()) | {"delivery": {"hold_backoff": "1h"}}
        config.write_text(json.dumps(settings))
        command = [ALERT_ROUTER, "serve", "--config", str(config)]
        with process(command, f"http://127.0.0.1:{port}/-/ready") as popen:
            yield f"http://127.0.0.1:{port}/webhook", popen.pid


@contextmanager
def alertmanager() -> Iterator[tuple[str, int]]:
    """Alertmanager's own intake."""
    port = free_port()
    with tempfile.TemporaryDirectory() as folder:
        config = Path(folder) / "alertmanager.yml"
        config.write_text(json.dumps({"route": {"receiver": "x"}, "receivers": [{"name": "x"}]}))
        command = [
            need("prometheus-alertmanager"), f"--config.file={config}",
            f"--storage.path={folder}/data", "--cluster.listen-address=",
            f"--web.listen-address=127.0.0.1:{port}",
        ]  # fmt: skip
        with process(command, f"http://127.0.0.1:{port}/-/ready") as popen:
            yield f"http://127.0.0.1:{port}/api/v2/alerts", popen.pid


def main() -> None:
    """Print the two ratios, and the CPU time per webhook."""
    kinds = {"bare": (bare, "group.lua"), "router": (router, "group.lua")}
    try:
        need("prometheus-alertmanager")
        kinds["alertmanager"] = (alertmanager, "alerts.lua")
    except Unavailable as why:
        print(f"over Alertmanager: not measured: {why}")
    rates: dict[str, list[float]] = {name: [] for name in kinds}
    cpu: dict[str, list[float]] = {name: [] for name in kinds}  # microseconds per request
    with ExitStack() as stack:
        servers = {name: stack.enter_context(server()) for name, (server, _) in kinds.items()}
        for number in range(1 + ROUNDS):
            for name, (url, process_id) in servers.items():
                before = cpu_seconds(process_id)
                rate = wrk(url, kinds[name][1], ROUND)
                if number:  # the first warms them up
                    rates[name].append(rate)
                    cpu[name].append((cpu_seconds(process_id) - before) / (rate * ROUND) * 1e6)
    median = {name: statistics.median(values) for name, values in rates.items()}
    shares = [own / least for own, least in zip(cpu["router"], cpu["bare"], strict=True)]
    own = median["router"]
    report(
        "durable accepts over a bare aiohttp handler",
        own / median["bare"], ">= 0.4", f"{own:.0f}/s over {median['bare']:.0f}/s",
    )  # fmt: skip
    report(
        "CPU time per accepted webhook, over a bare aiohttp handler",
        statistics.median(shares), "",
        f"{min(cpu['router']):.0f} us over {min(cpu['bare']):.0f} us at the least",
    )  # fmt: skip
    if "alertmanager" in median:
        report(
            "durable accepts over Alertmanager's POST /api/v2/alerts",
            own / median["alertmanager"], "> 1", f"{own:.0f}/s over {median['alertmanager']:.0f}/s",
        )  # fmt: skip
