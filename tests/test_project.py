"""The project's own files: packages and layers as documented, CI and hooks that can run."""

import re
import subprocess
import sys
import tomllib
from pathlib import Path

import yaml

ROOT = Path(__file__).parents[1]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())


def layers() -> list[set[str]]:
    """The layers that import-linter enforces, from the bottom to the top."""
    contract = next(it for it in PROJECT["tool"]["importlinter"]["contracts"] if "layers" in it)
    return [set(layer.split(" | ")) for layer in reversed(contract["layers"])]


def test_contributing_lists_the_packages_layer_by_layer() -> None:
    page = (ROOT / "CONTRIBUTING.md").read_text()
    table = page.split("## Packages")[1].split("\n## ")[0]
    rows = [
        re.findall(r"`([a-z_]+)(/|\.py)`", row.split("|")[1])
        for row in table.splitlines()
        if row.startswith("| `")
    ]
    assert [{name for name, _ in row} for row in rows] == layers()
    package = ROOT / "src" / "alert_router"
    for name, suffix in (entry for row in rows for entry in row):
        assert (package / f"{name}{suffix}").exists(), name


def test_the_list_of_the_layers_is_current() -> None:
    page = (ROOT / "docs" / "architecture.md").read_text()
    (block,) = re.findall(r"^```text\n(.*?)^```", page, re.MULTILINE | re.DOTALL)
    assert [set(line.split(", ")) for line in block.splitlines()] == layers()[::-1]


def test_ci_runs_the_same_script_on_every_supported_python() -> None:
    workflow = yaml.safe_load((ROOT / ".github" / "workflows" / "ci.yml").read_text())
    job = workflow["jobs"]["test"]
    supported = [
        name.rpartition(" ")[2]
        for name in PROJECT["project"]["classifiers"]
        if re.search(r":: 3\.\d+$", name)
    ]
    assert job["strategy"]["matrix"]["python"] == supported
    assert f">={supported[0]}" == PROJECT["project"]["requires-python"]
    assert ".ci/run" in [step.get("run") for step in job["steps"]]


def test_a_workflow_runs_the_properties_with_new_examples() -> None:
    workflow = yaml.safe_load((ROOT / ".github" / "workflows" / "explore.yml").read_text())
    (job,) = workflow["jobs"].values()
    assert "--hypothesis-profile=explore" in job["steps"][-1]["env"]["PYTEST_ARGS"]
    assert job["steps"][-1]["run"] == ".ci/run"
    supported = yaml.safe_load((ROOT / ".github" / "workflows" / "ci.yml").read_text())
    versions = supported["jobs"]["test"]["strategy"]["matrix"]["python"]
    assert job["steps"][1]["with"]["python-version"] == versions[-1]


def test_actions_are_pinned_by_commit() -> None:
    for path in (ROOT / ".github" / "workflows").glob("*.yml"):
        used = re.findall(r"uses: (.+)", path.read_text())
        assert used
        for action in used:
            assert re.fullmatch(r"[\w-]+/[\w-]+@[0-9a-f]{40} # v\d+\.\d+\.\d+", action), action


def test_every_hook_of_the_project_has_its_program_and_files() -> None:
    config = yaml.safe_load((ROOT / ".pre-commit-config.yaml").read_text())
    for hook in config["repos"][0]["hooks"]:
        program, *arguments = hook["entry"].split()
        assert (Path(sys.executable).parent / Path(program).name).exists(), program
        for argument in arguments:
            assert not argument.startswith("tests/") or (ROOT / argument).exists(), argument


def test_the_license_is_the_declared_one() -> None:
    assert PROJECT["project"]["license"] == "Apache-2.0"
    assert "Version 2.0, January 2004" in (ROOT / "LICENSE").read_text()


def test_shell_in_the_workflows_is_clean_to_shellcheck() -> None:
    for path in (ROOT / ".github" / "workflows").glob("*.yml"):
        jobs = yaml.safe_load(path.read_text())["jobs"].values()
        steps = [step["run"] for job in jobs for step in job["steps"] if "run" in step]
        assert steps
        for step in steps:
            command = [Path(sys.executable).parent / "shellcheck", "--shell=bash", "-"]
            done = subprocess.run(command, input=step, capture_output=True, text=True, check=False)
            assert done.returncode == 0, done.stdout


def test_image_and_chart_have_the_version_of_the_package() -> None:
    version = PROJECT["project"]["version"]
    chart = yaml.safe_load((ROOT / "deploy" / "helm" / "alert-router" / "Chart.yaml").read_text())
    assert (chart["version"], chart["appVersion"]) == (version, version)
    assert f"ARG VERSION={version}\n" in (ROOT / "Dockerfile").read_text()


def test_the_documents_install_the_version_of_the_package() -> None:
    version = re.compile(r"alert[-_]router[:-]v?(\d+\.\d+\.\d+)|^ *(?:tag|rev): v?(\d+\.\S+)", re.M)
    pages = [ROOT / "README.md", *(ROOT / "docs").rglob("*.md")]
    named = {"".join(found) for page in pages for found in version.findall(page.read_text())}
    assert named == {PROJECT["project"]["version"]}
