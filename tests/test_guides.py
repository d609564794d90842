"""The guides fit together: what they install, what they send, and the receivers they name."""

import os
import re
import shlex
from pathlib import Path
from typing import Any

import pytest
import yaml

from alert_router.config import load
from alert_router.runtime import read_runtime
from tests.test_deploy import ROOT, image_runbooks
from tests.test_snippets import FENCES


def examples(guide: str, title: str = "") -> list[str]:
    return [each.text for each in FENCES if (each.page.stem, each.title) == (guide, title)]


def receivers_posted_to(config: dict[str, Any]) -> set[str]:
    """The receivers named in the URLs of an Alertmanager's webhooks."""
    urls = [
        webhook["url"]
        for receiver in config["receivers"]
        for webhook in receiver.get("webhook_configs", [])
    ]
    assert urls
    assert all(re.match(r"http://alert-router[.:]", url) for url in urls)
    return {name for url in urls for name in re.findall(r"/webhook/([^?]+)", url)}


def test_the_quickstart_installs_a_configuration_without_problems(tmp_path: Path) -> None:
    if not os.environ.get("CI"):
        pytest.importorskip("helm_python")
    from scripts.manifests import render

    (values,) = examples("kubernetes", "alert-router-values.yaml")
    objects = list(yaml.safe_load_all(render(yaml.safe_load(values))))
    kinds = {each["kind"] for each in objects}
    assert {"StatefulSet", "ServiceMonitor", "PrometheusRule", "NetworkPolicy"} <= kinds
    (text,) = (
        each["data"]["alert-router.yaml"]
        for each in objects
        if "alert-router.yaml" in each.get("data", {})
    )
    config = yaml.safe_load(text) | {
        "storage": f"sqlite:///{tmp_path}/alert-router.db",
        "runbooks": {"path": str(image_runbooks(tmp_path))},
        "routing": f"{ROOT}/config/routing.yaml",
    }
    (tmp_path / "slack-url").write_text("https://hooks.slack.com/services/T/B/x\n")
    path = tmp_path / "alert-router.yaml"
    path.write_text(yaml.safe_dump(config).replace("/run/secrets/alert-router", str(tmp_path)))
    runtime = read_runtime(path)
    # Alertmanager posts to "null" by name.
    assert {problem.code for problem in runtime.problems} == {"config-unused-receiver"}

    (stack,) = examples("kubernetes", "kube-prometheus-stack-values.yaml")
    alertmanager = yaml.safe_load(stack)["alertmanager"]["config"]
    assert receivers_posted_to(alertmanager) == {"null"} <= set(runtime.names)


def test_the_test_alert_of_the_quickstart_gets_a_runbook() -> None:
    text = (ROOT / "docs" / "kubernetes.md").read_text()
    (command,) = re.findall(r"^ *kubectl .* -- alert-router send (.*)$", text, re.MULTILINE)
    labels = dict(word.split("=", 1) for word in shlex.split(command) if "=" in word)
    assert labels["alertname"]
    table = load(ROOT / "config" / "alert-router.yaml").table
    assert table.match(labels) is not None


def test_each_step_of_the_migration_posts_to_a_receiver_of_the_router() -> None:
    steps = zip(
        examples("migrating", "alert-router.yaml"),
        examples("migrating", "alertmanager.yml"),
        strict=True,
    )
    for ours, alertmanager in steps:
        names = {receiver["name"] for receiver in yaml.safe_load(ours)["receivers"]}
        assert receivers_posted_to(yaml.safe_load(alertmanager)) == names


def test_the_migration_ends_with_the_same_routes() -> None:
    first, last = map(yaml.safe_load, examples("migrating", "alertmanager.yml"))
    (moved,) = last["route"]["routes"]
    added, kept = first["route"]["routes"]
    assert added == moved | {"continue": True}
    assert kept["matchers"] == moved["matchers"]
