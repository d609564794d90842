"""`alert-router runbook`: the runbooks there are, and one of them as people read it.

Parsing and the catalogue are `runbook`'s, filling placeholders `enrich`'s.
"""

from collections.abc import Sequence
from pathlib import Path

import click
from rich.text import Text

from alert_router.cli import CONFIG
from alert_router.cli.blocks import rendered
from alert_router.cli.group import InOrder
from alert_router.cli.labels import pairs
from alert_router.cli.lint import lint_
from alert_router.cli.output import (
    clean_lines,
    console,
    count,
    output_option,
    print_json,
    problem_text,
    show,
    styled,
    table,
    tell,
)
from alert_router.cli.runbook_index import index_
from alert_router.cli.runbook_new import new
from alert_router.cli.runbook_view import as_json as runbook_as_json
from alert_router.cli.runbook_view import (
    blocks_of,
    filled,
    list_rows,
    named,
    problems_of,
    title_of,
)
from alert_router.config import default_config_path, load
from alert_router.markdown import Block, to_text
from alert_router.model.problem import ProblemsError
from alert_router.runbook import Catalogue
from alert_router.runbook.model import Runbook
from alert_router.runbook.parse import MAX_CHARACTERS, parse_runbook


@click.group(cls=InOrder)
def runbook() -> None:
    """The runbooks: list them, show one, check them."""


@runbook.command("list")
@CONFIG
@output_option
def list_(config: Path | None, as_json: bool) -> None:
    """List the runbooks of the configuration.

    Exit 0, whatever is wrong with them: that is for `check`.
    """
    rows = list_rows(_catalogue(config))
    if as_json:
        print_json({"runbooks": rows})
        return
    cells: list[list[str | Text]] = [
        [
            styled(row["id"], "bold"),
            *(str(row[key]) for key in ("title", "severity", "last_updated", "owner")),
            *(str(row[key]) for key in ("sections", "steps")),
            styled(str(len(row["problems"]) or ""), "yellow"),
        ]
        for row in rows
    ]
    columns = ("ID", "Title", "Severity", "Last updated", "Owner", "Sections", "Steps", "Problems")
    show(table(*columns, rows=cells), count(len(rows), "runbook"))


@runbook.command("show")
@CONFIG
@click.argument("which", metavar="ID|PATH")
@click.option(
    "--section",
    "sections",
    multiple=True,
    metavar="NAME",
    help="Only this section, by its heading or its standard name; may be repeated.",
)
@click.option(
    "--label",
    "labels",
    multiple=True,
    metavar="NAME=VALUE",
    callback=pairs,
    help="Fill placeholders with this label, as a notification would; may be repeated.",
)
@output_option
@click.pass_context
def show_(
    ctx: click.Context,
    config: Path | None,
    which: str,
    sections: tuple[str, ...],
    labels: dict[str, str],
    as_json: bool,
) -> None:
    """Show the runbook ID, or the Markdown file at PATH (without any configuration).

    Exit 1: there is no such runbook, section or file.
    """
    found = _find(which, config)
    if not as_json:
        for problem in found.problems:
            tell(problem_text(problem))
    if labels:
        found = filled(found, labels)
    chosen = [section for name in sections for section in named(found, name)]
    missing = [name for name in sections if not named(found, name)]
    for name in missing:
        there = ", ".join(map(title_of, found.sections))
        tell(f"{found.id} has no section {name!r}; it has: {there}")
    if as_json:
        print_json(runbook_as_json(found, chosen if sections else found.sections))
    else:
        parts = [block for section in chosen for block in blocks_of(found, section)]
        _show(parts if sections else found.blocks)
    ctx.exit(1 if missing else 0)


def _show(blocks: Sequence[Block]) -> None:
    if console().is_terminal:
        show(*rendered(blocks))
    else:
        click.echo(clean_lines(to_text(blocks)))


def _find(which: str, config: Path | None) -> Runbook:
    """The runbook of a file, if there is such a file, else that of the catalogue."""
    path = Path(which)
    try:
        if path.is_file():
            with path.open("rb") as file:
                data = file.read(MAX_CHARACTERS + 1)
            return parse_runbook(data.decode("utf-8-sig", "replace"), id=path.stem, path=which)
    except OSError as error:
        raise click.ClickException(f"cannot read {which!r}: {error.strerror}") from None
    catalogue = _catalogue(config)
    id = which.removesuffix(".md").strip("/")
    found = catalogue.get(id)
    if found is not None:
        return found
    if id in catalogue.broken:
        raise ProblemsError(problems_of(catalogue, id))
    hint = "`alert-router runbook list` shows those there are"
    raise click.ClickException(f"there is no file and no runbook {which!r}; {hint}")


def _catalogue(config: Path | None) -> Catalogue:
    return Catalogue.load(load(config or default_config_path()).config.runbooks.path)


runbook.add_command(lint_)
runbook.add_command(new)
runbook.add_command(index_)
