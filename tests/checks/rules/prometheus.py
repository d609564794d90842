"""A real Prometheus with a few series, asked what expressions yield; and rules fired for real."""

import asyncio
import json
import re
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.error import HTTPError
from urllib.parse import urlencode
from urllib.request import urlopen

from tests.programs import PATIENCE, Process, eventually, free_port, need

START, STEP, STEPS = 1_700_000_000, 30, 40
NOW = START + STEP * (STEPS - 1)

SERIES = [
    *(f'm1{{a="{a}",b="{b}",c="{c}"}}' for a in ("1", "2") for b in ("1", "2") for c in ("1", "2")),
    'm1{a="3"}',
    'm2{a="1",b="1"}',
    'm2{a="2",b="2",d="5"}',
    'm2{a="3",d="6"}',
    'm3{b="1",c="1",d="5"}',
    'm3{b="2",c="2"}',
    "m4",
    *(f'm5_bucket{{a="{a}",le="{le}"}}' for a in ("1", "2") for le in ("1", "2", "+Inf")),
]


class Prometheus:
    """Asked by instant queries."""

    def __init__(self, url: str) -> None:
        self.url = url

    def labels(self, expression: str) -> list[dict[str, str]] | None:
        """The labels of every series that it yields; None where evaluating it is an error."""
        query = urlencode({"query": expression, "time": NOW})
        try:
            with urlopen(f"{self.url}/api/v1/query?{query}", timeout=PATIENCE) as response:
                data = json.load(response)["data"]
        except HTTPError as error:
            error.close()
            if error.code == 422:
                return None
            raise  # 400: it does not even parse
        if data["resultType"] == "scalar":
            return [{}]
        return [sample["metric"] for sample in data["result"]]


@contextmanager
def prometheus(folder: Path) -> Iterator[Prometheus]:
    """A Prometheus that has SERIES, for the length of the block."""
    samples = folder / "samples.txt"
    lines = []
    for number, series in enumerate(SERIES):
        for step in range(STEPS):
            lines.append(f"{series} {step * (number % 5 + 1)} {START + step * STEP}")
    samples.write_text("\n".join([*lines, "# EOF\n"]))
    data = folder / "data"
    subprocess.run(
        [need("promtool"), "tsdb", "create-blocks-from", "openmetrics", samples, data],
        check=True,
        capture_output=True,
    )
    (folder / "prometheus.yml").write_text("{}\n")
    address = f"127.0.0.1:{free_port()}"
    arguments = [
        need("prometheus"),
        f"--config.file={folder}/prometheus.yml",
        f"--storage.tsdb.path={data}",
        "--storage.tsdb.retention.time=100y",
        f"--web.listen-address={address}",
    ]
    process = Process(arguments, folder / "prometheus.log")
    try:
        asyncio.run(eventually(lambda: _ready(process, address), "Prometheus to be ready"))
        yield Prometheus(f"http://{address}")
    finally:
        process.end()


def _ready(process: Process, address: str) -> bool:
    assert process.popen.poll() is None, process.text()
    try:
        with urlopen(f"http://{address}/-/ready", timeout=PATIENCE) as response:
            return response.status == 200
    except OSError:
        return False


_LABELS = re.compile(r"Labels:\{(.*)\}$", re.MULTILINE)
_PAIR = re.compile(r'(\w+)=("(?:[^"\\]|\\.)*")')


def fired(
    folder: Path, rules: list[dict[str, Any]], series: dict[str, str]
) -> list[dict[str, str]]:
    """The labels of every alert that the rules fire on the series, by `promtool test rules`."""
    (folder / "rules.json").write_text(json.dumps({"groups": [{"name": "g", "rules": rules}]}))
    names = {rule["alert"] for rule in rules}
    test = {
        "interval": "1m",
        "input_series": [{"series": name, "values": values} for name, values in series.items()],
        "alert_rule_test": [
            {"eval_time": "1m", "alertname": name, "exp_alerts": [{"exp_labels": {"no": "such"}}]}
            for name in sorted(names)
        ],
    }
    tests = {"rule_files": ["rules.json"], "evaluation_interval": "1m", "tests": [test]}
    (folder / "tests.json").write_text(json.dumps(tests))
    run = subprocess.run(
        [need("promtool"), "test", "rules", folder / "tests.json"],
        capture_output=True,
        text=True,
        check=False,
    )
    found = [line for line in _LABELS.findall(run.stdout + run.stderr) if 'no="such"' not in line]
    assert "got:" in run.stdout + run.stderr, run.stderr
    return [{name: json.loads(value) for name, value in _PAIR.findall(line)} for line in found]
