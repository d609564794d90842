"""Every example in the documents is loaded by what reads it, and every command is one that exists.

Commands of this program are run, except those listed here with the reason. The pages of docs/checks
and docs/notifiers have tests of their own as well.
"""

import os
import re
import shlex
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

import click
import kubernetes_validate
import pytest
import yaml
from click.testing import CliRunner
from markdown_it import MarkdownIt
from pydantic import TypeAdapter

from alert_router.checks.routing_tests import load_cases
from alert_router.cli import main
from alert_router.cli.commands.send import read_http_config
from alert_router.config import load
from alert_router.config.web import read_web_config
from alert_router.notify.registry import AnyNotifier
from tests.programs import PATIENCE, RUNBOOK, eventually, need, router

ROOT = Path(__file__).parent.parent
PAGES = [
    page
    for pattern in (
        "*.md",
        "docs/*.md",
        "docs/notifiers/*.md",
        "docs/checks/README.md",
        "docs/decisions/*.md",
        "deploy/**/README.md",
    )
    for page in sorted(ROOT.glob(pattern))
]

# Programs that these tests do not run. Their lines are only checked by shellcheck.
NOT_RUN = {
    "cat": "reads a secret from the terminal",
    "cosign": "asks a registry for an image that is not published yet",
    "curl": "there is no Prometheus",
    "docker": "there is no Docker here; hadolint reads the Dockerfile",
    "git": "fetches from the Internet",
    "helm": "there is no cluster; tests/test_chart.py renders the chart",
    "kubectl": "there is no cluster",
    "pip": "tests/stories install the wheel",
    "rm": "removes what was made before",
    "umask": "sets the mode of a file that is written by hand",
}
# Commands of this program that are only parsed.
NEEDS_MORE = {
    "serve": "runs until it is stopped: tests/stories",
    "send": "needs a running router: tests/cli/test_send.py",
    "health": "needs a running router: tests/stories/test_web_config_story.py",
    "init": "asks questions where nothing is given: tests/cli/test_init.py",
    "storage copy": "needs PostgreSQL: tests/stories/test_postgres_story.py",
}


class Fence(NamedTuple):
    page: Path
    line: int
    language: str
    title: str
    text: str

    def __str__(self) -> str:
        return f"{self.page.relative_to(ROOT)}:{self.line}"


def fences() -> Iterator[Fence]:
    for page in PAGES:
        for token in MarkdownIt().parse(page.read_text(encoding="utf-8")):
            if token.type == "fence":
                language, _, rest = token.info.partition(" ")
                title = re.fullmatch(r'(?:title="(.*)")?', rest)
                assert title, f"{page}: {token.info}"
                line = token.map[0] + 1 if token.map else 0
                yield Fence(page, line, language, title[1] or "", token.content)


FENCES = list(fences())


# --- Configuration


def amtool(config: Any, folder: Path) -> None:
    """An excerpt gets the receivers or the route that it leaves out."""
    config.setdefault("route", {}).setdefault("receiver", "default")
    named = {config["route"]["receiver"]}
    named |= {route["receiver"] for route in config["route"].get("routes", [])}
    receivers = config.setdefault("receivers", [])
    known = {receiver["name"] for receiver in receivers}
    receivers += [{"name": name} for name in named - known]
    (folder / "alertmanager.yml").write_text(yaml.safe_dump(config))
    command = [need("amtool"), "check-config", str(folder / "alertmanager.yml")]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


def main_file(text: str, folder: Path, routing: str = "") -> None:
    if "receivers:" not in text:
        text += "receivers: [{name: default}]\n"
    first = re.search(r"receivers:\s+(?:-|\[\{) ?name: (\S+?)}?\]?\n", text)
    assert first
    (folder / "alert-router.yaml").write_text(text)
    (folder / "routing.yaml").write_text(routing or f"route: {{receiver: {first[1]}}}\n")
    load(folder / "alert-router.yaml")


def routing_file(text: str, folder: Path) -> None:
    names = sorted(set(re.findall(r"receiver: ([\w-]+)", text)))
    receivers = yaml.safe_dump({"receivers": [{"name": name} for name in names]})
    main_file(receivers, folder, text)


def cases_file(text: str, folder: Path) -> None:
    (folder / "cases.yaml").write_text(text)
    assert isinstance(load_cases(folder / "cases.yaml"), list)


def web_file(text: str, folder: Path) -> None:
    (folder / "web-config.yml").write_text(text)
    read_web_config(folder / "web-config.yml")


def http_file(text: str, folder: Path) -> None:
    (folder / "http.yml").write_text(text)
    read_http_config(folder / "http.yml")


def notifier(text: str, folder: Path) -> None:
    data = yaml.safe_load(text)
    if "type" not in data:  # keys that many have
        data |= {"type": "slack", "url_file": "slack-url"}
    TypeAdapter(AnyNotifier).validate_python(data, context={"base": folder})


def chart_values(text: str, folder: Path) -> None:
    if not os.environ.get("CI"):
        pytest.importorskip("helm_python")
    from scripts.manifests import render

    assert list(yaml.safe_load_all(render(yaml.safe_load(text))))


def stack_values(text: str, folder: Path) -> None:
    amtool(yaml.safe_load(text)["alertmanager"]["config"], folder)


def manifest(text: str, folder: Path) -> None:
    kubernetes_validate.validate(yaml.safe_load(text), "1.31", strict=True)


def any_yaml(text: str, folder: Path) -> None:
    assert yaml.safe_load(text)


READERS: dict[str, Callable[[str, Path], None]] = {
    "alert-router.yaml": main_file,
    "alertmanager.yml": lambda text, folder: amtool(yaml.safe_load(text), folder),
    "alert-router-values.yaml": chart_values,
    "cases.yaml": cases_file,
    "kube-prometheus-stack-values.yaml": stack_values,
    "http.yml": http_file,
    "restore-pod.yaml": manifest,
    "routing.yaml": routing_file,
    "web-config.yml": web_file,
    # tests/test_ci_hooks.py reads these too.
    ".github/workflows/runbooks.yml": any_yaml,
    ".gitlab-ci.yml": any_yaml,
    ".pre-commit-config.yaml": any_yaml,
}


def reader(fence: Fence) -> Callable[[str, Path], None]:
    if fence.title:
        return READERS[fence.title.removeprefix("config/")]
    if fence.page.parent.name == "notifiers":
        return notifier
    return chart_values if "helm" in fence.page.parts else main_file


@pytest.mark.parametrize("fence", [each for each in FENCES if each.language == "yaml"], ids=str)
def test_every_yaml_example_is_accepted_by_what_reads_it(fence: Fence, tmp_path: Path) -> None:
    (tmp_path / "rules").mkdir()
    reader(fence)(fence.text, tmp_path)


def test_every_example_is_in_a_language_that_a_test_knows() -> None:
    # Others: a notifier's module, its body and a runbook have tests of their own; text is output.
    known = {"yaml", *SHELL, "text", "python", "json", "markdown", "dockerfile"}
    assert {fence.language for fence in FENCES} <= known


def test_the_dockerfile_in_the_documents_is_clean_to_hadolint() -> None:
    (example,) = (fence.text for fence in FENCES if fence.language == "dockerfile")
    command = [Path(sys.executable).parent / "hadolint", "-"]
    done = subprocess.run(command, input=example, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout


# --- Commands


SHELL = ("sh", "bash", "console")
BLOCKS = [fence for fence in FENCES if fence.language in SHELL]


def command_lines(fence: Fence) -> list[str]:
    """The lines of a block that are typed: of a session, those with a prompt."""
    lines = re.sub(r"\\\n *", "", fence.text).splitlines()
    if fence.language == "console":
        return [line[2:] for line in lines if line.startswith("$ ")]
    return [line for line in lines if line and not line.startswith("#")]


def commands(fence: Fence) -> Iterator[list[str]]:
    """The simple commands of a block, without redirections."""
    for line in command_lines(fence):
        lexer = shlex.shlex(line, posix=True, punctuation_chars="();<>|&")
        lexer.whitespace_split = True
        lexer.commenters = "#"
        words: list[str] = []
        skip = False
        for word in [*lexer, ";"]:
            if set(word) <= set("();|&"):
                if words:
                    yield words
                words = []
            elif set(word) <= set("<>"):
                skip = True
            elif skip:
                skip = False
            elif words or not re.match(r"[A-Z_]+=", word):  # no variable set for the command
                words.append(word)


def resolve(words: list[str]) -> tuple[str, click.Command, click.Context, list[str]]:
    """The command of this program that these words name, and the rest. Raises AssertionError."""
    command: click.Command = main
    context = click.Context(main)
    names = []
    words = words[1:]
    while isinstance(command, click.Group) and words and not words[0].startswith("-"):
        names.append(words[0])
        found = command.get_command(context, words.pop(0))
        assert found is not None, names
        command, context = found, click.Context(found, parent=context, info_name=names[-1])
    return " ".join(names), command, context, words


def ours() -> Iterator[tuple[Fence, list[str]]]:
    for fence in BLOCKS:
        for words in commands(fence):
            within = words[0] == "kubectl" and "--" in words
            inner = words[words.index("--") + 1 :] if within else words
            if inner[0] == "alert-router":
                yield fence, inner


def test_every_program_in_the_documents_is_run_or_listed_with_a_reason() -> None:
    programs = {words[0] for fence in BLOCKS for words in commands(fence)}
    assert programs - {"alert-router"} == set(NOT_RUN)


def test_every_shell_block_is_clean_to_shellcheck() -> None:
    script = "\n".join(line for fence in BLOCKS for line in command_lines(fence))
    command = [Path(sys.executable).parent / "shellcheck", "--shell=bash", "-"]
    done = subprocess.run(command, input=script, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout


@pytest.fixture
def workspace(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """What the commands of the documents work on."""
    for name in ("config", "runbooks"):
        shutil.copytree(ROOT / name, tmp_path / name)
    shutil.copytree(ROOT / "runbooks" / "alerts", tmp_path / "runbooks" / "content")
    (tmp_path / "rules").mkdir()
    shutil.copy(ROOT / "config" / "prometheus-rules.yaml", tmp_path / "rules")
    shutil.copy(ROOT / "config" / "prometheus-rules.yaml", tmp_path / "rules.yaml")
    shutil.copy(ROOT / "demo" / "payloads" / "3-redis.json", tmp_path / "payload.json")
    (tmp_path / "drafts").mkdir()
    shutil.copy(
        ROOT / "runbooks" / "alerts" / "redis-issues.md", tmp_path / "drafts/new-runbook.md"
    )
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_the_commands_of_this_program_run_as_written(workspace: Path) -> None:
    runner = CliRunner()
    assert runner.invoke(main, ["storage", "migrate"]).exit_code == 0
    wrong = []
    done: set[str] = set()
    for fence, words in ours():
        name, _, _, _ = resolve(words)
        if name in NEEDS_MORE or shlex.join(words) in done:
            continue
        done.add(shlex.join(words))
        payload = (workspace / "payload.json").read_bytes()
        result = runner.invoke(main, words[1:], input=payload)
        # These pages name deliveries and files that do not exist here.
        allowed = (0, 1) if fence.page.stem in ("commands", "operations") else (0,)
        if result.exit_code not in allowed or not isinstance(result.exception, SystemExit | None):
            wrong.append(f"{fence}: {shlex.join(words)}: {result.exit_code}\n{result.output}")
    assert len(done) > 20
    assert not wrong, "\n".join(wrong)


def test_every_command_and_option_in_the_text_exists() -> None:
    wrong = []
    for page in PAGES:
        text = page.read_text(encoding="utf-8")
        for command in re.findall(r"(?<!`)`alert-router ([a-z][^`]*)`", text):
            try:
                _, found, context, _ = resolve(["", *command.split()])
            except AssertionError as error:
                wrong.append(f"{page.name}: {command}: {error}")
                continue
            known = {name for option in found.get_params(context) for name in option.opts}
            wrong += [
                f"{page.name}: {command}: {option}"
                for option in re.findall(r"(?<=\s)--[a-z][a-z.-]*", command)
                if option not in known
            ]
    assert wrong == []


async def test_the_first_steps_of_the_readme_lead_to_a_message_with_steps(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    start = (ROOT / "README.md").read_text().split("## Start")[1]
    page = tmp_path / "runbooks" / "content" / "runbooks" / "kubernetes" / "KubePodCrashLooping.md"
    page.parent.mkdir(parents=True)  # instead of `git clone`
    page.write_text(RUNBOOK)
    monkeypatch.chdir(tmp_path)

    def typed(command: str) -> list[str]:
        (line,) = re.findall(rf"^alert-router ({command}\b.*)$", start, re.MULTILINE)
        return shlex.split(line)

    done = CliRunner().invoke(main, typed("init"), input="\n\n")
    assert done.exit_code == 0, done.output
    assert typed("serve") == ["serve"]  # with the configuration that init wrote
    anywhere = ("--web.listen-address=127.0.0.1:0",)
    async with router(tmp_path / "config" / "alert-router.yaml", arguments=anywhere) as process:
        command = [Path(sys.executable).parent / "alert-router", *typed("send")]
        subprocess.run([*command, "--url", process.url], check=True, timeout=PATIENCE)
        await eventually(
            lambda: "kubectl -n prod delete pod api-0" in process.text(), "the message"
        )
