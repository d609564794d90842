"""Real programs for tests: the router, Prometheus and Alertmanager as processes, and an HTTP
server that records what it is sent. Everything listens on loopback, on ports of its own.
"""

import asyncio
import json
import os
import random
import re
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Mapping
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web

from tests.forked import Forked

# Seconds after which what is waited for is not coming. A slow machine is no fault, so it is long: a
# test that has to tell soon from late makes late last for hours (see `HOURS`).
PATIENCE = 180.0

# Settings of `delivery` under which what fails is tried again only after hours: what arrives all
# the same has not waited for that.
HOURS = {"min_backoff": "1h", "max_backoff": "5h", "hold_backoff": "5h"}


def need(program: str) -> str:
    """The program's path; without it the test is skipped, or fails where CI is set."""
    path = shutil.which(program)
    if path is None:
        why = f"{program} is not installed"
        if os.environ.get("CI"):
            pytest.fail(why)
        pytest.skip(why)
    return path


def free_port() -> int:
    """A port nobody listens on, that is this process's own until it ends.

    It is none of those that the system gives to connections and to whoever asks for any, and its
    number is taken by a name that other tests' processes look for.
    """
    for port in random.SystemRandom().choices(_fixed_ports(), k=1000):
        taken = socket.socket(socket.AF_UNIX)
        try:
            taken.bind(f"\0alert-router-tests-port-{port}")
            with socket.socket() as probe:
                probe.bind(("127.0.0.1", port))
        except OSError:
            taken.close()
            continue
        _ports.append(taken)
        return port
    pytest.fail("none of a thousand ports is free")


def _fixed_ports() -> range:
    """Ports that every user may listen on and the system gives to nobody; where it gives all of
    them, all."""
    local = Path("/proc/sys/net/ipv4/ip_local_port_range").read_text()
    first, last = map(int, local.split())
    below, above = range(max(1024, first // 2), first), range(last + 1, 65_536)
    return below or above or range(1024, 65_536)


_ports: list[socket.socket] = []  # whose names are held


async def eventually(check: Callable[[], Any], what: str, patience: float = PATIENCE) -> Any:
    """The first truthy answer of `check` (plain or awaitable), asked again and again."""
    deadline, pause = time.monotonic() + patience, 0.01
    while True:
        answer = check()
        if isinstance(answer, Awaitable):
            answer = await answer
        if answer:
            return answer
        assert time.monotonic() < deadline, f"waited {patience:.0f} s for {what}"
        await asyncio.sleep(pause)
        pause = min(1.2 * pause, 0.2)  # who asks without rest slows down what is waited for


@dataclass
class Request:
    """A request that the recording server got."""

    path: str
    headers: dict[str, str]
    body: bytes
    at: float = field(default_factory=time.monotonic)
    status: int = 0  # what it was answered; 0 while it is not

    @property
    def json(self) -> Any:
        return json.loads(self.body)


@dataclass
class Recorder:
    """A real HTTP server: keeps what it gets and answers as its `answer` says."""

    url: str = ""
    requests: list[Request] = field(default_factory=list)
    answer: Callable[[Request], Awaitable[web.StreamResponse] | web.StreamResponse] = (
        lambda request: web.Response(text="ok")
    )

    async def handle(self, request: web.Request) -> web.StreamResponse:
        got = Request(request.path, dict(request.headers), await request.read())
        self.requests.append(got)
        answer = self.answer(got)
        response = await answer if isinstance(answer, Awaitable) else answer
        got.status = response.status
        return response


@asynccontextmanager
async def recorder() -> AsyncIterator[Recorder]:
    """A recording server for the length of the block."""
    it = Recorder()
    app = web.Application(client_max_size=1 << 30)
    app.router.add_route("*", "/{path:.*}", it.handle)
    runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.1)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    it.url = f"http://127.0.0.1:{runner.addresses[0][1]}"
    try:
        yield it
    finally:
        await runner.cleanup()


class Process:
    """A program that runs until the test is over; its output goes to a file."""

    popen: subprocess.Popen[bytes] | Forked

    def __init__(self, arguments: list[str], log: Path, **kwargs: Any) -> None:
        self.log = log
        with log.open("ab") as file:
            self.popen = subprocess.Popen(arguments, stdout=file, stderr=file, **kwargs)

    def text(self) -> str:
        return self.log.read_text(errors="replace")

    def end(self, number: int = signal.SIGTERM) -> int:
        """Send the signal and wait; the exit code."""
        if self.popen.poll() is None:
            self.popen.send_signal(number)
        return self.popen.wait(PATIENCE)


@contextmanager
def lasting_router(config: Path) -> Iterator["Router"]:
    """A router for the tests of a module, which outlasts the event loop of each."""
    process = Router(config)
    try:
        asyncio.run(process.started())
        yield process
    finally:
        process.end(signal.SIGKILL)


class Router(Process):
    """`alert-router serve` on a configuration; a port of 0 there is found out from the log.

    It is forked, unless it is started by a program `prefix` or with arguments for Popen.
    """

    def __init__(
        self,
        config: Path,
        *,
        prefix: tuple[str, ...] = (),
        arguments: tuple[str, ...] = (),
        **kwargs: Any,
    ) -> None:
        log = config.parent / "router.log"
        self._skip = log.stat().st_size if log.exists() else 0
        words = ["serve", "--config", str(config), "--log-format", "json", *arguments]
        if prefix or kwargs:
            program = str(Path(sys.executable).parent / "alert-router")
            super().__init__([*prefix, program, *words], log, **kwargs)
        else:
            self.log = log
            with log.open("ab") as file:
                self.popen = Forked(words, file.fileno())
        self.url = ""

    async def started(self) -> "Router":
        """Wait until it serves."""

        def address() -> str | None:
            assert self.popen.poll() is None, self.text()
            match = re.search(r'"addresses": \["([^"]+)"', self.text()[self._skip :])
            return match[1] if match else None

        self.url = "http://" + await eventually(address, "the router to serve")
        return self


def patched(values: Mapping[str, object]) -> tuple[str, ...]:
    """What to put before a router's command so that its process has other values at these names.
    What still happens at once although a limit is hours long has not waited for that limit."""
    lines = ["import sys", "from pytest import MonkeyPatch", "del sys.argv[0]"]
    lines += [f"MonkeyPatch().setattr({name!r}, {value!r})" for name, value in values.items()]
    lines += ["from alert_router.cli import main", "main()"]
    return sys.executable, "-c", "\n".join(lines)


@asynccontextmanager
async def router(config: Path, **kwargs: Any) -> AsyncIterator[Router]:
    """A running router for the length of the block."""
    process = Router(config, **kwargs)
    try:
        yield await process.started()
    finally:
        process.end(signal.SIGKILL)
    for line in process.text().splitlines():  # what is about a delivery is about a group
        assert '"id": "' not in line or '"group_id": "' in line, line


RUNBOOK = """---
title: High error rate
owner: SRE Team
last_updated: 2026-11-23
---
# High error rate

## Detection

1. Look at the share of errors.

   ```promql
   sum(rate(http_requests_total{job="$job", status=~"5.."}[5m]))
   ```

## Mitigation

1. Restart the pod.

   ```bash
   kubectl -n $namespace delete pod $pod
   ```

## Verification

1. Watch the errors go away for ten minutes.

## Post-Incident

1. Write down what happened.
"""


def write_config(folder: Path, notifiers: list[dict[str, Any]], **more: Any) -> Path:
    """A configuration with one receiver `oncall`, one runbook and a store below `folder`."""
    runbook = folder / "runbooks" / "alerts" / "high-error-rate.md"
    runbook.parent.mkdir(parents=True, exist_ok=True)
    runbook.write_text(RUNBOOK)
    routing = {
        "runbooks": [
            {"matchers": ['alertname=~"HighErrorRate.*"'], "runbook": "alerts/high-error-rate"}
        ],
        "route": {"receiver": "oncall"},
    }
    (folder / "routing.yaml").write_text(json.dumps(routing))  # JSON is YAML
    config = {
        "http": {"listen": "127.0.0.1:0", "external_url": "http://alerts.example.org"},
        "storage": f"sqlite:///{folder}/alert-router.db",
        "runbooks": {"path": "runbooks"},
        "routing": "routing.yaml",
        "receivers": [{"name": "oncall", "notifiers": notifiers}],
    }
    here = {"private_destinations": ["127.0.0.0/8", "::1/128"]}
    delivery = {"delivery": here | more.get("delivery", {})}
    path = folder / "alert-router.yaml"
    path.write_text(json.dumps(config | more | delivery))
    an_hour_ago = time.time() - 3600
    for file in (path, folder / "routing.yaml"):
        # Files written this very moment are read again at once: they may still have been changing.
        os.utime(file, (an_hour_ago, an_hour_ago))
    return path


def body(
    name: str = "HighErrorRate",
    status: str = "firing",
    *,
    key: str = "",
    starts: str = "2026-11-23T03:02:14.318Z",
    **labels: str,
) -> bytes:
    """A webhook body with one alert."""
    all_labels = {"alertname": name, "severity": "critical", **labels}
    alert = {
        "status": status,
        "labels": all_labels,
        "annotations": {"summary": f"{name} {status}"},
        "startsAt": starts,
        "endsAt": "0001-01-01T00:00:00Z" if status == "firing" else "2026-11-23T04:00:00Z",
        "generatorURL": "http://prometheus:9090/graph",
    }
    group = {
        "version": "4",
        "groupKey": key or f'{{}}:{{alertname="{name}"}}',
        "truncatedAlerts": 0,
        "status": status,
        "receiver": "alert-router",
        "groupLabels": {"alertname": name},
        "commonLabels": all_labels,
        "commonAnnotations": alert["annotations"],
        "externalURL": "http://alertmanager:9093",
        "alerts": [alert],
    }
    return json.dumps(group).encode()
