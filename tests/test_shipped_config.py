"""The configuration that ships: without problems, its examples too, and every alert where it
belongs. What single runbooks say is tested beside them."""

import re
import shutil
from pathlib import Path

import pytest

from alert_router.checks.routing_tests import Case, load_cases
from alert_router.cli.commands.test import run
from alert_router.config import codes, load
from alert_router.model import fingerprint
from alert_router.model.problem import Problem
from alert_router.runtime import Runtime, read_runtime

ROOT = Path(__file__).parent.parent
CONFIG = ROOT / "config" / "alert-router.yaml"
CASES = load_cases(ROOT / "config" / "routing-tests.yaml")
SNAPSHOT: list[Runtime] = []

# The registry's rules, and those of kube-prometheus that a runbook is for.
MAPPED = {
    "alerts/high-error-rate": [
        "HighErrorRate",
        "LowAvailability",
        "FastErrorBudgetBurn",
        "SlowErrorBudgetBurn",
    ],
    "alerts/high-latency": ["HighLatencyP95", "HighRequestLatencySpike"],
    "alerts/redis-issues": [
        "RedisConnectionErrors",
        "SlowRedisOperations",
        "LowCacheHitRate",
        "CriticalCacheHitRate",
    ],
    "alerts/database-issues": [
        "DatabasePoolExhausted",
        "DatabasePoolCritical",
        "DatabasePoolWaitTime",
        "DatabaseConnectionErrors",
        "SlowDatabaseQueries",
    ],
    "alerts/pod-crashes": [
        "KubePodCrashLooping",
        "KubePodNotReady",
        "KubeContainerWaiting",
        "KubeDeploymentReplicasMismatch",
        "KubeDeploymentRolloutStuck",
        "KubeStatefulSetReplicasMismatch",
        "KubeStatefulSetUpdateNotRolledOut",
        "KubePdbNotEnoughHealthyPods",
    ],
    "operations/scaling": ["KubeHpaMaxedOut", "KubeHpaReplicasMismatch"],
    "alerts/resource-exhaustion": [
        "HighMemoryUsage",
        "CPUThrottlingHigh",
        "KubeCPUOvercommit",
        "KubeMemoryOvercommit",
        "KubeCPUQuotaOvercommit",
        "KubeMemoryQuotaOvercommit",
        "KubeQuotaAlmostFull",
        "KubeQuotaFullyUsed",
        "KubeQuotaExceeded",
        "KubePersistentVolumeFillingUp",
        "KubePersistentVolumeInodesFillingUp",
        "KubeNodePressure",
        "KubeNodeEviction",
        "NodeFilesystemSpaceFillingUp",
        "NodeFilesystemAlmostOutOfSpace",
        "NodeFilesystemFilesFillingUp",
        "NodeFilesystemAlmostOutOfFiles",
        "NodeMemoryHighUtilization",
        "NodeMemoryMajorPagesFaults",
    ],
    "incidents/data-corruption": [
        "ValidationFailureSpike",
        "CompatibilityCheckFailures",
    ],
    "alerts/security-alerts": [
        "HighAuthenticationFailureRate",
        "RateLimitHit",
    ],
    "incidents/service-outage": ["ServiceDown", "HealthCheckFailing"],
    "incidents/performance-degradation": [
        "S3Errors",
        "SlowS3Operations",
    ],
}
UNMAPPED = [
    "NodeCPUHighUsage",
    "NodeSystemSaturation",
    "KubeJobFailed",
]
OWNER = {alert: name for name, alerts in MAPPED.items() for alert in alerts}


def snapshot() -> Runtime:
    if not SNAPSHOT:
        SNAPSHOT.append(read_runtime(CONFIG))
    return SNAPSHOT[0]


def show(problems: tuple[Problem, ...]) -> list[str]:
    return [problem.show() for problem in problems]


def test_the_shipped_state_has_no_problem():
    assert show(snapshot().problems) == []


def test_it_starts_without_any_secret_and_shows_everything_on_the_terminal():
    config = snapshot().loaded.config
    notifiers = [notifier for receiver in config.receivers for notifier in receiver.notifiers]
    assert {notifier.type for notifier in notifiers} == {"console"}
    assert [receiver.name for receiver in config.receivers if not receiver.notifiers] == []


def test_the_store_lies_in_a_directory_that_exists_and_is_not_committed():
    path = snapshot().loaded.config.storage.path
    assert path.resolve().parent == ROOT
    ignored = (ROOT / ".gitignore").read_text().splitlines()
    assert {f"*{path.suffix}{end}" for end in ("", "-wal", "-shm", "-lock")} <= set(ignored)


def uncommented(text: str) -> str:
    """The file with its examples switched on: comments that hold a key or a list's item."""
    return re.sub(r"(?m)^( *)# (?=(?:- |  )?[a-z_]+:(?: |$))", r"\1", text)


def test_the_examples_in_comments_are_right(tmp_path):
    shutil.copy(CONFIG.with_name("routing.yaml"), tmp_path)
    path = tmp_path / CONFIG.name
    path.write_text(uncommented(CONFIG.read_text()))
    loaded = load(path)
    assert {problem.code for problem in loaded.problems} <= {codes.SECRET_UNREADABLE}
    notifiers = [
        notifier for receiver in loaded.config.receivers for notifier in receiver.notifiers
    ]
    assert {notifier.type for notifier in notifiers} == {"console", "slack", "webhook"}
    assert loaded.config.http.auth is not None
    assert loaded.config.delivery == snapshot().loaded.config.delivery, "the defaults, as promised"


def test_the_image_can_use_the_shipped_routing(tmp_path):
    """Its receivers are the same, since it takes config/routing.yaml as it is."""
    written = (ROOT / "deploy" / "image" / CONFIG.name).read_text()
    own = CONFIG.with_name("routing.yaml")
    (tmp_path / CONFIG.name).write_text(
        written.replace("/usr/share/alert-router/routing.yaml", str(own))
    )
    loaded = load(tmp_path / CONFIG.name)
    names = [receiver.name for receiver in loaded.config.receivers]
    assert names == [receiver.name for receiver in snapshot().loaded.config.receivers]


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_routing_case(case: Case):
    result = run(case, snapshot())
    assert result.found == result.expected, str(case.place)


def test_every_case_checks_both_tables():
    assert [case.name for case in CASES if not case.checks_runbook or not case.receivers] == []
    assert len({case.name for case in CASES}) == len(CASES)


@pytest.mark.parametrize("alert", [*OWNER, *UNMAPPED])
def test_every_known_alert_has_a_case(alert):
    own = [c for c in CASES if c.labels["alertname"] == alert and "not ours" not in c.name]
    assert own
    assert {case.runbook for case in own} == {OWNER.get(alert)}


def test_the_table_names_known_alerts_and_no_alert_twice():
    named: list[str] = []
    for entry in snapshot().loaded.table.entries:
        (matcher,) = (matcher for matcher in entry.matchers if matcher.name == "alertname")
        for name in matcher.value.split("|"):
            named.append(name)
            assert entry.runbook == OWNER.get(name), name
    assert sorted(named) == sorted([*OWNER, "Watchdog", "InfoInhibitor"])


@pytest.mark.parametrize("alert", list(OWNER))
def test_a_runbook_tells_of_each_alert_it_is_for(alert):
    text = (ROOT / "runbooks" / f"{OWNER[alert]}.md").read_text()
    assert f"`{alert}`" in text


def test_label_sets_of_cases_are_all_different():
    prints = [(fingerprint(case.labels), tuple(sorted(case.annotations.items()))) for case in CASES]
    assert len(set(prints)) == len(prints)
