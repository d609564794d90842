"""`alert-router runbook lint`: what is wrong in runbooks, of any directory, without configuration.

What is looked for is `lint`'s; what comments silence, `silence`'s; how it is written, `problems`'.
"""

import os
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from pathlib import Path

import click

from alert_router.checks import suppressions
from alert_router.checks.lint import SEVERITIES, lint
from alert_router.cli.output import count
from alert_router.cli.problems import Format, format_option, report
from alert_router.model.problem import Problem
from alert_router.runbook import Catalogue

# Without rules, or where there is bash, these are not looked for.
_NOT_JUDGED = frozenset(("runbook-unknown-label", "runbook-shell-unchecked"))


@click.command("lint")
@click.argument(
    "paths",
    metavar="PATH...",
    nargs=-1,
    required=True,
    type=click.Path(exists=True, path_type=Path),
)
@click.option("--strict", is_flag=True, help="Warnings are findings too: exit 1.")
@format_option
@click.pass_context
def lint_(ctx: click.Context, paths: tuple[Path, ...], strict: bool, output: Format) -> None:
    """Check runbooks: Markdown files, or directories of them.

    A directory is one collection: its runbooks are held to what most of them are like. Needs no
    configuration. Exit 0: nothing worse than warnings; 1: errors (with --strict, warnings too).
    """
    # Without `..`, so that links can be followed up to the repository and places read well.
    catalogues = [_catalogue(Path(os.path.normpath(path))) for path in paths]
    files = {file.resolve(): file for catalogue in catalogues for file in _files(catalogue)}
    problems = _problems(catalogues, files.values())
    summary = f"; {count(len(files), 'runbook')}"
    counts = report(problems, output, summary=summary, extra={"files": len(files)})
    ctx.exit(counts.exit_code(strict=strict))


def _catalogue(path: Path) -> Catalogue:
    """The runbooks below a directory, or the one of a file."""
    if path.is_dir():
        return Catalogue.load(path)
    if path.suffix != ".md":
        raise click.UsageError(f"{str(path)!r} is no runbook: the name of one ends in `.md`")
    return Catalogue.of_file(path)


def _problems(catalogues: Sequence[Catalogue], files: Iterable[Path]) -> list[Problem]:
    """Every problem once, but for those that comments silence, in the order of files and lines."""
    today = datetime.now(UTC).date()
    found = [problem for catalogue in catalogues for problem in lint(catalogue, today=today)]
    texts = suppressions.texts_of(map(str, files))
    judged = SEVERITIES.keys() - _NOT_JUDGED
    left = suppressions.apply_suppressions(dict.fromkeys(found), texts, checked=judged)
    return sorted(left, key=lambda problem: (problem.place, problem.code))


def _files(catalogue: Catalogue) -> Iterable[Path]:
    """The files that were looked at."""
    for id in sorted({*catalogue.runbooks, *catalogue.broken}):
        yield Path(catalogue.root, f"{id}.md")
