"""Watching the router: its alerts, their runbooks, the dashboard and the mixin."""

import json
import re
import subprocess
from pathlib import Path

import _jsonnet
import promql_parser
import pytest
import yaml
from scripts.dashboard import ROWS

from alert_router.checks.rules import read_rules
from alert_router.config import load
from alert_router.enrich import select_runbook
from alert_router.markdown import Code
from alert_router.metrics import Metrics
from alert_router.model import Alert, Status
from alert_router.runbook import Catalogue
from alert_router.server.heartbeat import ALERT as HEARTBEAT_ALERT
from tests.programs import need
from tests.shipped import fences
from tests.test_deploy import write_image

MONITORING = Path(__file__).parent.parent / "deploy" / "monitoring"
RULES = [
    rule
    for group in yaml.safe_load((MONITORING / "alerts.yaml").read_text())["groups"]
    for rule in group["rules"]
]
ALERTS = {rule["alert"]: rule for rule in RULES if "alert" in rule}
RUNBOOKS = Catalogue.load(MONITORING / "runbooks")
# Beside the router's own: Prometheus's client library, Prometheus and Alertmanager.
OTHERS = {
    "ALERTS",
    "alertmanager_notifications_failed_total",
    "prometheus_notifications_alertmanagers_discovered",
    "up",
    *(rule["record"] for rule in RULES if "record" in rule),
}
FAMILIES = {
    family.name + suffix
    for family in Metrics().registry.collect()
    for suffix in {"counter": ["_total"], "histogram": ["_bucket", "_count"]}.get(family.type, [""])
}

every_alert = pytest.mark.parametrize("name", ALERTS)


def names_of(query: str) -> set[str]:
    """The metrics in a query. Raises ValueError if it does not parse."""
    query = query.replace("$__rate_interval", "5m").replace("$job", "x")
    promql_parser.parse(query)
    text = re.sub(r'"[^"]*"|\{[^}]*\}|\[[^\]]*\]|\b(?:by|without|on) *\([^)]*\)', " ", query)
    return set(
        re.findall(
            r"\b(?:(?:alert_router|process|alertmanager|prometheus)[\w:]+|up|ALERTS)\b", text
        )
    )


def promtool(*arguments: str) -> None:
    done = subprocess.run(
        [need("promtool"), *arguments], check=False, capture_output=True, text=True, cwd=MONITORING
    )
    assert done.returncode == 0, done.stdout + done.stderr


def test_prometheus_accepts_the_rules() -> None:
    promtool("check", "rules", "alerts.yaml")


@pytest.mark.parametrize("tests", ["alerts-tests.yaml", "coverage-tests.yaml"])
def test_the_alerts_fire_when_they_should_and_not_just_before(tests: str) -> None:
    promtool("test", "rules", tests)


@every_alert
def test_each_alert_has_a_case_for_firing_and_one_for_not_firing(name: str) -> None:
    expected = [
        bool(case["exp_alerts"])
        for path in MONITORING.glob("*-tests.yaml")
        for group in yaml.safe_load(path.read_text())["tests"]
        for case in group["alert_rule_test"]
        if case["alertname"] == name
    ]
    assert {True, False} == set(expected)


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.get("alert") or rule["record"])
def test_each_rule_names_existing_metrics_only(rule: dict) -> None:
    assert names_of(rule["expr"])
    assert names_of(rule["expr"]) <= FAMILIES | OTHERS


def test_each_query_of_the_dashboard_parses_and_names_existing_metrics_only() -> None:
    queries = [query for row in ROWS.values() for _, _, all_ in row for query, _ in all_]
    assert len(queries) > 15
    for query in queries:
        assert names_of(query), query
        assert names_of(query) <= FAMILIES | OTHERS, query


def test_each_query_of_the_runbooks_names_existing_metrics_only() -> None:
    found: list[Code] = []
    for runbook in RUNBOOKS.runbooks.values():
        found += fences(runbook.blocks, "promql")
    assert len(found) > 20
    for fence in found:
        assert names_of(fence.text), fence.text
        assert names_of(fence.text) <= FAMILIES | OTHERS, fence.text


def test_there_is_a_runbook_for_each_alert_and_no_other() -> None:
    # The router itself sends the last one.
    assert set(RUNBOOKS.runbooks) == {*ALERTS, HEARTBEAT_ALERT}
    assert RUNBOOKS.problems == ()


@every_alert
def test_the_image_finds_the_runbook_of_its_own_alert(name: str, tmp_path: Path) -> None:
    loaded = load(write_image(tmp_path))
    labels = {"alertname": name, **ALERTS[name]["labels"]}
    alert = Alert(status=Status.FIRING, labels=labels, fingerprint="f")
    choice = select_runbook(
        alert,
        table=loaded.table,
        catalogue=Catalogue.load(loaded.config.runbooks.path),
        default=loaded.default_runbook,
    )
    assert choice.runbook == f"alert-router/{name}"
    runbook = RUNBOOKS.get(name)
    assert runbook is not None
    assert runbook.metadata["severity"] == ALERTS[name]["labels"]["severity"]


def test_the_rules_can_be_read_by_coverage() -> None:
    rules = read_rules([str(MONITORING / "alerts.yaml")])
    assert {alert.name for alert in rules.alerts} == set(ALERTS)
    assert rules.problems == ()


def test_the_mixin_has_the_same_alerts_with_links_and_the_dashboard() -> None:
    source = (
        f"(import '{MONITORING / 'mixin.libsonnet'}') + "
        "{ _config+:: { runbookUrl: 'https://runbooks.example.org/%s' } }"
    )
    made = json.loads(
        _jsonnet.evaluate_snippet(
            "test", f"local m = {source}; [m.prometheusAlerts, m.grafanaDashboards]"
        )
    )
    rules = [rule for group in made[0]["groups"] for rule in group["rules"]]
    for rule in rules:
        if "alert" in rule:
            url = rule["annotations"].pop("runbook_url")
            assert url == f"https://runbooks.example.org/{rule['alert']}"
    assert rules == RULES
    assert made[1]["alert-router.json"] == json.loads((MONITORING / "dashboard.json").read_text())
