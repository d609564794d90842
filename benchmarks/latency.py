"""Added latency: from the POST of a group to its arrival at a local destination, one group at a
time, beside a bare relay."""

import asyncio
import json
import statistics
import sys
import tempfile
import time
from pathlib import Path

import aiohttp
from aiohttp import web

from benchmarks.accept import ALERT_ROUTER
from benchmarks.programs import free_port, process, report, write_router_config

WARM_UP = 20  # groups
GROUPS = 300


def body(number: int) -> bytes:
    """A group that no other one resembles."""
    labels = {"alertname": "HighErrorRate", "component": "api", "namespace": f"ns-{number}"}
    alert = {
        "status": "firing",
        "labels": labels,
        "annotations": {"summary": "Errors."},
        "startsAt": "2026-01-02T03:04:05Z",
        "endsAt": "0001-01-01T00:00:00Z",
    }
    group = {
        "version": "4",
        "groupKey": f"{{}}:{number}",
        "status": "firing",
        "receiver": "oncall",
        "groupLabels": labels,
        "commonLabels": labels,
        "commonAnnotations": {},
        "externalURL": "http://alertmanager",
        "alerts": [alert],
    }
    return json.dumps(group).encode()


async def through(url: str, port: int) -> list[float]:
    """Milliseconds from each POST to its arrival at the destination on `port`."""
    arrived = asyncio.Event()
    at = 0.0

    async def receive(request: web.Request) -> web.Response:
        nonlocal at
        await request.read()
        at = time.perf_counter()
        arrived.set()
        return web.Response(text="ok")

    app = web.Application()
    app.router.add_post("/webhook", receive)
    runner = web.AppRunner(app)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", port).start()
    taken = []
    headers = {"Content-Type": "application/json"}
    async with aiohttp.ClientSession() as session:
        for number in range(WARM_UP + GROUPS):
            arrived.clear()
            began = time.perf_counter()
            async with session.post(url, data=body(number), headers=headers) as answer:
                answer.raise_for_status()
            async with asyncio.timeout(30):
                await arrived.wait()
            taken.append((at - began) * 1000)
    await runner.cleanup()
    return taken[WARM_UP:]


def relay() -> list[float]:
    """Through the bare relay."""
    sink, port = free_port(), free_port()
    target = f"http://127.0.0.1:{sink}/webhook"
    command = [sys.executable, "-m", "benchmarks.baseline", "relay", str(port), target]
    with process(command, f"http://127.0.0.1:{port}/count"):
        return asyncio.run(through(f"http://127.0.0.1:{port}/webhook", sink))


def router() -> list[float]:
    """Through the router."""
    sink, port = free_port(), free_port()
    with tempfile.TemporaryDirectory() as folder:
        config = write_router_config(Path(folder), port, f"http://127.0.0.1:{sink}/webhook")
        command = [ALERT_ROUTER, "serve", "--config", str(config)]
        with process(command, f"http://127.0.0.1:{port}/-/ready"):
            return asyncio.run(through(f"http://127.0.0.1:{port}/webhook", sink))


def main() -> None:
    """Print the median and the 99th percentile."""
    own, base = router(), relay()
    for name, rank in (("p50", 49), ("p99", 98)):
        mine, other = (statistics.quantiles(one, n=100)[rank] for one in (own, base))
        report(
            f"{name} from POST to arrival, over a bare relay",
            mine / other, "", f"{mine:.1f} ms over {other:.1f} ms",
        )  # fmt: skip
