"""`alert-router runbook new`: the beginning of a runbook, and the routing entry that leads to it.

What it begins with is `runbook.generate`'s.
"""

from datetime import UTC, datetime
from pathlib import Path

import click
import re2

from alert_router.cli import CONFIG
from alert_router.cli.output import clean, clean_lines, join, output_option, print_json, show
from alert_router.config import default_config_path, load
from alert_router.matcher import Matcher, Op
from alert_router.runbook.generate import check_id, scaffold


def _id(_ctx: click.Context, _param: click.Parameter, value: str) -> str:
    try:
        return check_id(value.removesuffix(".md"))
    except ValueError as error:
        raise click.BadParameter(f"{value!r}: {error}") from None


@click.command("new")
@CONFIG
@click.argument("id", metavar="CATEGORY/NAME", callback=_id)
@click.option(
    "--alert", "alerts", multiple=True, metavar="NAME", help="An alert it is for; may be repeated."
)
@click.option("--title", default="", help="By default made of the name.")
@click.option(
    "--severity",
    type=click.Choice(["critical", "warning", "info"]),
    default="warning",
    show_default=True,
    help="How grave what it is about is.",
)
@click.option("--owner", default="TODO", help="The team that keeps it true.")
@click.option(
    "--path",
    "root",
    type=click.Path(path_type=Path, file_okay=False),
    help="The runbooks' directory; by default the configuration's.",
)
@output_option
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
    """Begin the runbook CATEGORY/NAME, with all sections, and print the routing entry to paste.

    What is still to be written says TODO, and `check` finds it. Exit 1: there is such a file.
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
        raise click.ClickException(f"{clean(str(path))} is there already") from None
    except OSError as error:
        raise click.ClickException(f"cannot write {path}: {error.strerror}") from None
    if as_json:
        print_json({"file": str(path), "entry": _entry(id, alerts) if alerts else None})
        return
    show(join(("wrote ", "dim"), (str(path), "bold")))
    if alerts:
        under = join(("Under `runbooks:` in routing.yaml:", "dim"))
        show("", under, clean_lines(_entry(id, alerts)))
    else:
        show(join(("No alert leads to it yet: --alert NAME prints the entry.", "dim")))


def _entry(id: str, alerts: tuple[str, ...]) -> str:
    """The table's entry, YAML: single quotes take a matcher as it stands but for themselves."""
    lines = [f"  - matchers: {_quoted(_matcher(alerts))}", f"    runbook: {id}"]
    return "\n".join(lines)


def _matcher(alerts: tuple[str, ...]) -> str:
    if len(alerts) == 1:
        return str(Matcher("alertname", Op.EQUAL, alerts[0]))
    return str(Matcher("alertname", Op.REGEX, "|".join(map(re2.escape, alerts))))


def _quoted(text: str) -> str:
    doubled = text.replace("'", "''")
    return f"['{doubled}']"
