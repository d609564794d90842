"""`alert-router runbook new`: create a runbook and print the routing entry that selects it."""

from datetime import UTC, datetime
from pathlib import Path

import click

from alert_router.cli.options import config_option, json_option
from alert_router.cli.output import clean, clean_lines, join, print_json, show
from alert_router.config import default_config_path, load
from alert_router.runbook.generate import check_id, routing_entry, scaffold


def _id(_ctx: click.Context, _param: click.Parameter, value: str) -> str:
    try:
        return check_id(value.removesuffix(".md"))
    except ValueError as error:
        raise click.BadParameter(f"{value!r}: {error}") from None


@click.command("new")
@config_option
@click.argument("id", metavar="CATEGORY/NAME", callback=_id)
@click.option(
    "--alert", "alerts", multiple=True, metavar="NAME", help="Alert it is for. Repeatable."
)
@click.option("--title", default="", help="Title. Default: made from the name.")
@click.option(
    "--severity",
    type=click.Choice(["critical", "warning", "info"]),
    default="warning",
    show_default=True,
    help="Severity of the problem it is about.",
)
@click.option("--owner", default="TODO", help="Team that maintains it.")
@click.option(
    "--path",
    "root",
    type=click.Path(path_type=Path, file_okay=False),
    help="Directory of the runbooks. Default: from the configuration.",
)
@json_option
def new(
    config: Path | None,
    id: str,
    alerts: tuple[str, ...],
    title: str,
    severity: str,
    owner: str,
    root: Path | None,
    as_json: bool,
) -> None:
    """Create the runbook CATEGORY/NAME with all sections, and print the routing entry to paste.

    Parts to be written are marked TODO, which `check` reports. Exit 1: the file exists.
    """
    root = root or load(config or default_config_path()).config.runbooks.path
    path = root / f"{id}.md"
    today = datetime.now(UTC).date()
    text = scaffold(id, title=title, alerts=alerts, severity=severity, owner=owner, today=today)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with path.open("x", encoding="utf-8") as file:
            file.write(text)
    except FileExistsError:
        raise click.ClickException(f"{clean(str(path))} already exists") from None
    except OSError as error:
        raise click.ClickException(f"cannot write {path}: {error.strerror}") from None
    entry = routing_entry(id, alerts) if alerts else None
    if as_json:
        print_json({"file": str(path), "entry": entry})
        return
    show(join(("created ", "dim"), (str(path), "bold")))
    if entry:
        show("", join(("Add to `runbooks:` in routing.yaml:", "dim")), clean_lines(entry))
    else:
        show(join(("No alert selects it yet; --alert NAME prints a routing entry.", "dim")))
