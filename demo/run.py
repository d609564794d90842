"""`make demo`: sends real alert bodies through a real router.

It starts `alert-router serve` with the shipped routing, runbooks and receivers, a store in a
temporary directory and a free port. It posts five kinds of alerts as Alertmanager does, then one
of them resolved, and stops the router when everything is delivered. The notifier `console` prints
the messages.
"""

import json
import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import time
import urllib.request
from pathlib import Path

HERE = Path(__file__).parent
ROOT = HERE.parent
PAYLOADS = sorted((HERE / "payloads").glob("*.json"))
TIMEOUT = 60.0  # seconds for each step
# The router is on this machine: ignore the proxy settings of the environment.
HTTP = urllib.request.build_opener(urllib.request.ProxyHandler({}))


def main() -> int:
    """Run the demo; the exit code."""
    folder = Path(tempfile.mkdtemp(prefix="alert-router-demo-"))
    log = folder / "router.log"
    config = write_config(folder)
    say("Starting Alert Router: SQLite store, the shipped runbooks, messages to this terminal.")
    with log.open("wb") as stderr:
        router = subprocess.Popen(
            [
                Path(sys.executable).parent / "alert-router",
                "serve",
                "--config",
                config,
                "--log-format",
                "json",
            ],
            stderr=stderr,
            cwd=ROOT,
            process_group=0,  # Ctrl+C is for the demo, which then stops the router
        )
    for ending in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(ending, signal.default_int_handler)
    try:
        address = wait_for(lambda: find_address(log, router), "the router to start", log)
        for number, payload in enumerate(PAYLOADS, 1):
            body = payload.read_bytes()
            name = json.loads(body)["commonLabels"]["alertname"]
            status = json.loads(body)["status"]
            say(f"Alertmanager posts {name}, {status} ({payload.name}):")
            answer = post(f"{address}/webhook", body)
            wait_for(lambda n=number: delivered(address) >= n, "the message", log)
            say(f"answered 200 {answer}", quiet=True)
    except (DemoError, OSError) as error:
        print(f"\nThe demo failed: {error}\nThe router's log:\n{log.read_text()}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("\nThe demo was stopped.", file=sys.stderr)
        return 130
    finally:
        router.send_signal(signal.SIGTERM)
        router.wait(TIMEOUT)
        shutil.rmtree(folder, ignore_errors=True)
    epilogue()
    return 0


class DemoError(Exception):
    """A step did not finish in time."""


def write_config(folder: Path) -> Path:
    """The shipped configuration, with a free port and a temporary store."""
    text = (ROOT / "config" / "alert-router.yaml").read_text()
    replacements = {
        r"(?m)^(\s*listen:).*$": r'\1 "127.0.0.1:0"',
        r"(?m)^storage:.*$": f"storage: sqlite:///{folder}/alert-router.db",
        r"\.\./runbooks": str(ROOT / "runbooks"),
        r"(?m)^routing:.*$": f"routing: {ROOT}/config/routing.yaml",
    }
    for pattern, replacement in replacements.items():
        text = re.sub(pattern, replacement, text)
    path = folder / "alert-router.yaml"
    path.write_text(text)
    return path


def find_address(log: Path, router: "subprocess.Popen[bytes]") -> str | None:
    """The address on which the router listens, from its log."""
    if router.poll() is not None:
        raise DemoError(f"the router exited with {router.returncode}")
    match = re.search(r'"addresses": \["([^"]+)"', log.read_text())
    return f"http://{match[1]}" if match else None


def post(url: str, body: bytes) -> str:
    """POST as Alertmanager does, and return the answer's text."""
    request = urllib.request.Request(
        url, body, {"Content-Type": "application/json", "User-Agent": "Alertmanager/0.34.0"}
    )
    with HTTP.open(request, timeout=10) as answer:
        return answer.read().decode()


def delivered(address: str) -> float:
    """The number of notifications delivered, from the router's metrics."""
    with HTTP.open(f"{address}/metrics", timeout=10) as answer:
        text = answer.read().decode()
    counts = re.findall(r"(?m)^alert_router_notifications_total\{[^}]*\} (\S+)$", text)
    return sum(map(float, counts))


def wait_for(check, what: str, log: Path):
    """The first truthy value of `check`."""
    deadline = time.monotonic() + TIMEOUT
    while time.monotonic() < deadline:
        if value := check():
            return value
        time.sleep(0.05)
    raise DemoError(f"timed out after {TIMEOUT:.0f} s waiting for {what}")


def say(text: str, *, quiet: bool = False) -> None:
    """Print a line of the demo itself, which looks different from the router's lines."""
    colour = sys.stdout.isatty() and "NO_COLOR" not in os.environ
    code = "2" if quiet else "1;36"
    mark = "   " if quiet else "\n>>>"
    print(f"\x1b[{code}m{mark} {text}\x1b[0m" if colour else f"{mark} {text}", flush=True)


def epilogue() -> None:
    """Print what to do next."""
    say("That was the demo. What next:")
    print(
        """
    make run                                    serve on port 9095 with config/alert-router.yaml
    .venv/bin/alert-router send alertname=HighErrorRate component=api job=schema-registry
                                                send a test alert to the running router
    .venv/bin/alert-router route test alertname=KubePodCrashLooping namespace=prod pod=api-1
                                                show its runbook and receivers, and why
    README.md                                   five lines for alertmanager.yml, and your
                                                first runbook in two minutes
"""
    )


if __name__ == "__main__":
    sys.exit(main())
