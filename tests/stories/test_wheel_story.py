"""The wheel alone, in an empty environment: what the README promises a new user, with a real
Alertmanager that posts and a real Prometheus that scrapes and has the shipped rules; and what the
image does, without a container engine."""

import asyncio
import json
import re
import subprocess
import sys
import tomllib
import venv
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.http import get
from tests.programs import RUNBOOK, Process, eventually, free_port
from tests.stories.test_web_config_story import ask, start
from tests.test_deploy import ROOT, write_image

pytestmark = pytest.mark.story

README = (ROOT / "README.md").read_text()
RULE = {
    "alert": "KubePodCrashLooping",
    "expr": "vector(1)",
    "labels": {"severity": "critical", "namespace": "shop", "pod": "api-1"},
}


def commands() -> dict[str, list[str]]:
    """The README's commands of ours as words, by their first one."""
    lines = re.findall(r"^alert-router .*", README, re.MULTILINE)
    return {line.split()[1]: line.split() for line in lines}


def install(folder: Path) -> Path:
    """The directory of programs of a new environment that has the wheel and what it needs."""
    pip = [sys.executable, "-m", "pip", "--quiet", "--disable-pip-version-check"]
    wheels = [*pip, "wheel", "--no-deps", "--wheel-dir", folder / "wheels", ROOT]
    subprocess.run(wheels, check=True, capture_output=True)
    (wheel,) = (folder / "wheels").glob("alert_router-*.whl")
    venv.create(folder / "venv", with_pip=True)
    bin_ = folder / "venv" / "bin"
    done = [bin_ / "python", *pip[1:], "install", "--constraint", ROOT / "constraints.txt", wheel]
    subprocess.run(done, check=True, capture_output=True)
    return bin_


@pytest.mark.long
async def test_a_new_user_gets_from_the_wheel_to_a_delivered_alert(tmp_path: Path) -> None:
    bin_ = await asyncio.to_thread(install, tmp_path)
    home = tmp_path / "home"
    runbooks = home / "runbooks" / "content"
    runbooks.mkdir(parents=True)
    (runbooks / "KubePodCrashLooping.md").write_text(RUNBOOK)
    port = free_port()
    env = {"PATH": "/usr/bin:/bin", "ALERT_ROUTER_URL": f"http://127.0.0.1:{port}"}

    def run(words: list[str]) -> str:
        command = [bin_ / words[0], *words[1:]]
        done = subprocess.run(
            command, cwd=home, env=env, capture_output=True, text=True, check=False
        )
        assert done.returncode == 0, (words, done.stdout, done.stderr)
        return done.stdout

    readme = commands()
    assert set(readme) == {"init", "serve", "send", "runbook", "preview"}
    run(readme["init"])
    serve = [str(bin_ / "alert-router"), *readme["serve"][1:]]
    listen = f"--web.listen-address=127.0.0.1:{port}"
    router = Process([*serve, listen], tmp_path / "router.log", cwd=home, env=env)
    try:
        await eventually(lambda: '"serving"' in router.text(), "the router to serve")
        await asyncio.to_thread(run, readme["send"])
        await eventually(
            lambda: "kubectl -n prod delete pod api-0" in router.text(), "the test alert's message"
        )
        await an_alert_gets_through(tmp_path, port, router)
    finally:
        assert await asyncio.to_thread(router.end) == 0
    assert "1 runbook" in run(readme["runbook"])
    assert "kubectl -n prod delete pod api-0" in run(readme["preview"])
    check_bill_of_materials(tmp_path, bin_)
    await the_image_s_configuration_serves(tmp_path, bin_)


async def an_alert_gets_through(folder: Path, port: int, router: Process) -> None:
    """With the README's lines for alertmanager.yml, and the rules as they are shipped."""
    (block,) = re.findall(r"```yaml[^\n]*\n(receivers:.*?)```", README, re.DOTALL)
    config = yaml.safe_load(block.replace("alert-router:9095", f"127.0.0.1:{port}"))
    route = {"receiver": "alert-router", "group_wait": "0s"}
    posting, alertmanager = start(
        "prometheus-alertmanager", folder, config | {"route": route}, "--cluster.listen-address="
    )
    (folder / "rules.yml").write_text(json.dumps({"groups": [{"name": "a", "rules": [RULE]}]}))
    scraping, prometheus = start(
        "prometheus",
        folder,
        {
            "global": {"scrape_interval": "1s", "evaluation_interval": "1s"},
            "rule_files": ["rules.yml", str(ROOT / "deploy" / "monitoring" / "alerts.yaml")],
            "alerting": {
                "alertmanagers": [
                    {"static_configs": [{"targets": [posting.removeprefix("http://")]}]}
                ]
            },
            "scrape_configs": [
                {
                    "job_name": "alert-router",
                    "static_configs": [{"targets": [f"127.0.0.1:{port}"]}],
                }
            ],
        },
        "--rules.alert.resend-delay=2s",  # the first is lost where Alertmanager is not known yet
    )
    try:
        command = "kubectl -n shop delete pod api-1"
        await eventually(lambda: command in router.text(), "the message")
        query = 'alert_router_webhooks_total{outcome="accepted"} == 2 and on () (up == 1)'
        await eventually(lambda: ask(scraping, query), "a scrape")
        rules = await eventually(lambda: shipped_rules(scraping), "the rules to be evaluated")
    finally:
        prometheus.end()
        alertmanager.end()
    assert {rule["health"] for rule in rules} == {"ok"}
    assert [rule["name"] for rule in rules if rule.get("state") == "firing"] == []


async def shipped_rules(prometheus: str) -> list[dict[str, Any]]:
    """The shipped rules as Prometheus has evaluated them; none before it has."""
    _, text = await get(f"{prometheus}/api/v1/rules")
    groups = json.loads(text)["data"]["groups"]
    rules = [it for group in groups if group["name"] == "alert-router" for it in group["rules"]]
    return [] if any(rule["health"] == "unknown" for rule in rules) else rules


def check_bill_of_materials(folder: Path, bin_: Path) -> None:
    """It names the package and all that is installed, each with its version."""
    file = folder / "sbom.cdx.json"
    script = [ROOT / "scripts" / "sbom.sh", sys.executable, bin_.parent, file]
    subprocess.run(script, check=True, cwd=ROOT)
    found = json.loads(file.read_text())
    version = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["version"]
    root = found["metadata"]["component"]
    assert (found["bomFormat"], root["name"], root["version"]) == (
        "CycloneDX",
        "alert-router",
        version,
    )
    freeze = [bin_ / "python", "-m", "pip", "freeze", "--all", "--exclude", "alert-router"]
    installed = subprocess.run(freeze, check=True, capture_output=True, text=True).stdout.split()
    assert {f"{it['name']}=={it['version']}" for it in found["components"]} == set(installed)
    assert all(it["purl"].startswith("pkg:pypi/") for it in found["components"])


async def the_image_s_configuration_serves(folder: Path, bin_: Path) -> None:
    """From an empty directory, with the templates in the wheel."""
    empty = folder / "empty"
    empty.mkdir()
    config = write_image(folder)
    command = [str(bin_ / "alert-router"), "serve", "--config", str(config)]
    variables = {"PATH": "/usr/bin:/bin"}
    router = Process(command, folder / "image.log", cwd=empty, env=variables)
    try:
        await eventually(lambda: '"serving"' in router.text(), "the router to serve")
        port = config.read_text().split("127.0.0.1:")[1].split('"')[0]
        url = f"http://127.0.0.1:{port}"
        status, text = await get(f"{url}/runbooks/")
        assert (status, "alerts/pod-crashes" in text) == (200, True)
        assert (await get(f"{url}/runbooks/alerts/pod-crashes"))[0] == 200
        health = [bin_ / "alert-router", "health", "--url", url]
        assert (await asyncio.to_thread(subprocess.run, health, check=False)).returncode == 0
    finally:
        assert await asyncio.to_thread(router.end) == 0
    assert list(empty.iterdir()) == []
