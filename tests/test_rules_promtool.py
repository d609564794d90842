"""The example alert rules that ship: right for Prometheus itself, what the service's documents
say of its alerts, and at one with routing. What becomes of their alerts is tested beside them."""

import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml

from alert_router.checks.routing_tests import load_cases
from alert_router.config import load
from alert_router.fields import parse_duration
from tests.programs import need
from tests.shipped import CATALOGUE

CONFIG = Path(__file__).parent.parent / "config"
RULES = CONFIG / "prometheus-rules.yaml"
TESTS = CONFIG / "prometheus-rules-tests.yaml"
ALERTS = [
    rule
    for group in yaml.safe_load(RULES.read_text())["groups"]
    for rule in group["rules"]
    if "alert" in rule
]
EXPECTED = [
    expectation
    for group in yaml.safe_load(TESTS.read_text())["tests"]
    for expectation in group["alert_rule_test"]
]
TABLE = load(CONFIG / "alert-router.yaml").table
CASES = load_cases(CONFIG / "routing-tests.yaml")
EXTERNAL = {"cluster", "environment"}  # Prometheus adds them when it sends

# Alert, severity, component, slo, seconds for which it must hold.
REGISTRY = """
HighErrorRate                 critical api           error_rate   300
HighLatencyP95                warning  api           latency      600
LowAvailability               critical api           availability 0
FastErrorBudgetBurn           critical api           error_budget 0
SlowErrorBudgetBurn           warning  api           error_budget 0
DatabasePoolExhausted         warning  database      -            300
DatabasePoolCritical          critical database      -            120
SlowDatabaseQueries           warning  database      -            600
DatabaseConnectionErrors      critical database      -            300
DatabasePoolWaitTime          warning  database      -            300
HighMemoryUsage               warning  system        -            600
LowCacheHitRate               warning  cache         -            900
CriticalCacheHitRate          critical cache         -            300
RedisConnectionErrors         critical redis         -            300
SlowRedisOperations           warning  redis         -            600
S3Errors                      warning  s3            -            300
SlowS3Operations              warning  s3            -            600
ValidationFailureSpike        warning  validation    -            600
CompatibilityCheckFailures    info     compatibility -            600
HighAuthenticationFailureRate warning  security      -            300
RateLimitHit                  info     security      -            300
ServiceDown                   critical health        -            60
HealthCheckFailing            critical health        -            120
HighRequestLatencySpike       warning  performance   -            300
"""
KUBERNETES = """
KubePodCrashLooping            warning  -             -            900
KubePodNotReady                warning  -             -            900
KubeContainerWaiting           warning  -             -            3600
KubeDeploymentReplicasMismatch warning  -             -            900
KubeHpaMaxedOut                warning  -             -            900
CPUThrottlingHigh              info     -             -            900
KubeMemoryOvercommit           warning  -             -            600
KubePersistentVolumeFillingUp  critical -             -            60
KubePersistentVolumeFillingUp  warning  -             -            3600
NodeFilesystemSpaceFillingUp   critical -             -            3600
NodeFilesystemSpaceFillingUp   warning  -             -            3600
"""


def promtool(*arguments: str | Path) -> None:
    done = subprocess.run(
        [need("promtool"), *arguments], check=False, capture_output=True, text=True, cwd=CONFIG
    )
    assert done.returncode == 0, done.stdout + done.stderr


def show(rule: dict[str, Any]) -> str:
    return f"{rule['alert']} {rule['labels']['severity']}"


def fired(rule: dict[str, Any]) -> list[dict[str, str]]:
    """The label sets, but for the alert's name, with which tests expect the rule's alerts."""
    return [
        alert["exp_labels"]
        for expectation in EXPECTED
        if expectation["alertname"] == rule["alert"]
        for alert in expectation["exp_alerts"]
        if alert["exp_labels"]["severity"] == rule["labels"]["severity"]
    ]


every_alert = pytest.mark.parametrize("rule", ALERTS, ids=show)


def test_prometheus_accepts_the_rules():
    promtool("check", "rules", RULES)


def test_the_rules_fire_when_they_should_and_not_just_below():
    promtool("test", "rules", TESTS)


def test_the_rules_are_those_of_the_service_and_of_what_it_lives_on():
    found = []
    for rule in ALERTS:
        labels = dict(rule["labels"])
        known = [labels.pop(name, "-") for name in ("severity", "component", "slo")]
        seconds = parse_duration(rule["for"]) if "for" in rule else 0
        found.append([rule["alert"], *known, f"{seconds:.0f}"])
        assert not labels
    written = [line.split() for line in f"{REGISTRY}{KUBERNETES}".splitlines() if line]
    assert sorted(found) == sorted(written)


@every_alert
def test_people_are_told_what_it_is_about(rule):
    summary, description = rule["annotations"]["summary"], rule["annotations"]["description"]
    assert "{{" not in summary, "it is the headline of a group"
    assert "{{" in description
    assert description.endswith(".")


@every_alert
def test_tests_expect_the_alert_and_that_it_stays_away(rule):
    assert fired(rule)
    assert [e for e in EXPECTED if e["alertname"] == rule["alert"] and not e["exp_alerts"]]


@every_alert
def test_routing_has_a_case_with_exactly_the_labels_it_fires_with(rule):
    cases = [
        {name: value for name, value in case.labels.items() if name not in EXTERNAL}
        for case in CASES
        if case.labels["alertname"] == rule["alert"]
    ]
    assert [one for one in fired(rule) if {"alertname": rule["alert"], **one} in cases]


@every_alert
def test_its_runbook_url_agrees_with_the_table(rule):
    url = rule["annotations"].get("runbook_url")
    for labels in fired(rule):
        index = TABLE.match({"alertname": rule["alert"], **labels})
        runbook = None if index is None else TABLE.entries[index].runbook
        # kube-prometheus' own lead to its own runbooks, which the table outweighs.
        wanted = [runbook] if runbook and "component" in labels else []
        assert (CATALOGUE.by_reference(url) if url else []) == wanted
