"""`alert-router runbook lint`: check runbooks in any directory, without configuration."""

import os
from datetime import UTC, datetime
from pathlib import Path

import click

from alert_router.checks import suppressions
from alert_router.checks.lint import SEVERITIES, lint
from alert_router.cli.formats.problems import FORMATS, report
from alert_router.cli.options import format_option, strict_option
from alert_router.cli.output import count
from alert_router.formats import format_of
from alert_router.runbook import Catalogue

# These need rules, or occur only where bash is missing.
_NOT_CHECKED = frozenset(("runbook-unknown-label", "runbook-shell-unchecked"))


@click.command("lint")
@click.argument(
    "paths",
    metavar="PATH...",
    nargs=-1,
    required=True,
    type=click.Path(exists=True, path_type=Path),
)
@strict_option
@format_option(*FORMATS)
@click.pass_context
def lint_command(ctx: click.Context, paths: tuple[Path, ...], strict: bool, output: str) -> None:
    """Check runbooks: Markdown files, or directories of them.

    A directory is one collection: its runbooks are compared with what most of them have in
    common. Needs no configuration. Exit 0: at most warnings; 1: errors (with --strict, also
    warnings).
    """
    # Without `..`: links can then be followed up to the repository, and places are short.
    catalogues = [_catalogue(Path(os.path.normpath(path))) for path in paths]
    files = [
        catalogue.file(id)
        for catalogue in catalogues
        for id in sorted({*catalogue.runbooks, *catalogue.broken})
    ]
    files = list({file.resolve(): file for file in files}.values())
    today = datetime.now(UTC).date()
    found = [problem for catalogue in catalogues for problem in lint(catalogue, today=today)]
    texts = suppressions.texts_of(map(str, files))
    checked = SEVERITIES.keys() - _NOT_CHECKED
    problems = suppressions.apply_suppressions(dict.fromkeys(found), texts, checked=checked)
    counts = report(
        sorted(problems, key=lambda problem: (problem.place, problem.code)),
        output,
        summary=f"; {count(len(files), 'runbook')}",
        extra={"files": len(files)},
    )
    ctx.exit(counts.exit_code(strict=strict))


def _catalogue(path: Path) -> Catalogue:
    """The runbooks below a directory, or the one in a file."""
    if path.is_dir():
        return Catalogue.load(path)
    if not format_of(path.name):
        raise click.UsageError(
            f"{str(path)!r} is not a runbook: its name must end in `.md`, `.adoc` or, if "
            "alert-router[rst] is installed, `.rst`"
        )
    return Catalogue.of_file(path)
