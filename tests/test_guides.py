"""The guides: their configurations load, their commands exist, and what they install renders."""

import os
import re
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml
from click.testing import CliRunner

from alert_router.cli import main
from alert_router.config import load
from alert_router.runtime import read_runtime
from tests.programs import need
from tests.test_deploy import ROOT, image_runbooks

DOCS = ROOT / "docs"
GUIDES = ["kubernetes", "migrating", "troubleshooting", "comparison"]


def fences(guide: str, language: str) -> list[str]:
    """The fences of a guide, also those within steps, without their indent."""
    text = (DOCS / f"{guide}.md").read_text()
    found = re.findall(rf"^( *)```{language}\n(.*?)^ *```", text, re.MULTILINE | re.DOTALL)
    return [re.sub(rf"^{indent}", "", body, flags=re.MULTILINE) for indent, body in found]


def amtool(folder: Path, config: Any) -> None:
    path = folder / "alertmanager.yml"
    path.write_text(yaml.safe_dump(config))
    command = [need("amtool"), "check-config", str(path)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


def write_here(config: dict[str, Any], folder: Path) -> Path:
    """A router's configuration with the image's runbooks and table, and secrets in `folder`."""
    config |= {"storage": f"sqlite:///{folder}/alert-router.db"}
    config |= {"runbooks": {"path": str(image_runbooks(folder))}}
    config |= {"routing": f"{ROOT}/config/routing.yaml"}
    text = yaml.safe_dump(config).replace("/run/secrets/alert-router", str(folder))
    path = folder / "alert-router.yaml"
    path.write_text(text)
    return path


def test_the_values_of_the_quickstart_render_to_a_configuration_without_problems(
    tmp_path: Path,
) -> None:
    if not os.environ.get("CI"):
        pytest.importorskip("helm_python")
    from scripts.manifests import render

    values = yaml.safe_load(fences("kubernetes", "yaml")[0])
    objects = list(yaml.safe_load_all(render(values)))
    kinds = {each["kind"] for each in objects}
    assert {"StatefulSet", "ServiceMonitor", "PrometheusRule", "NetworkPolicy"} <= kinds
    (text,) = (
        each["data"]["alert-router.yaml"]
        for each in objects
        if "alert-router.yaml" in each.get("data", {})
    )
    (tmp_path / "slack-url").write_text("https://hooks.slack.com/services/T/B/x\n")
    runtime = read_runtime(write_here(yaml.safe_load(text), tmp_path))
    # Alertmanager posts to `nobody` by name.
    assert {problem.code for problem in runtime.problems} == {"config-unused-receiver"}
    assert "nobody" in runtime.names


def test_the_receivers_of_the_quickstart_are_alertmanager_s(tmp_path: Path) -> None:
    config = yaml.safe_load(fences("kubernetes", "yaml")[1])["alertmanager"]["config"]
    amtool(tmp_path, config)
    urls = [receiver["webhook_configs"][0]["url"] for receiver in config["receivers"]]
    assert all(url.startswith("http://alert-router.monitoring:9095/webhook") for url in urls)


def test_the_test_alert_of_the_quickstart_gets_a_runbook(tmp_path: Path) -> None:
    (line,) = [
        line
        for block in fences("kubernetes", "sh")
        for line in block.splitlines()
        if "alert-router send" in line
    ]
    labels = dict(re.findall(r"(\w+)=(\S+)", line.split(" -- ")[1]))
    assert labels["alertname"]
    table = load(ROOT / "config" / "alert-router.yaml").table
    assert table.match(labels) is not None


def test_the_examples_of_the_migration_load(tmp_path: Path) -> None:
    router_config, alertmanager = map(yaml.safe_load, fences("migrating", "yaml"))
    for name in ("slack-url", "pagerduty-key"):
        (tmp_path / name).write_text("https://hooks.slack.com/services/T/B/x\n")
    config = router_config | {"receivers": router_config["receivers"] + [{"name": "default"}]}
    config["receivers"].append({"name": "oncall"})
    assert read_runtime(write_here(config, tmp_path)).names["database-team"]
    amtool(tmp_path, alertmanager)
    names = {receiver["name"] for receiver in router_config["receivers"]}
    assert all(receiver["name"] in names for receiver in alertmanager["receivers"])


@pytest.mark.parametrize("guide", GUIDES)
def test_every_command_and_option_of_the_guides_exists(guide: str) -> None:
    text = (DOCS / f"{guide}.md").read_text()
    for line in re.findall(r"`?\balert-router ((?:[a-z]+ )*[a-z]+(?: --[a-z]+)*)", text):
        words = [word for word in line.split() if not word.startswith("--")]
        if words[0] not in main.list_commands(None):
            continue
        result = CliRunner().invoke(main, [words[0], "--help"])
        if "COMMAND" in result.output and len(words) > 1:
            result = CliRunner().invoke(main, [*words[:2], "--help"])
        assert result.exit_code == 0, line
        for option in re.findall(r"--[a-z]+", line):
            assert option in result.output, line
