"""How commands tell problems: text for people, JSON, GitHub's annotations, SARIF.

Which problems there are, and how they are counted in words, is for the commands.
"""

import os
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum
from pathlib import Path
from typing import Any, TypeVar

import click

from alert_router.cli.output import (
    clean,
    clean_lines,
    count,
    print_json,
    problem_text,
    show,
    styled,
)
from alert_router.cli.sarif import sarif
from alert_router.model.problem import Problem, Severity

Command = TypeVar("Command", bound=Callable[..., Any])


class Format(StrEnum):
    """How problems are written."""

    TEXT = "text"
    JSON = "json"
    GITHUB = "github"
    SARIF = "sarif"


@dataclass(frozen=True, slots=True)
class Counts:
    """How many problems of each severity."""

    errors: int
    warnings: int
    infos: int

    @classmethod
    def of(cls, problems: Iterable[Problem]) -> "Counts":
        """Those of these problems."""
        found = [problem.severity for problem in problems]
        return cls(*(found.count(severity) for severity in Severity))

    def exit_code(self, *, strict: bool) -> int:
        """0, or 1 for errors, where `strict` for warnings too."""
        return 1 if self.errors or (strict and self.warnings) else 0

    def __str__(self) -> str:
        infos = f", {self.infos} info" if self.infos else ""
        return f"{count(self.errors, 'error')}, {count(self.warnings, 'warning')}{infos}"


def format_option(command: Command) -> Command:
    """Adds `--output text|json|github|sarif`, passed as `output`."""
    return click.option(
        "--output",
        "output",
        type=click.Choice([format.value for format in Format]),
        default=Format.TEXT.value,
        show_default=True,
        callback=lambda _ctx, _option, value: Format(value),
        help="text for people, json for machines, github for annotations in a workflow, "
        "sarif for code scanning.",
    )(command)


def report(
    problems: Sequence[Problem], output: Format, *, summary: str = "", extra: Mapping[str, Any] = {}
) -> Counts:
    """Write the problems, their places relative to the working directory, and their counts.

    `summary` follows the counts where people read; `extra` are more keys for JSON. Returns the
    counts.
    """
    seen: dict[str, str] = {}
    shown = [_relative(problem, seen) for problem in problems]
    counts = Counts.of(shown)
    if output is Format.JSON:
        numbers = {"errors": counts.errors, "warnings": counts.warnings, "infos": counts.infos}
        print_json({"problems": [problem.as_json() for problem in shown], **extra, **numbers})
        return counts
    if output is Format.SARIF:
        print_json(sarif(shown))
        return counts
    if output is Format.GITHUB:
        for problem in shown:
            click.echo(annotation(problem))
    else:
        show(*map(problem_text, shown))
    colour = "bold red" if counts.errors else "yellow" if counts.warnings else "bold green"
    show(styled(f"{counts}{summary}", colour))
    return counts


_GITHUB = {Severity.ERROR: "error", Severity.WARNING: "warning", Severity.INFO: "notice"}


def annotation(problem: Problem) -> str:
    """A workflow command of GitHub Actions, with the escapes of its toolkit (actions/toolkit,
    packages/core/src/command.ts): nothing in a file can end it or begin another."""
    place = problem.place
    where = {"file": clean(place.file), "line": place.line, "col": place.column}
    properties = {**{key: value for key, value in where.items() if value}, "title": problem.code}
    told = ",".join(f"{key}={_property(str(value))}" for key, value in properties.items())
    lines = [problem.message, problem.hint] if problem.hint else [problem.message]
    return f"::{_GITHUB[problem.severity]} {told}::{_data(clean_lines(chr(10).join(lines)))}"


def _data(text: str) -> str:
    return text.replace("%", "%25").replace("\r", "%0D").replace("\n", "%0A")


def _property(text: str) -> str:
    return _data(text).replace(":", "%3A").replace(",", "%2C")


def _relative(problem: Problem, seen: dict[str, str]) -> Problem:
    """The problem with its file as seen from the working directory, where it is below that."""
    file = problem.place.file
    if file not in seen:
        seen[file] = from_here(file)
    return replace(problem, place=replace(problem.place, file=seen[file]))


def from_here(file: str) -> str:
    """`config/../runbooks/a.md` as `runbooks/a.md`, the same file whatever links lead there;
    relative to the working directory if it is below that."""
    try:
        plain = os.path.normpath(file)
        if os.path.realpath(plain) != os.path.realpath(file):  # a link stands before the `..`
            plain = os.path.realpath(file)
        here = Path.cwd()
        return str(Path(plain).relative_to(here)) if Path(plain).is_relative_to(here) else plain
    except (OSError, ValueError):  # such as a name with a NUL
        return file
