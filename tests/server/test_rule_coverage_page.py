"""The coverage of the rule files that `checks.rules` names, on a page of the running router."""

import asyncio
import os
import re
import subprocess
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from html import unescape
from pathlib import Path

import pytest
import yaml

from alert_router.aside import Aside
from alert_router.runtime import read_runtime
from alert_router.server import rule_coverage
from alert_router.server import running as in_process
from alert_router.server.rule_coverage import RuleCoverage
from tests.http import get
from tests.programs import eventually, write_config
from tests.server.test_coverage_page import HOSTILE

RULES = {
    "groups": [
        {
            "name": "g",
            "rules": [
                {"alert": "HighErrorRate", "expr": "up == 0", "labels": {"severity": "critical"}},
                {"alert": "Alone", "expr": "up == 0", "labels": {"severity": "critical"}},
                {"alert": "Mute", "expr": "up == 0"},
            ],
        }
    ]
}


def config_with(folder: Path, rules: object = RULES, **checks: object) -> Path:
    (folder / "rules").mkdir()
    (folder / "rules" / "app.yaml").write_text(yaml.safe_dump(rules), encoding="utf-8")
    return write_config(folder, [{"type": "console"}], checks={"rules": ["rules"], **checks})


@asynccontextmanager
async def page_of(config: Path) -> AsyncIterator[str]:
    async with in_process(config, read_runtime(config)) as router:
        yield "http://{}:{}/coverage/rules".format(*router.addresses[0])


async def test_alerts_that_rules_define_are_listed_without_a_runbook_first(tmp_path):
    config = config_with(tmp_path)
    runbooks = read_runtime(config).catalogue.root
    (runbooks / "alerts" / "mute.md").write_text("# Mute\n\nTBD\n", encoding="utf-8")
    async with page_of(config) as url:
        status, text = await get(url)
        text = unescape(text)
        assert status == 200
        names = re.findall(r'<td><a href="\.\./explain\?[^"]*">(\w+)', text)
        assert names == ["Alone", "Mute", "HighErrorRate"]
        assert '<a href="../coverage/new?alert=Alone&severity=critical">' in text
        assert text.count("Create a runbook") == 1
        assert '<a href="../runbooks/alerts/high-error-rate">alerts/high-error-rate</a>' in text
        assert "says nothing to do" in text
        assert "app.yaml:" in text
        assert str(tmp_path) not in text


async def test_the_page_follows_the_rule_files_and_the_runbooks(tmp_path):
    config = config_with(tmp_path)
    async with page_of(config) as url:
        assert "Later" not in (await get(url))[1]
        rule = {"alert": "Later", "expr": "up == 0"}
        more = {"groups": [{"name": "later", "rules": [rule]}]}
        (tmp_path / "rules" / "later.yml").write_text(yaml.safe_dump(more), encoding="utf-8")
        assert ">Later</a>" in (await get(url))[1]


async def test_nothing_is_run_again_while_no_file_changes(tmp_path, monkeypatch):
    runtime = read_runtime(config_with(tmp_path))
    coverage, aside = RuleCoverage(), Aside("test")
    first = await coverage.read(runtime, aside)
    monkeypatch.setattr(sys, "executable", "/nowhere")
    assert await coverage.read(runtime, aside) is first
    assert not first.failure


async def test_of_many_alerts_the_first_are_kept_and_the_others_counted(tmp_path, monkeypatch):
    monkeypatch.setattr(rule_coverage, "_MOST_LISTED", 2)
    rules = {"groups": [{"name": "g", "rules": [
        {"alert": name, "expr": "up == 0", "annotations": {"description": "x" * 10_000}}
        for name in ("HighErrorRate", "One", "Two", "Three", "Four")
    ]}]}  # fmt: skip
    report = await RuleCoverage().read(read_runtime(config_with(tmp_path, rules)), Aside("test"))
    assert [alert.name for alert in report.alerts] == ["One", "Two"]
    assert (report.more_alerts, report.totals["alerts"], report.totals["covered"]) == (3, 5, 1)


async def test_without_rule_files_the_page_says_how_to_name_them(tmp_path):
    async with page_of(write_config(tmp_path, [{"type": "console"}])) as url:
        status, text = await get(url)
    assert (status, "<code>checks.rules</code>" in text) == (200, True)


async def test_problems_of_rule_files_are_shown_and_their_text_is_not_active(tmp_path):
    rules = {
        "groups": [
            {
                "name": HOSTILE,
                "rules": [
                    {"alert": HOSTILE, "expr": "up == 0", "labels": {"severity": HOSTILE}},
                    {"alert": "Broken", "expr": HOSTILE},
                ],
            }
        ]
    }
    async with page_of(config_with(tmp_path, rules)) as url:
        status, text = await get(url)
    assert status == 200
    assert "Problems of the rule files" in text
    assert len(re.findall("<script", text)) == 1  # ours
    assert "<img" not in text
    assert "\u202e" not in text


async def test_a_configuration_that_cannot_be_read_any_more_is_said(tmp_path):
    config = config_with(tmp_path)
    runtime = read_runtime(config)
    config.write_text("receivers: 3\n", encoding="utf-8")
    report = await RuleCoverage().read(runtime, Aside("test"))
    assert "expected a list" in report.failure


DEATHS = {
    "import os; os.abort()": "ended by SIGABRT",
    "import time; time.sleep(600)": "within 0.5 s",
    "while True: print('x' * 99_999)": "larger than 4 MiB",
    "import sys\nwhile True: print('x' * 99_999, file=sys.stderr)": "larger than 4 MiB",
    "x = b'x' * 2**28": "more than 160 MiB",
    "raise KeyError('x')": "KeyError: 'x'",
    "from resource import *; raise KeyError(getrlimit(RLIMIT_DATA))": f"({160 << 20}, {160 << 20})",
    "from resource import *; raise KeyError(getrlimit(RLIMIT_CPU))": "KeyError: (120, 120)",
    "from resource import *; raise KeyError(getrlimit(RLIMIT_CORE))": "KeyError: (0, 0)",
    "print('[')": "No report",
    "print('[' * 1_000_000)": "No report",
    "print('null')": "No report",
    "print('[]')": "No report",
    "print('{}')": "No report",
    """print('{"alerts": 3, "problems": [], "passed_over": []}')""": "No report",
    """print('{"alerts": ["x"], "problems": [], "passed_over": []}')""": "No report",
}


def runs(monkeypatch: pytest.MonkeyPatch, folder: Path, program: str) -> None:
    """Let the process run this program in place of the command."""
    (folder / "instead.py").write_text(program, encoding="utf-8")
    monkeypatch.setenv("PYTHONPATH", str(folder))
    monkeypatch.setattr(rule_coverage, "_MODULE", "instead")


@pytest.mark.parametrize(("program", "said"), DEATHS.items(), ids=DEATHS.values())
async def test_whatever_happens_to_the_process_the_page_says_it(
    tmp_path, monkeypatch, program, said
):
    runs(monkeypatch, tmp_path, program)
    if "sleep" in program:
        monkeypatch.setattr(rule_coverage, "_SECONDS", 0.5)
    async with page_of(config_with(tmp_path)) as url:
        status, text = await get(url)
    assert status == 503
    assert said in unescape(text)


async def test_a_router_that_stops_ends_the_process(tmp_path, monkeypatch):
    pid_file = tmp_path / "pid"
    program = (
        f"import os, time\nopen({str(pid_file)!r}, 'w').write(str(os.getpid()))\ntime.sleep(600)"
    )
    runs(monkeypatch, tmp_path, program)
    coverage = RuleCoverage()
    asking = asyncio.create_task(coverage.read(read_runtime(config_with(tmp_path)), Aside("test")))
    await eventually(lambda: pid_file.exists() and pid_file.read_text(), "the process")
    coverage.close()
    assert "SIGKILL" in (await asking).failure
    with pytest.raises(ProcessLookupError):
        os.kill(int(pid_file.read_text()), 0)


def test_the_command_takes_the_rules_of_the_configuration(tmp_path):
    config = config_with(tmp_path)
    command = [sys.executable, "-m", "alert_router", "coverage", "--config", str(config)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert (done.returncode, "Alone" in done.stdout) == (0, True), done.stderr
