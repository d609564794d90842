"""`alert-router runbook`: list the runbooks, or show one as people read it."""

from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import click
from rich.text import Text

from alert_router.cli import LazyGroup
from alert_router.cli.formats.terminal_markdown import rendered
from alert_router.cli.options import config_option, json_option, label_pairs
from alert_router.cli.output import (
    clean,
    clean_lines,
    console,
    count,
    print_json,
    problem_text,
    show,
    show_error,
    styled,
    table,
)
from alert_router.config import default_config_path, load
from alert_router.enrich import AlertLabels, filling
from alert_router.formats import without_suffix
from alert_router.markdown import Block, Heading, plain, to_text
from alert_router.model import Labels
from alert_router.model.problem import Problem, ProblemsError
from alert_router.notify.webhook import section_data
from alert_router.runbook import Catalogue
from alert_router.runbook.model import Runbook, Section
from alert_router.runbook.parse import MAX_CHARACTERS, parse_runbook


@click.group(
    cls=LazyGroup,
    lazy_commands={
        "lint": ("runbook_lint:lint_command", "Check runbooks, without any configuration."),
        "report": ("runbook_report:report_command", "Report how many messages say what to do."),
        "new": ("runbook_new:new", "Create a runbook and print its routing entry."),
        "index": ("runbook_index:index_command", "Write or check the index of the runbooks."),
    },
)
def runbook() -> None:
    """List, show, check, measure and create runbooks."""


@runbook.command("list")
@config_option
@json_option
def list_(config: Path | None, as_json: bool) -> None:
    """List the runbooks of the configuration.

    Exit 0, whatever problems they have: `check` reports those.
    """
    rows = _rows(_catalogue(config))
    if as_json:
        print_json({"runbooks": rows})
        return
    keys = ("title", "severity", "last_updated", "owner", "sections", "steps")
    cells: list[list[str | Text]] = [
        [
            styled(row["id"], "bold"),
            *(str(row[key]) for key in keys),
            styled(str(len(row["problems"]) or ""), "yellow"),
        ]
        for row in rows
    ]
    columns = ("ID", "Title", "Severity", "Last updated", "Owner", "Sections", "Steps", "Problems")
    show(table(*columns, rows=cells), count(len(rows), "runbook"))


@runbook.command("show")
@config_option
@click.argument("which", metavar="ID|PATH")
@click.option(
    "--section",
    "sections",
    multiple=True,
    metavar="NAME",
    help="Only this section, by its heading or its standard name. Repeatable.",
)
@click.option(
    "--label",
    "labels",
    multiple=True,
    metavar="NAME=VALUE",
    callback=label_pairs,
    help="Fill placeholders with this label, as a notification does. Repeatable.",
)
@json_option
@click.pass_context
def show_(
    ctx: click.Context,
    config: Path | None,
    which: str,
    sections: tuple[str, ...],
    labels: dict[str, str],
    as_json: bool,
) -> None:
    """Show the runbook ID, or the Markdown file at PATH (no configuration needed).

    Exit 1: the runbook, the section or the file does not exist.
    """
    found = _find(which, config)
    if not as_json:
        for problem in found.problems:
            show_error(problem_text(problem))
    if labels:
        found = _filled(found, labels)
    by_name = {name: _named(found, name) for name in sections}
    missing = [name for name, there in by_name.items() if not there]
    for name in missing:
        existing = ", ".join(map(_title, found.sections))
        show_error(f"{found.id} has no section {name!r}; it has: {existing}")
    chosen = [section for there in by_name.values() for section in there]
    if as_json:
        print_json(_as_json(found, chosen if sections else found.sections))
    elif sections:
        _show_blocks([block for section in chosen for block in _blocks(found, section)])
    else:
        _show_blocks(found.blocks)
    ctx.exit(1 if missing else 0)


def _show_blocks(blocks: Sequence[Block]) -> None:
    if console().is_terminal:
        show(*rendered(blocks))
    else:
        click.echo(clean_lines(to_text(blocks)))


def _find(which: str, config: Path | None) -> Runbook:
    """The runbook in a file of this name, if it exists, else the one in the catalogue."""
    path = Path(which)
    try:
        if path.is_file():
            with path.open("rb") as file:
                data = file.read(MAX_CHARACTERS + 1)
            return parse_runbook(data.decode("utf-8-sig", "replace"), id=path.stem, path=which)
    except OSError as error:
        raise click.ClickException(f"cannot read {which!r}: {error.strerror}") from None
    catalogue = _catalogue(config)
    id = catalogue.named(without_suffix(which).strip("/"))
    found = catalogue.get(id)
    if found is not None:
        return found
    if id in catalogue.broken:
        raise ProblemsError(_problems(catalogue, id))
    hint = "`alert-router runbook list` lists the runbooks"
    if similar := catalogue.by_name(which):
        hint = f"did you mean {' or '.join(map(clean, similar))}?"
    raise click.ClickException(f"there is no file and no runbook {which!r}; {hint}")


def _catalogue(config: Path | None) -> Catalogue:
    runbooks = load(config or default_config_path()).config.runbooks
    return Catalogue.load(runbooks.path, headings=runbooks.known_headings())


def _rows(catalogue: Catalogue) -> list[dict[str, Any]]:
    """A row for each runbook, including those that cannot be used."""
    rows = []
    for id in sorted({*catalogue.runbooks, *catalogue.broken}):
        runbook = catalogue.get(id)
        metadata = runbook.metadata if runbook else {}
        sections = runbook.sections if runbook else ()
        rows.append(
            {
                "id": id,
                "title": runbook.title if runbook else "",
                "category": metadata.get("category") or id.rpartition("/")[0],
                "severity": metadata.get("severity", ""),
                "last_updated": metadata.get("last_updated", ""),
                "owner": metadata.get("owner", ""),
                "sections": len(sections),
                "steps": sum(len(section.steps) for section in sections),
                "problems": [problem.as_json() for problem in _problems(catalogue, id)],
            }
        )
    return rows


def _problems(catalogue: Catalogue, id: str) -> list[Problem]:
    file = str(catalogue.file(id))
    return [problem for problem in catalogue.problems if problem.place.file == file]


def _filled(runbook: Runbook, labels: Labels) -> Runbook:
    """The runbook with its placeholders filled, as in a notification for such an alert."""
    prepared = filling(runbook)
    alert = AlertLabels(labels)
    return replace(
        runbook,
        blocks=prepared.blocks(runbook.blocks, alert),
        sections=tuple(prepared.section(section, alert) for section in runbook.sections),
    )


def _named(runbook: Runbook, name: str) -> list[Section]:
    """The sections with this standard name or heading, ignoring case."""
    wanted = name.strip().casefold()
    return [
        section
        for section in runbook.sections
        if wanted in (section.name.casefold(), plain(section.title).strip().casefold())
    ]


def _title(section: Section) -> str:
    return plain(section.title).strip() or section.name


def _blocks(runbook: Runbook, section: Section) -> Iterator[Block]:
    """The section's heading, and everything up to the next section."""
    starts = {other.line for other in runbook.sections}
    is_inside = False
    for block in runbook.blocks:
        if isinstance(block, Heading) and block.line in starts:
            is_inside = block.line == section.line
        if is_inside:
            yield block


def _as_json(runbook: Runbook, sections: Sequence[Section]) -> dict[str, Any]:
    return {
        "id": runbook.id,
        "title": runbook.title,
        "metadata": dict(runbook.metadata),
        "sections": [section_data(section) | {"title": _title(section)} for section in sections],
        "problems": [problem.as_json() for problem in runbook.problems],
    }
