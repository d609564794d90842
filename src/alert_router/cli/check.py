"""`alert-router check`: everything that is wrong with configuration, routing and runbooks.

Finding problems is for those who read the files; here they are gathered, shown and counted.
"""

from pathlib import Path

import click

from alert_router import document
from alert_router.cli import CONFIG
from alert_router.cli.output import count, output_option, print_json, problem_text, show, styled
from alert_router.config import Config, default_config_path
from alert_router.config.validate import validate
from alert_router.problem import Problem, ProblemsError, Severity
from alert_router.runbook import Catalogue
from alert_router.service.snapshot import read


@click.command()
@CONFIG
@click.option("--strict", is_flag=True, help="Warnings are findings too: exit 1.")
@output_option
@click.pass_context
def check(ctx: click.Context, config: Path | None, strict: bool, as_json: bool) -> None:
    """Check the configuration, the routing and the runbooks.

    Tells every problem at once, with its place. Works where the secrets are not: what cannot be
    read is a warning. Exit 0: usable; 1: errors (with --strict, warnings too).
    """
    problems, summary = _examine(config)
    errors = sum(problem.severity is Severity.ERROR for problem in problems)
    warnings = sum(problem.severity is Severity.WARNING for problem in problems)
    if as_json:
        shown = [problem.as_json() for problem in problems]
        print_json({"problems": shown, "errors": errors, "warnings": warnings})
    else:
        show(*map(problem_text, problems))
        verdict = f"{count(errors, 'error')}, {count(warnings, 'warning')}"
        colour = "bold red" if errors else "yellow" if warnings else "bold green"
        show(styled(f"{verdict}{summary}", colour))
    ctx.exit(1 if errors or (strict and warnings) else 0)


def _examine(config: Path | None) -> tuple[list[Problem], str]:
    """Every problem, in the order of files and lines, and what the configuration has."""
    path = config or default_config_path()
    try:
        snapshot = read(path)
    except ProblemsError as error:
        return _in_order((*error.problems, *_of_runbooks(path))), ""
    loaded = snapshot.loaded
    parts = (
        count(len(loaded.table.entries), "table entry", "table entries"),
        count(len(loaded.config.receivers), "receiver"),
        count(len(snapshot.state.catalogue.runbooks), "runbook"),
    )
    return _in_order(snapshot.problems), f"; {', '.join(parts)}"


def _of_runbooks(path: Path) -> tuple[Problem, ...]:
    """What is wrong with the runbooks, where the main file at least says where they are."""
    try:
        main, _ = validate(document.read(path), Config)
    except ProblemsError:
        return ()
    return Catalogue.load(main.runbooks.path).problems if main else ()


def _in_order(problems: tuple[Problem, ...]) -> list[Problem]:
    return sorted(dict.fromkeys(problems), key=lambda problem: (problem.place, problem.code))
