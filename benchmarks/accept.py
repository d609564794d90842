"""How fast webhooks are made durable, over two baselines that keep nothing."""

import json
import statistics
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from benchmarks.programs import (
    Unavailable,
    free_port,
    need,
    process,
    report,
    write_router_config,
    wrk,
)

WARM_UP = 2  # seconds
ROUND = 4
ROUNDS = 3  # of each, taking turns, so that a noisy minute falls on all

ALERT_ROUTER = str(Path(sys.executable).parent / "alert-router")


@contextmanager
def bare() -> Iterator[str]:
    """An aiohttp handler that reads and parses the same body."""
    port = free_port()
    command = [sys.executable, "-m", "benchmarks.baseline", "bare", str(port)]
    with process(command, f"http://127.0.0.1:{port}/count"):
        yield f"http://127.0.0.1:{port}/webhook"


@contextmanager
def router() -> Iterator[str]:
    """The router with its destination paused: it refused the first message and is held."""
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
        with process(command, f"http://127.0.0.1:{port}/-/ready"):
            yield f"http://127.0.0.1:{port}/webhook"


@contextmanager
def alertmanager() -> Iterator[str]:
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
        with process(command, f"http://127.0.0.1:{port}/-/ready"):
            yield f"http://127.0.0.1:{port}/api/v2/alerts"


def rate(server: object, script: str) -> float:
    """Requests a second of a fresh server, after a warm-up."""
    with server() as url:  # type: ignore[operator]
        wrk(url, script, WARM_UP)
        return wrk(url, script, ROUND)


def main() -> None:
    """Print the two ratios."""
    kinds = {"bare": (bare, "group.lua"), "router": (router, "group.lua")}
    try:
        need("prometheus-alertmanager")
        kinds["alertmanager"] = (alertmanager, "alerts.lua")
    except Unavailable as why:
        print(f"over Alertmanager: not measured: {why}")
    found: dict[str, list[float]] = {name: [] for name in kinds}
    for _ in range(ROUNDS):
        for name, (server, script) in kinds.items():
            found[name].append(rate(server, script))
    median = {name: statistics.median(values) for name, values in found.items()}
    own = median["router"]
    report(
        "durable accepts over a bare aiohttp handler",
        own / median["bare"], ">= 0.5", f"{own:.0f}/s over {median['bare']:.0f}/s",
    )  # fmt: skip
    if "alertmanager" in median:
        report(
            "durable accepts over Alertmanager's POST /api/v2/alerts",
            own / median["alertmanager"], "> 1", f"{own:.0f}/s over {median['alertmanager']:.0f}/s",
        )  # fmt: skip
