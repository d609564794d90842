"""What is deployed: the Dockerfile, the manifests, and the package as the image installs it."""

import ipaddress
import json
import re
import shutil
import sys
import tomllib
from pathlib import Path
from typing import Any

import kubernetes_validate
import pytest
import yaml

from alert_router.config import cross_check, load
from alert_router.config.model import Http
from alert_router.fields import parse_size
from alert_router.runbook import Catalogue
from tests.programs import free_port

ROOT = Path(__file__).parent.parent
MANIFESTS = ROOT / "deploy" / "kubernetes" / "alert-router.yaml"
BIN = Path(sys.executable).parent


def documents() -> list[dict[str, Any]]:
    return list(yaml.safe_load_all(MANIFESTS.read_text()))


def of_kind(kind: str) -> dict[str, Any]:
    (found,) = [document for document in documents() if document["kind"] == kind]
    return found


def test_the_kustomize_base_names_the_manifests() -> None:
    base = yaml.safe_load((MANIFESTS.parent / "kustomization.yaml").read_text())
    assert base["resources"] == [MANIFESTS.name]


@pytest.mark.parametrize("document", documents(), ids=lambda document: document["kind"])
def test_every_manifest_validates_against_kubernetes_own_schema(document: dict[str, Any]) -> None:
    kubernetes_validate.validate(document, "1.31", strict=True)


def test_network_policy_lets_in_alertmanager_and_prometheus_only() -> None:
    policy = of_kind("NetworkPolicy")["spec"]
    template = of_kind("StatefulSet")["spec"]["template"]
    assert policy["policyTypes"] == ["Ingress", "Egress"]
    assert policy["podSelector"]["matchLabels"] == template["metadata"]["labels"]
    (rule,) = policy["ingress"]
    names = {port["name"] for port in template["spec"]["containers"][0]["ports"]}
    assert {port["port"] for port in rule["ports"]} == names
    (source,) = rule["from"]
    (expression,) = source["podSelector"]["matchExpressions"]
    assert set(expression["values"]) == {"alertmanager", "prometheus"}


def test_network_policy_lets_out_to_destinations_and_never_to_metadata() -> None:
    names, destinations = of_kind("NetworkPolicy")["spec"]["egress"]
    assert {(port["protocol"], port["port"]) for port in names["ports"]} == {
        ("UDP", 53),
        ("TCP", 53),
    }
    assert {port["port"] for port in destinations["ports"]} == {443, 465, 587}
    blocks = [peer["ipBlock"] for peer in destinations["to"]]

    def is_open(address: str) -> bool:
        ip = ipaddress.ip_address(address)
        return any(
            ip in ipaddress.ip_network(block["cidr"])
            and not any(ip in ipaddress.ip_network(hole) for hole in block.get("except", ()))
            for block in blocks
        )

    metadata = ("169.254.169.254", "100.100.100.200", "fe80::1", "fd00:ec2::254")
    assert not any(map(is_open, metadata))
    assert all(map(is_open, ("8.8.8.8", "10.96.0.1", "2606:4700::1")))


def test_the_base_image_is_pinned_by_digest() -> None:
    lines = (ROOT / "Dockerfile").read_text().splitlines()
    bases = [line.split()[1] for line in lines if line.startswith("FROM ")]
    assert len(bases) == 2
    assert len(set(bases)) == 1
    assert all(re.search(r"@sha256:[0-9a-f]{64}$", base) for base in bases)


def test_all_that_the_image_is_built_from_reaches_the_build() -> None:
    allowed = {
        line.removeprefix("!")
        for line in (ROOT / ".dockerignore").read_text().splitlines()
        if line.startswith("!")
    }
    copied = [
        source
        for line in (ROOT / "Dockerfile").read_text().splitlines()
        if line.startswith("COPY ") and "--from" not in line
        for source in line.split()[1:-1]
    ]
    assert copied
    for source in copied:
        assert (ROOT / source).exists(), source
        assert any(source == kept or source.startswith(f"{kept}/") for kept in allowed), source


def requirement(text: str) -> str:
    """A `name==version` with the name as package indexes have it."""
    name, _, version = text.partition("==")
    return f"{re.sub(r'[-_.]+', '-', name).lower()}=={version}"


def hashed(file: str) -> set[str]:
    """What a file of requirements pins, each with a hash and all by constraints.txt."""
    text = (ROOT / file).read_text()
    line = r"^([\w.-]+==[^\s;]+)[^\n]* \\\n\s+--hash=sha256:[0-9a-f]{64}"
    found = re.findall(line, text, re.M)
    assert len(found) == len(re.findall(r"^[\w.-]+", text, re.M))
    assert "://" not in text
    lines = (ROOT / "constraints.txt").read_text().splitlines()
    assert set(map(requirement, found)) <= {requirement(line) for line in lines if "==" in line}
    return {requirement(line).partition("==")[0] for line in found}


def test_what_builds_is_hashed_too() -> None:
    """When this fails: make requirements-build.txt."""
    assert hashed("requirements-build.txt") >= {"hatchling", "cyclonedx-bom"}


def test_the_memory_limit_leaves_room_beside_the_largest_body() -> None:
    (container,) = of_kind("StatefulSet")["spec"]["template"]["spec"]["containers"]
    limit = parse_size(container["resources"]["limits"]["memory"] + "B")
    assert limit >= 256 * 1024**2 + 10 * Http().max_body


def test_the_hashes_are_of_the_versions_that_are_tested() -> None:
    """When this fails: make requirements.txt."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    extras = project["optional-dependencies"]
    wanted = [*project["dependencies"], *extras["postgres"], *extras["otel"]]
    names = {requirement(re.split(r"[<>=\[ ]", it)[0]).partition("==")[0] for it in wanted}
    assert names <= hashed("requirements.txt")


def test_pod_and_container_run_restricted() -> None:
    pod = of_kind("StatefulSet")["spec"]["template"]["spec"]
    (container,) = pod["containers"]
    assert pod["securityContext"]["runAsNonRoot"] is True
    assert pod["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}
    assert container["securityContext"] == {
        "allowPrivilegeEscalation": False,
        "readOnlyRootFilesystem": True,
        "capabilities": {"drop": ["ALL"]},
    }
    assert pod["automountServiceAccountToken"] is False


def test_names_ports_paths_and_labels_agree_across_manifests_and_image() -> None:
    stateful, service = of_kind("StatefulSet")["spec"], of_kind("Service")
    pod = stateful["template"]
    (container,) = pod["spec"]["containers"]
    (port,) = container["ports"]
    assert service["spec"]["selector"].items() <= pod["metadata"]["labels"].items()
    assert stateful["selector"]["matchLabels"] == pod["metadata"]["labels"]
    assert stateful["serviceName"] == service["metadata"]["name"]
    assert service["spec"]["ports"][0]["targetPort"] == port["name"]
    assert pod["metadata"]["annotations"]["prometheus.io/port"] == str(port["containerPort"])
    for probe in ("startupProbe", "livenessProbe", "readinessProbe"):
        assert container[probe]["httpGet"]["path"] in ("/-/healthy", "/-/ready")
    mounts = {mount["mountPath"]: mount for mount in container["volumeMounts"]}
    assert "subPath" not in json.dumps(list(mounts.values()))
    dockerfile = (ROOT / "Dockerfile").read_text()
    assert f"EXPOSE {port['containerPort']}" in dockerfile
    assert f"USER {pod['spec']['securityContext']['runAsUser']}" in dockerfile
    for path in ("/var/lib/alert-router", "/etc/alert-router"):
        assert path in mounts
        assert path in dockerfile


def test_the_grace_period_is_longer_than_the_shutdown_takes(tmp_path: Path) -> None:
    loaded = load(write_deployed(tmp_path))
    grace = of_kind("StatefulSet")["spec"]["template"]["spec"]["terminationGracePeriodSeconds"]
    assert grace > loaded.config.delivery.shutdown_timeout + 10


def image_runbooks(folder: Path) -> Path:
    """The image's directory of runbooks."""
    runbooks = folder / "runbooks"
    shutil.copytree(ROOT / "runbooks", runbooks, dirs_exist_ok=True)
    own = ROOT / "deploy" / "monitoring" / "runbooks"
    shutil.copytree(own, runbooks / "alert-router", dirs_exist_ok=True)
    return runbooks


def write_deployed(folder: Path) -> Path:
    """The ConfigMap's file, with the paths of the image moved here."""
    (text,) = of_kind("ConfigMap")["data"].values()
    path = folder / "alert-router.yaml"
    path.write_text(_moved(text, folder))
    return path


def write_image(folder: Path) -> Path:
    """The image's own configuration, likewise."""
    text = (ROOT / "deploy" / "image" / "alert-router.yaml").read_text()
    path = folder / "alert-router.yaml"
    listen = f'"127.0.0.1:{free_port()}"'
    path.write_text(_moved(text, folder).replace('"0.0.0.0:9095"', listen))
    return path


def _moved(text: str, folder: Path) -> str:
    text = text.replace("/usr/share/alert-router/runbooks", str(image_runbooks(folder)))
    text = text.replace("/usr/share/alert-router/routing.yaml", f"{ROOT}/config/routing.yaml")
    return text.replace("sqlite:////var/lib/alert-router", f"sqlite:///{folder}")


@pytest.mark.parametrize("write", [write_deployed, write_image])
def test_what_is_deployed_is_a_configuration_without_problems(write: Any, tmp_path: Path) -> None:
    loaded = load(write(tmp_path))
    catalogue = Catalogue.load(loaded.config.runbooks.path)
    problems = loaded.problems + cross_check(loaded.runbooks_named, catalogue)
    assert [problem.show() for problem in problems] == []


@pytest.mark.parametrize(
    ("library", "vulnerable", "fixed"),
    [
        ("aiohttp", "3.14.3", "3.14.5"),  # CPU by concatenated streams; no limit on a head's time
        ("aiosmtplib", "5.1.0", "5.1.3"),  # commands in an address
        ("jinja2", "3.1.5", "3.1.6"),  # a way out of the sandbox
    ],
)
def test_releases_with_known_vulnerabilities_cannot_be_installed(
    library: str, vulnerable: str, fixed: str
) -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    (bound,) = [line for line in project["dependencies"] if re.split("[><=]", line)[0] == library]
    lowest = tuple(map(int, bound.partition(">=")[2].split(".")))
    assert tuple(map(int, vulnerable.split("."))) < tuple(map(int, fixed.split("."))) <= lowest
