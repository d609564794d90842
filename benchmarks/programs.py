"""What the benches share: servers as processes, wrk, and how a result is printed.

Baselines live beside what they are baselines of; nothing here knows what is measured.
"""

import json
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

HERE = Path(__file__).parent
CONNECTIONS = 64
PATIENCE = 60.0


class Unavailable(Exception):
    """A program that a bench needs is not installed."""


def free_port() -> int:
    """A port nobody listens on now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def need(program: str) -> str:
    """The program's path. Raises Unavailable."""
    path = shutil.which(program)
    if path is None:
        raise Unavailable(f"{program} is not installed")
    return path


@contextmanager
def process(arguments: list[str], ready: str) -> Iterator[subprocess.Popen[bytes]]:
    """A server for the length of the block, once `ready` (a URL) answers."""
    with tempfile.TemporaryFile() as log:
        popen = subprocess.Popen(arguments, stdout=log, stderr=log)
        try:
            try:
                wait_for(lambda: _answers(ready, popen), f"{arguments[0]} to answer")
            except RuntimeError:
                log.seek(0)
                sys.stderr.write(log.read().decode(errors="replace"))
                raise
            yield popen
        finally:
            popen.send_signal(signal.SIGTERM)
            try:
                popen.wait(30)
            except subprocess.TimeoutExpired:
                popen.kill()


def wrk(
    url: str, script: str, seconds: int, *arguments: str, connections: int = CONNECTIONS
) -> float:
    """Requests a second, with so many connections on one thread; raises RuntimeError if answers
    were not 2xx."""
    command = [
        need("wrk"), "-t1", f"-c{connections}", f"-d{seconds}s", "--timeout", "10s",
        "-s", str(HERE / script), url, "--", *arguments,
    ]  # fmt: skip
    text = subprocess.run(command, check=True, capture_output=True, text=True).stdout
    if "Non-2xx" in text:
        raise RuntimeError(f"{url}: {text}")
    match = re.search(r"Requests/sec:\s+([\d.]+)", text)
    assert match
    return float(match[1])


def cpu_seconds(process_id: int) -> float:
    """The CPU time that a process has used, all its threads, user and system (proc(5))."""
    stat = Path(f"/proc/{process_id}/stat").read_text()
    user, system = stat.rpartition(")")[2].split()[11:13]
    return (int(user) + int(system)) / os.sysconf("SC_CLK_TCK")


def fetch(url: str) -> str:
    """GET; the text."""
    with urllib.request.urlopen(url, timeout=10) as answer:
        return str(answer.read().decode())


def wait_for(check: Callable[[], object], what: str, patience: float = PATIENCE) -> None:
    """Until `check` is true. Raises RuntimeError if it never is."""
    deadline = time.monotonic() + patience
    while not check():
        if time.monotonic() > deadline:
            raise RuntimeError(f"waited {patience:.0f} s for {what}")
        time.sleep(0.05)


def report(name: str, ratio: float, aim: str, detail: str) -> None:
    """One result: the ratio first, since it is what carries over to other machines."""
    aim = f"aim {aim}" if aim else ""
    print(f"{name:<58} {ratio:>8.2f}   {aim:<12} {detail}", flush=True)


def write_router_config(folder: Path, port: int, destination: str, **notifier: object) -> Path:
    """A router that notifies one webhook, with the shipped runbooks and routing table."""
    root = HERE.parent
    # Apart from the store, which is written all the time: configuration is watched.
    configuration = folder / "config"
    configuration.mkdir()
    routing = configuration / "routing.yaml"
    entries = {"matchers": ['component="api"'], "runbook": "alerts/high-error-rate"}
    routing.write_text(json.dumps({"runbooks": [entries], "route": {"receiver": "oncall"}}))
    webhook = {"type": "webhook", "url": destination, "concurrency": 64} | notifier
    config = {
        "http": {"listen": f"127.0.0.1:{port}", "external_url": "http://alerts.example.org"},
        "storage": f"sqlite:///{folder}/alert-router.db",
        "runbooks": {"path": str(root / "runbooks")},
        "delivery": {"private_destinations": ["127.0.0.0/8"]},
        "routing": str(routing),
        "receivers": [{"name": "oncall", "notifiers": [webhook]}],
    }
    path = configuration / "alert-router.yaml"
    path.write_text(json.dumps(config))
    return path


def _answers(url: str, popen: "subprocess.Popen[bytes]") -> bool:
    if popen.poll() is not None:
        raise RuntimeError(f"{popen.args!r} ended with {popen.returncode}")
    try:
        fetch(url)
    except OSError:
        return False
    return True
