"""The demo, run as `make demo` runs it after the setup."""

import json
import os
import re
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from tests.programs import PATIENCE

DEMO = Path(__file__).parents[1] / "demo"
COMMAND = [sys.executable, DEMO / "run.py"]

pytestmark = pytest.mark.story


def test_the_demo_shows_every_alert_and_ignores_proxy_settings() -> None:
    proxies = dict.fromkeys(("http_proxy", "https_proxy", "all_proxy"), "http://127.0.0.1:9")
    done = subprocess.run(
        COMMAND,
        env=os.environ | proxies,
        capture_output=True,
        text=True,
        timeout=PATIENCE,
        check=False,
    )
    assert (done.returncode, done.stderr) == (0, "")
    for payload in (DEMO / "payloads").glob("*.json"):
        name = json.loads(payload.read_bytes())["commonLabels"]["alertname"]
        assert re.search(rf"(?m)^[A-Z]+: {name}\b", done.stdout), name
    assert "What next" in done.stdout


@pytest.mark.parametrize("ending", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_ending_the_demo_leaves_no_router_and_no_traceback(ending: signal.Signals) -> None:
    with subprocess.Popen(
        COMMAND, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, start_new_session=True
    ) as demo:
        assert demo.stdout is not None
        while "Alertmanager posts" not in demo.stdout.readline():
            pass
        os.killpg(demo.pid, ending)  # as a terminal does, to all of them
        _, errors = demo.communicate(timeout=PATIENCE)
    assert (demo.returncode, errors) == (130, "\nThe demo was stopped.\n")
