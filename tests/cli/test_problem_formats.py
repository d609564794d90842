"""Problems as JSON, as annotations of GitHub, and as SARIF."""

import json
import os
import re
from pathlib import Path
from typing import Annotated, Literal
from urllib.parse import unquote

import pytest
from click.testing import CliRunner
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import BaseModel, ConfigDict, Field

from alert_router.cli import main
from alert_router.cli.formats.problems import FORMATS, annotation, relative_path, report, sarif
from alert_router.model.problem import Place, Problem, Severity
from tests.checks.pages import lay_out

HOSTILE = "a%\r\n::error file=x,title=y::z\x1b[31m,:\u202e\t%0A"


@pytest.fixture
def workspace(tmp_path, monkeypatch):
    """A receiver is unknown, an entry is never reached, a runbook is about a whole file."""
    monkeypatch.chdir(tmp_path)
    routing = (
        "runbooks:\n"
        "  - {matchers: 'team=\"db\"', runbook: null}\n"
        "  - {matchers: 'team=\"db\"', runbook: null}\n"
        "route:\n  receiver: oncall\n"
    )
    lay_out(tmp_path, {"config/routing.yaml": routing})
    return tmp_path


def check(*words):
    return CliRunner().invoke(main, ["check", *words])


def test_github_gets_one_annotation_for_each_problem(workspace):
    result = check("--output", "github")
    assert result.exit_code == 0
    assert result.stdout == (
        "::warning file=config/routing.yaml,line=3,col=5,title=routing-shadowed-entry::"
        "no alert reaches this entry: the entry at 2:5 matches everything it could match%0A"
        "remove it: the runbook is the same\n"
        "::notice file=runbooks/alerts/example.md,title=routing-unreached-runbook::"
        "no entry of the runbook table leads to this runbook%0A"
        "only an alert's annotation or name selects it; if people look it up themselves, write "
        "`alerts: none` in its front matter\n"
        "0 errors, 1 warning, 1 info; 2 table entries, 1 receiver, 1 runbook\n"
    )
    assert check("--output", "github", "--strict").exit_code == 1


def test_json_counts_by_severity(workspace):
    answer = json.loads(check("--output", "json").stdout)
    assert (answer["errors"], answer["warnings"], answer["infos"]) == (0, 1, 1)
    assert answer["problems"][0] == {
        "code": "routing-shadowed-entry",
        "severity": "warning",
        "message": "no alert reaches this entry: the entry at 2:5 matches everything "
        "it could match",
        "file": "config/routing.yaml",
        "line": 3,
        "column": 5,
        "hint": "remove it: the runbook is the same",
    }


def test_a_fatal_problem_is_reported_in_every_format(workspace):
    Path("config/routing.yaml").write_text("route: {receiver: nobody}\n", encoding="utf-8")
    for output in FORMATS:
        result = check("--output", output)
        assert result.exit_code == 1
        assert "config-undefined-receiver" in result.stdout


class Strict(BaseModel):
    model_config = ConfigDict(extra="forbid")


class Message(Strict):
    text: Annotated[str, Field(min_length=1)]
    markdown: str = ""


class Rule(Strict):
    id: str
    name: Annotated[str, Field(pattern=r"^([A-Z][a-z0-9]*)+$")]
    shortDescription: Message
    help: Message
    properties: dict[str, str]


class Driver(Strict):
    name: Literal["alert-router"]
    version: str
    rules: list[Rule]


class Tool(Strict):
    driver: Driver


class Region(Strict):
    startLine: Annotated[int, Field(ge=1)]
    startColumn: Annotated[int, Field(ge=1)] = 1
    snippet: Message | None = None


class Artifact(Strict):
    uri: Annotated[str, Field(pattern=r"^[A-Za-z0-9._~:/%!$&'()*+,;=@-]+$")]


class Physical(Strict):
    artifactLocation: Artifact
    region: Region


class Location(Strict):
    physicalLocation: Physical


class Result(Strict):
    ruleId: str
    ruleIndex: int
    level: Literal["error", "warning", "note"]
    message: Message
    locations: Annotated[list[Location], Field(min_length=1, max_length=1)]


class Run(Strict):
    tool: Tool
    columnKind: Literal["unicodeCodePoints"]
    results: list[Result]


class Log(Strict):
    """What SARIF 2.1.0 requires of what we write, and nothing besides."""

    schema_: Annotated[
        str, Field(alias="$schema", pattern=r"^https://.*sarif-schema-2\.1\.0\.json")
    ]
    version: Literal["2.1.0"]
    runs: Annotated[list[Run], Field(min_length=1, max_length=1)]


def test_sarif_has_rules_levels_and_regions(workspace):
    result = check("--output", "sarif")
    (run,) = Log.model_validate(json.loads(result.stdout)).runs
    assert [(each.ruleId, each.level) for each in run.results] == [
        ("routing-shadowed-entry", "warning"),
        ("routing-unreached-runbook", "note"),
    ]
    region = run.results[0].locations[0].physicalLocation
    assert region.artifactLocation.uri == "config/routing.yaml"
    assert (region.region.startLine, region.region.startColumn) == (3, 5)
    assert region.region.snippet.text == "  - {matchers: 'team=\"db\"', runbook: null}"
    whole = run.results[1].locations[0].physicalLocation.region
    assert (whole.startLine, whole.snippet) == (1, None)
    for rule in run.tool.driver.rules:
        assert rule.properties["page"] == f"docs/checks/{rule.id}.md"


TEXTS = st.text(min_size=1, max_size=20) | st.just(HOSTILE)
PROBLEMS = st.builds(
    Problem,
    code=st.sampled_from(["yaml-syntax", "runbook-secret"]),
    message=TEXTS,
    place=st.builds(Place, TEXTS, st.integers(0, 9), st.integers(0, 9)),
    severity=st.sampled_from(Severity),
    hint=st.just("") | TEXTS,
    source=st.just("") | TEXTS,
)


@settings(deadline=None)
@given(st.lists(PROBLEMS, max_size=4))
def test_sarif_is_valid_for_any_text(problems):
    (run,) = Log.model_validate(json.loads(json.dumps(sarif(problems)))).runs
    for problem, result in zip(problems, run.results, strict=True):
        assert run.tool.driver.rules[result.ruleIndex].id == result.ruleId == problem.code
        uri = result.locations[0].physicalLocation.artifactLocation.uri
        if not problem.place.file.startswith("/"):
            assert unquote(uri, errors="surrogatepass") == problem.place.file


COMMAND = re.compile(r"::(error|warning|notice) ((?:\w+=[^,:]*,)*title=[a-z-]+)::([^\r\n]*)")


@settings(deadline=None)
@given(PROBLEMS)
def test_an_annotation_is_one_command_for_any_text(problem):
    line = annotation(problem)
    found = COMMAND.fullmatch(line)
    assert found, line
    assert not re.search(r"[\x00-\x08\x0a-\x1f\x7f]", line)
    assert not re.search(r"%(?!25|0A|0D|3A|2C)", found[2] + found[3])


def test_a_file_named_like_a_command_starts_no_line(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    hostile = "no\x1b text\n::error::b"
    place = Place("a\n::error::b.md", 1, 1)
    problem = Problem("runbook-empty", hostile, place, hint=hostile, source=hostile)
    for output in ("text", "github"):
        report([problem], output)
        lines = capsys.readouterr().out.splitlines()
        assert not [line for line in lines if line.startswith("::error::b")]
        assert "\x1b" not in "".join(lines)


def test_files_are_named_from_the_working_directory_if_they_are_below_it(tmp_path, monkeypatch):
    (tmp_path / "here" / "config").mkdir(parents=True)
    (tmp_path / "elsewhere" / "deep").mkdir(parents=True)
    monkeypatch.chdir(tmp_path / "here")
    Path("link").symlink_to(tmp_path / "elsewhere" / "deep")
    assert relative_path("config/../runbooks/a.md") == "runbooks/a.md"
    assert relative_path(f"{tmp_path}/here/x.yaml") == "x.yaml"
    assert relative_path(f"{tmp_path}/elsewhere/x.yaml") == f"{tmp_path}/elsewhere/x.yaml"
    assert relative_path("../elsewhere/deep/../x.yaml") == "../elsewhere/x.yaml"
    assert relative_path("link/../x.yaml") == os.path.realpath(tmp_path / "elsewhere" / "x.yaml")
    assert relative_path("a\0b") == "a\0b"
