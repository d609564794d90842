"""Problems as text, as JSON, as annotations of GitHub Actions, or as SARIF 2.1.0 (OASIS) for GitHub
code scanning and others."""

import os
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any
from urllib.parse import quote

import click

from alert_router import __version__
from alert_router.cli.output import (
    clean,
    clean_lines,
    count,
    print_json,
    problem_text,
    show,
    styled,
)
from alert_router.markdown import visible
from alert_router.model.problem import Problem, Severity

_LEVELS = {Severity.ERROR: "error", Severity.WARNING: "warning", Severity.INFO: "note"}


def sarif(problems: Sequence[Problem]) -> dict[str, Any]:
    """The log of one run, with a rule for each code that occurs."""
    codes = sorted({problem.code for problem in problems})
    driver = {
        "name": "alert-router",
        "version": __version__,
        "rules": [_rule(code) for code in codes],
    }
    run = {
        "tool": {"driver": driver},
        "columnKind": "unicodeCodePoints",
        "results": [_result(problem, codes.index(problem.code)) for problem in problems],
    }
    return {
        "$schema": "https://docs.oasis-open.org/sarif/sarif/v2.1.0/errata01/os/schemas/"
        "sarif-schema-2.1.0.json",
        "version": "2.1.0",
        "runs": [run],
    }


def _rule(code: str) -> dict[str, Any]:
    # The page is named rather than linked: SARIF requires an absolute URL.
    page = f"docs/checks/{code}.md"
    return {
        "id": code,
        "name": "".join(word.capitalize() for word in code.split("-")),
        "shortDescription": {"text": code.replace("-", " ")},
        "help": {"text": f"See {page}.", "markdown": f"See `{page}`."},
        "properties": {"page": page},
    }


def _result(problem: Problem, rule: int) -> dict[str, Any]:
    text = f"{problem.message}\n{problem.hint}" if problem.hint else problem.message
    place = problem.place
    # A problem of a whole file is reported at its first line.
    region: dict[str, Any] = {"startLine": max(place.line, 1)}
    if place.line and place.column:
        region["startColumn"] = place.column
    if place.line and problem.source:
        region["snippet"] = {"text": visible(problem.source)}
    location = {"artifactLocation": {"uri": _uri(place.file)}, "region": region}
    return {
        "ruleId": problem.code,
        "ruleIndex": rule,
        "level": _LEVELS[problem.severity],
        "message": {"text": visible(text)},
        "locations": [{"physicalLocation": location}],
    }


def _uri(file: str) -> str:
    path = Path(file)
    if path.is_absolute():
        return path.as_uri()
    return quote(file.encode(errors="surrogateescape"), safe="/")


FORMATS = ("text", "json", "github", "sarif")

_GITHUB_COMMANDS = {
    Severity.ERROR: "error",
    Severity.WARNING: "warning",
    Severity.INFO: "notice",
}


@dataclass(frozen=True, slots=True)
class ProblemCounts:
    """Problems by severity."""

    errors: int
    warnings: int
    infos: int

    @classmethod
    def of(cls, problems: Iterable[Problem]) -> "ProblemCounts":
        severities = [problem.severity for problem in problems]
        return cls(*(severities.count(severity) for severity in Severity))

    def exit_code(self, *, strict: bool) -> int:
        """1 for errors, with `strict` for warnings too; else 0."""
        return 1 if self.errors or (strict and self.warnings) else 0

    def __str__(self) -> str:
        infos = f", {self.infos} info" if self.infos else ""
        return f"{count(self.errors, 'error')}, {count(self.warnings, 'warning')}{infos}"


def report(
    problems: Sequence[Problem], output: str, *, summary: str = "", extra: Mapping[str, Any] = {}
) -> ProblemCounts:
    """Write the problems and their counts in one of FORMATS, with files relative to the working
    directory. `summary` follows the counts in text, `extra` adds keys to the JSON."""
    names = {file: relative_path(file) for file in {problem.place.file for problem in problems}}
    problems = [
        replace(problem, place=replace(problem.place, file=names[problem.place.file]))
        for problem in problems
    ]
    counts = ProblemCounts.of(problems)
    if output == "json":
        numbers = {"errors": counts.errors, "warnings": counts.warnings, "infos": counts.infos}
        print_json({"problems": [problem.as_json() for problem in problems], **extra, **numbers})
    elif output == "sarif":
        print_json(sarif(problems))
    else:
        if output == "github":
            for problem in problems:
                click.echo(annotation(problem))
        else:
            show(*map(problem_text, problems))
        style = "bold red" if counts.errors else "yellow" if counts.warnings else "bold green"
        show(styled(f"{counts}{summary}", style))
    return counts


def annotation(problem: Problem) -> str:
    """A workflow command of GitHub Actions, with the escapes of actions/toolkit
    (packages/core/src/command.ts): no text in a file can end it or start another one."""
    place = problem.place
    fields = {"file": clean(place.file), "line": place.line, "col": place.column}
    properties = {name: value for name, value in fields.items() if value} | {"title": problem.code}
    encoded = ",".join(f"{name}={_property(str(value))}" for name, value in properties.items())
    lines = [problem.message, problem.hint] if problem.hint else [problem.message]
    message = _data(clean_lines("\n".join(lines)))
    return f"::{_GITHUB_COMMANDS[problem.severity]} {encoded}::{message}"


def _data(text: str) -> str:
    return text.replace("%", "%25").replace("\r", "%0D").replace("\n", "%0A")


def _property(text: str) -> str:
    return _data(text).replace(":", "%3A").replace(",", "%2C")


def relative_path(file: str) -> str:
    """`config/../runbooks/a.md` as `runbooks/a.md`: the same file, with symbolic links respected,
    relative to the working directory if it is below it."""
    try:
        path = os.path.normpath(file)
        if os.path.realpath(path) != os.path.realpath(file):  # a link stands before the `..`
            path = os.path.realpath(file)
        here = Path.cwd()
        return str(Path(path).relative_to(here)) if Path(path).is_relative_to(here) else path
    except (OSError, ValueError):  # for example a name with a NUL
        return file
