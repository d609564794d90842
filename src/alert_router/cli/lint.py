"""`alert-router runbook lint`: what is wrong in runbooks, of any directory, without configuration.

What is looked for is `lint`'s; this gathers, shows and counts.
"""

from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from pathlib import Path

import click

from alert_router.cli.output import count, output_option, print_json, problem_text, show, styled
from alert_router.lint import lint
from alert_router.problem import Problem, Severity
from alert_router.runbook import Catalogue


@click.command("lint")
@click.argument(
    "paths",
    metavar="PATH...",
    nargs=-1,
    required=True,
    type=click.Path(exists=True, path_type=Path),
)
@click.option("--strict", is_flag=True, help="Warnings are findings too: exit 1.")
@output_option
@click.pass_context
def lint_(ctx: click.Context, paths: tuple[Path, ...], strict: bool, as_json: bool) -> None:
    """Check runbooks: Markdown files, or directories of them.

    A directory is one collection: its runbooks are held to what most of them are like. Needs no
    configuration. Exit 0: nothing worse than warnings; 1: errors (with --strict, warnings too).
    """
    catalogues = [_catalogue(path) for path in paths]
    problems = _problems(catalogues)
    files = len({file for catalogue in catalogues for file in _files(catalogue)})
    errors, warnings, infos = (_number(problems, severity) for severity in Severity)
    if as_json:
        shown = [problem.as_json() for problem in problems]
        counts = {"files": files, "errors": errors, "warnings": warnings, "infos": infos}
        print_json({"problems": shown, **counts})
    else:
        show(*map(problem_text, problems))
        verdict = f"{count(errors, 'error')}, {count(warnings, 'warning')}, {infos} info"
        colour = "bold red" if errors else "yellow" if warnings else "bold green"
        show(styled(f"{verdict}; {count(files, 'runbook')}", colour))
    ctx.exit(1 if errors or (strict and warnings) else 0)


def _catalogue(path: Path) -> Catalogue:
    """The runbooks below a directory, or the one of a file."""
    return Catalogue.of_file(path) if path.is_file() else Catalogue.load(path)


def _problems(catalogues: Sequence[Catalogue]) -> list[Problem]:
    """Every problem once, in the order of files and lines."""
    today = datetime.now(UTC).date()
    found = [problem for catalogue in catalogues for problem in lint(catalogue, today=today)]
    return sorted(dict.fromkeys(found), key=lambda problem: (problem.place, problem.code))


def _files(catalogue: Catalogue) -> Iterable[Path]:
    """The files that were looked at, whichever argument led to them."""
    for id in {*catalogue.runbooks, *catalogue.broken}:
        yield Path(catalogue.root, f"{id}.md").resolve()


def _number(problems: Iterable[Problem], severity: Severity) -> int:
    return sum(problem.severity is severity for problem in problems)
