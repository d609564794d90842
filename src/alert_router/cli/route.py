"""`alert-router route`: the routing as it is, and what becomes of one alert and why.

How things look is `route_view`; what matches is `route`'s, which runbook is chosen `enrich`'s.
"""

from pathlib import Path

import click
from rich.text import Text

from alert_router.cli import CONFIG
from alert_router.cli.group import InOrder
from alert_router.cli.labels import make_alert, pairs
from alert_router.cli.output import join, output_option, print_json, show, styled, table
from alert_router.cli.route_view import (
    entry_json,
    entry_step_json,
    matchers_text,
    route_json,
    route_step_json,
    route_tree,
    route_walk,
    runbook_text,
    table_walk,
    way_text,
)
from alert_router.config import default_config_path, load
from alert_router.server.runtime import read_runtime


@click.group(cls=InOrder)
def route() -> None:
    """The routing: show it, or ask what becomes of an alert."""


@route.command("show")
@CONFIG
@output_option
def show_(config: Path | None, as_json: bool) -> None:
    """Show the route tree (who is told) and the runbook table (what to do)."""
    loaded = load(config or default_config_path())
    if as_json:
        print_json(
            {
                "route": route_json(loaded.tree.root),
                "runbooks": [entry_json(entry) for entry in loaded.table.entries],
                "default_runbook": loaded.default_runbook,
            }
        )
        return
    show(_title("Receivers"), route_tree(loaded.tree.root), "", _title("Runbooks"))
    if loaded.table.entries:
        rows = [
            (matchers_text(entry.matchers), runbook_text(entry.runbook), str(entry.place or ""))
            for entry in loaded.table.entries
        ]
        show(table("Matchers", "Runbook", "Place", rows=rows))
    show(join("Default runbook: ", runbook_text(loaded.default_runbook)))


@route.command("test")
@CONFIG
@click.argument("labels", nargs=-1, required=True, metavar="LABEL=VALUE...", callback=pairs)
@click.option(
    "--annotation",
    "annotations",
    multiple=True,
    metavar="NAME=VALUE",
    callback=pairs,
    help="An annotation of the alert, such as runbook_url; may be repeated.",
)
@output_option
def test(
    config: Path | None, labels: dict[str, str], annotations: dict[str, str], as_json: bool
) -> None:
    """Tell what becomes of an alert with these labels: its runbook, its receivers, and why."""
    snapshot = read_runtime(config or default_config_path())
    loaded = snapshot.loaded
    choice = snapshot.desk.choose(make_alert(labels, annotations))
    entries = loaded.table.explain(labels)
    receivers = loaded.tree.match(labels)
    routes = loaded.tree.explain(labels)
    if as_json:
        print_json(
            {
                "labels": labels,
                "annotations": annotations,
                "runbook": choice.runbook,
                "way": choice.way,
                "entry": choice.entry,
                "problem": choice.problem,
                "entries": [entry_step_json(step) for step in entries],
                "receivers": list(receivers),
                "routes": [route_step_json(step) for step in routes],
            }
        )
        return
    show(join((f"{'runbook':<11}", "bold"), runbook_text(choice.runbook)))
    show(join(" " * 11, (way_text(choice, loaded.table), "dim")))
    if choice.problem:
        show(join(" " * 11, (choice.problem, "yellow")))
    show(join((f"{'receivers':<11}", "bold"), ", ".join(receivers)))
    if entries:
        show("", _title("Runbook table"), *table_walk(entries))
    show("", _title("Route"), *route_walk(routes))


def _title(text: str) -> Text:
    return styled(text, "bold underline")
