"""The Helm chart: what Helm makes of every set of values in ci/, and what it refuses."""

import os
import re
from functools import reduce
from pathlib import Path
from typing import Any

import kubernetes_validate
import pytest
import yaml

from alert_router.config import cross_check, load
from alert_router.outbox.model import parse_storage
from alert_router.runbook import Catalogue
from tests.test_deploy import image_runbooks

if os.environ.get("CI"):
    import helm_python as helm
else:
    helm = pytest.importorskip("helm_python")
from scripts.manifests import CHART, OUTPUTS, ROOT, render

VALUES = sorted((CHART / "ci").glob("*-values.yaml"))
CUSTOM = ("monitoring.coreos.com/v1", "gateway.networking.k8s.io/v1")

every_values_file = pytest.mark.parametrize("path", VALUES, ids=lambda path: path.stem)


def objects(path: Path) -> list[dict[str, Any]]:
    """The objects that a file of values leads to."""
    return list(yaml.safe_load_all(render(yaml.safe_load(path.read_text()) or {})))


def of(found: list[dict[str, Any]], kind: str) -> dict[str, Any]:
    (one,) = [each for each in found if each["kind"] == kind]
    return one


def workload(found: list[dict[str, Any]]) -> dict[str, Any]:
    return of(found, "StatefulSet")


@pytest.mark.parametrize("path", OUTPUTS, ids=lambda path: path.name)
def test_what_is_made_from_the_chart_is_current(path: Path) -> None:
    """When this fails: make manifests."""
    assert path.read_text() == OUTPUTS[path]()


@every_values_file
def test_helm_lint_finds_nothing(path: Path) -> None:
    report = helm.chart.lint(CHART, yaml.safe_load(path.read_text()), strict=True)
    found = [it["error"] for it in report["messages"] if "icon is recommended" not in it["error"]]
    assert found + report["errors"] == []


@every_values_file
def test_every_object_validates_against_kubernetes_own_schema(path: Path) -> None:
    for each in objects(path):
        if each["apiVersion"] not in CUSTOM:
            for version in ("1.29", kubernetes_validate.latest_version()):  # the oldest: Chart.yaml
                kubernetes_validate.validate(each, version, strict=True)
        assert each["metadata"]["name"]


@every_values_file
def test_the_rendered_configuration_has_no_problems(path: Path, tmp_path: Path) -> None:
    runbooks = image_runbooks(tmp_path)
    pod = workload(objects(path))["spec"]["template"]["spec"]
    (mount,) = [it for it in pod["containers"][0]["volumeMounts"] if it["name"] == "config"]
    (secrets,) = [it for it in pod["containers"][0]["volumeMounts"] if it["name"] == "secrets"]
    for name in ("intake-token", "slack-url"):
        (tmp_path / name).write_text("https://hooks.slack.com/services/T/B/x\n")
    moved = {
        secrets["mountPath"]: str(tmp_path),
        "/usr/share/alert-router/routing.yaml": f"{ROOT}/config/routing.yaml",
        "/usr/share/alert-router/runbooks": str(runbooks),
        "path: /srv/runbooks": f"path: {runbooks} #",
        "sqlite:////var/lib/alert-router": f"sqlite:///{tmp_path}",
        "/run/secrets/postgresql/password": str(tmp_path / "intake-token"),
    }
    for name, text in of_config(path).items():
        here = reduce(lambda done, change: done.replace(*change), moved.items(), text)
        (tmp_path / name).write_text(here)
    assert mount["mountPath"] == "/etc/alert-router"
    loaded = load(tmp_path / "alert-router.yaml")
    problems = loaded.problems + cross_check(loaded.runbooks_named, Catalogue.load(runbooks))
    assert [problem.show() for problem in problems] == []


def of_config(path: Path) -> dict[str, str]:
    return next(
        each["data"]
        for each in objects(path)
        if each["kind"] == "ConfigMap" and "alert-router.yaml" in each.get("data", {})
    )


@every_values_file
def test_all_containers_run_restricted_and_without_a_token(path: Path) -> None:
    pod = workload(objects(path))["spec"]["template"]["spec"]
    assert pod["automountServiceAccountToken"] is False
    assert pod["securityContext"]["runAsNonRoot"] is True
    for container in pod["containers"]:
        assert container["securityContext"] == {
            "allowPrivilegeEscalation": False,
            "readOnlyRootFilesystem": True,
            "capabilities": {"drop": ["ALL"]},
        }
        assert container["resources"]["limits"]["memory"]
        has_token = any("serviceaccount" in it["mountPath"] for it in container["volumeMounts"])
        assert has_token == (container["name"] == "runbooks")


@every_values_file
def test_every_mount_has_its_volume_and_every_selector_its_pod(path: Path) -> None:
    found = objects(path)
    made = workload(found)
    pod = made["spec"]["template"]
    claims = made["spec"].get("volumeClaimTemplates", [])
    volumes = [it["name"] for it in pod["spec"]["volumes"]]
    volumes += [it["metadata"]["name"] for it in claims]
    mounts = {it["name"] for each in pod["spec"]["containers"] for it in each["volumeMounts"]}
    assert mounts == set(volumes)
    assert len(volumes) == len(set(volumes))
    labels = pod["metadata"]["labels"].items()
    assert made["spec"]["selector"]["matchLabels"].items() <= labels
    assert of(found, "Service")["spec"]["selector"].items() <= labels
    assert of(found, "NetworkPolicy")["spec"]["podSelector"]["matchLabels"].items() <= labels


def test_replicas_on_postgresql_are_spread_and_get_the_password_by_reference() -> None:
    path = CHART / "ci" / "postgresql-values.yaml"
    found = objects(path)
    spec = workload(found)["spec"]
    pod = spec["template"]["spec"]
    (text,) = of_config(path).values()
    storage = parse_storage(yaml.safe_load(text)["storage"], Path("/"))
    (secret,) = [it["secret"] for it in pod["volumes"] if it["name"] == "postgresql"]
    mounts = {it["name"]: it["mountPath"] for it in pod["containers"][0]["volumeMounts"]}
    assert secret["secretName"] == "alert-router-postgresql"
    assert storage.password_file == Path(mounts["postgresql"]) / "password"
    assert storage.path.parent == Path(mounts["data"])
    assert "sslmode=verify-full" in storage.url
    assert spec["replicas"] == 2
    assert of(found, "PodDisruptionBudget")["spec"]["maxUnavailable"] == 1
    assert len(pod["topologySpreadConstraints"]) == 2


def test_objects_of_prometheus_operator_and_grafana_select_what_was_asked_for() -> None:
    found = objects(CHART / "ci" / "everything-values.yaml")
    monitor, rule = of(found, "ServiceMonitor"), of(found, "PrometheusRule")
    (endpoint,) = monitor["spec"]["endpoints"]
    service = of(found, "Service")
    assert endpoint["scheme"] == "https"
    assert endpoint["tlsConfig"]["ca"]["secret"]["name"] == "alert-router-web"
    assert endpoint["port"] == service["spec"]["ports"][0]["name"]
    assert (
        monitor["spec"]["selector"]["matchLabels"].items() <= service["metadata"]["labels"].items()
    )
    alerts = [it for group in rule["spec"]["groups"] for it in group["rules"] if "alert" in it]
    assert alerts
    for alert in alerts:
        url = alert["annotations"]["runbook_url"]
        assert url == f"https://runbooks.example.org/alert-router/{alert['alert']}"
    for each in (monitor, rule):
        assert each["metadata"]["labels"]["release"] == "kube-prometheus-stack"


@pytest.mark.parametrize(
    ("values", "part"),
    [
        ({"storage": {"type": "mysql"}}, "storage"),
        ({"replica": 2}, "replica"),
        ({"image": {"tag": 1.0}}, "tag"),
        ({"runbooks": {"source": "configMaps"}}, "runbooks.configMaps"),
        ({"storage": {"postgresql": {"url": "postgresql://a:secret@db/x"}}}, "url"),
    ],
)
def test_values_that_cannot_work_are_refused(values: dict[str, Any], part: str) -> None:
    with pytest.raises(helm.errors.HelmError, match=part):
        render(values)


def unittest_cases() -> list[Any]:
    """The cases for helm-unittest, each with its suite's defaults."""
    found = []
    for path in sorted((CHART / "tests").glob("*_test.yaml")):
        suite = yaml.safe_load(path.read_text())
        found += [pytest.param(suite, case, id=case["it"]) for case in suite["tests"]]
    return found


@pytest.mark.parametrize(("suite", "case"), unittest_cases())
def test_helm_unittest_s_cases_hold(suite: dict[str, Any], case: dict[str, Any]) -> None:
    """What helm-unittest, a plugin of Helm, would do with the assertions that are used here."""

    def rendered() -> dict[str, str]:
        with helm.Chart.load(CHART) as chart:
            return chart.render(case.get("set", {}), name="RELEASE-NAME", namespace="NAMESPACE")

    if failed := case["asserts"][0].get("failedTemplate"):
        with pytest.raises(helm.errors.HelmError, match=failed["errorPattern"]):
            rendered()
        return
    files = rendered()
    for each in case["asserts"]:
        template = each.pop("template", case.get("template", suite["templates"][0]))
        assert template in suite["templates"]
        text = files.get(f"alert-router/templates/{template}", "")
        objects = [it for it in yaml.safe_load_all(text) if it]
        ((kind, wanted),) = each.items()
        if kind == "hasDocuments":
            assert len(objects) == wanted["count"]
            continue
        for one in objects:
            check_assertion(kind, wanted, one)
        assert objects


def check_assertion(kind: str, wanted: dict[str, Any], one: dict[str, Any]) -> None:
    value = value_at(one, wanted["path"]) if "path" in wanted else None
    match kind:
        case "isKind":
            assert one["kind"] == wanted["of"]
        case "equal":
            assert value == wanted["value"]
        case "notExists":
            assert value is None
        case "contains":
            assert wanted["content"] in value
        case "matchRegex":
            assert re.search(wanted["pattern"], value)
        case _:
            pytest.fail(f"{kind} is not checked here")


def value_at(one: Any, path: str) -> Any:
    """The value at a path such as `spec.ports[0].name` or `data["a.yaml"]`; None if missing."""
    for name, key, index in re.findall(r'([\w-]+)|\["([^"]+)"\]|\[(\d+)\]', path):
        try:
            one = one[int(index)] if index else one[name or key]
        except (KeyError, IndexError):
            return None
    return one
