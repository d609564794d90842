"""What a real notification makes of the shipped runbooks: commands filled, or none to fill."""

import re
from collections.abc import Mapping
from functools import partial
from pathlib import Path

import promql_parser
import pytest

from alert_router.checks.routing_tests import Case, load_cases
from alert_router.config import load
from alert_router.enrich import enrich, select_runbook
from alert_router.notification import Notification
from alert_router.preview.sample_alert import make_alert, make_group
from alert_router.runbook import Step
from tests.shipped import CARRIED, CATALOGUE, IN_COMMANDS, MAPPED, SHIPPED, fences, of

CONFIG = Path(__file__).parent.parent / "config"
LOADED = load(CONFIG / "alert-router.yaml")
CASES = [
    case
    for case in load_cases(CONFIG / "routing-tests.yaml")
    if case.labels.keys() & {"component", "namespace"}
]
NO_POD = "FILL_IN_pod"


def notification(
    labels: Mapping[str, str], annotations: Mapping[str, str], *, resolved: bool = False
) -> Notification:
    bare = Notification(
        id="msg",
        groups=("one",),
        receiver="oncall",
        notifier="console",
        group=make_group(make_alert(labels, annotations, resolved=resolved)),
        external_url="http://localhost:9095",
    )
    return enrich(
        bare,
        choose=partial(select_runbook, table=LOADED.table, catalogue=CATALOGUE, default=None),
        runbook=CATALOGUE.get,
        firing_sections=("Detection", "Mitigation"),
        resolved_sections=("Verification", "Post-Incident"),
    )


def of_case(case: Case, *, resolved: bool = False) -> Notification:
    return notification(case.labels, case.annotations, resolved=resolved)


def texts(told: Notification, language: str) -> list[str]:
    return [
        fence.text
        for part in told.runbooks
        for section in part.sections
        for step in section.steps
        for fence in fences(step.blocks, language)
    ]


def scripts(step: Step) -> list[str]:
    return [fence.text for fence in fences(step.blocks)]


every_case = pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)


@every_case
@pytest.mark.parametrize("resolved", [False, True], ids=["firing", "resolved"])
def test_two_sections_arrive_without_a_note(case, resolved):
    told = of_case(case, resolved=resolved)
    if case.runbook is None:
        assert told.runbooks == ()
        return
    (part,) = told.runbooks
    wanted = ["Verification", "Post-Incident"] if resolved else ["Detection", "Mitigation"]
    assert part.id == case.runbook
    assert [section.name for section in part.sections] == wanted
    assert told.notes == ()


@every_case
@pytest.mark.parametrize("resolved", [False, True], ids=["firing", "resolved"])
def test_commands_can_be_pasted_unless_they_ask_for_a_pod_the_alert_does_not_name(case, resolved):
    for script in texts(of_case(case, resolved=resolved), "bash"):
        unfilled = "FILL_IN_" in script
        missing = IN_COMMANDS.get(case.runbook or "", set()) - case.labels.keys()
        assert not unfilled or missing & set(re.findall(r"FILL_IN_(\w+)", script)), script


@every_case
def test_an_alert_without_a_pod_still_gets_commands_that_work(case):
    if case.runbook:
        scripts = texts(of_case(case), "bash")
        assert sum("FILL_IN_" not in script for script in scripts) >= 4


@every_case
@pytest.mark.parametrize("resolved", [False, True], ids=["firing", "resolved"])
def test_queries_parse_when_filled(case, resolved):
    for query in texts(of_case(case, resolved=resolved), "promql"):
        promql_parser.parse(query)


def test_a_crashing_pod_is_named_in_its_commands():
    (case,) = (case for case in CASES if case.name == "KubePodCrashLooping leads to pod-crashes")
    pod = "schema-registry-6c9f7d5b8-x2kqp"
    script = next(text for text in texts(of_case(case), "bash") if "describe pod" in text)
    assert script == (
        f"kubectl describe pod {pod} -n schema-registry\n"
        f"kubectl logs {pod} -n schema-registry -c schema-registry --previous --tail=60"
    )


def test_an_alert_of_a_workload_gets_no_command_for_an_unknown_pod():
    name = "KubeDeploymentReplicasMismatch leads to pod-crashes"
    (case,) = (case for case in CASES if case.name == name)
    scripts = texts(of_case(case), "bash")
    assert any(f"kubectl delete pod {NO_POD} -n" in script for script in scripts)
    assert not any("$pod" in script for script in scripts)


@pytest.mark.parametrize(
    "case",
    [
        case
        for case in CASES
        if case.runbook in ("alerts/pod-crashes", "alerts/resource-exhaustion")
        and "namespace" in case.labels
    ],
    ids=lambda case: case.name,
)
@pytest.mark.parametrize("resolved", [False, True], ids=["firing", "resolved"])
def test_an_alert_of_another_namespace_gets_no_command_for_the_registry(case, resolved):
    labels = {
        name: value.replace("schema-registry", "payments") for name, value in case.labels.items()
    }
    told = notification(labels, case.annotations, resolved=resolved)
    for script in [*texts(told, "bash"), *texts(told, "promql")]:
        assert "schema" not in script, script


@pytest.mark.parametrize("name", sorted(set(SHIPPED) - MAPPED))
def test_a_runbook_that_no_alert_is_mapped_to_is_shown_as_it_is_written(name):
    labels = {label: "other" for labels in CARRIED.values() for label in labels}
    for resolved in (False, True):
        (part,) = notification(labels, {"runbook": name}, resolved=resolved).runbooks
        assert part.id == name
        for section in part.sections:
            written = of(name).section(section.name)
            assert written is not None
            assert [scripts(step) for step in section.steps] == [
                scripts(step) for step in written.steps
            ]
