"""`alert-router route`: show the routing, or explain how one alert is routed."""

from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

import click
from rich.text import Text
from rich.tree import Tree

from alert_router.cli import LazyGroup
from alert_router.cli.options import config_option, json_option, label_pairs
from alert_router.cli.output import count, join, print_json, show, styled, table
from alert_router.config import default_config_path, load
from alert_router.matcher import Matcher
from alert_router.model.problem import Place
from alert_router.preview.decision import Decision, matchers_text, mismatch, reason
from alert_router.preview.sample_alert import make_alert
from alert_router.routing import EntryStep, Miss, Route, RouteStep, RunbookEntry
from alert_router.runtime import read_runtime


@click.group(cls=LazyGroup)
def route() -> None:
    """Show the routing, or explain how one alert is routed."""


@route.command("show")
@config_option
@json_option
def show_(config: Path | None, as_json: bool) -> None:
    """Show the route tree (who is notified) and the runbook table (what to do)."""
    loaded = load(config or default_config_path())
    if as_json:
        print_json(
            {
                "route": _route_json(loaded.tree.root),
                "runbooks": [_entry_json(entry) for entry in loaded.table.entries],
                "default_runbook": loaded.default_runbook,
            }
        )
        return
    show(_title("Receivers"), _tree(loaded.tree.root), "", _title("Runbooks"))
    if loaded.table.entries:
        rows = [
            (_matchers(entry.matchers), _runbook(entry.runbook), str(entry.place or ""))
            for entry in loaded.table.entries
        ]
        show(table("Matchers", "Runbook", "Place", rows=rows))
    show(join("Default runbook: ", _runbook(loaded.default_runbook)))


@route.command("test")
@config_option
@click.argument("labels", nargs=-1, required=True, metavar="LABEL=VALUE...", callback=label_pairs)
@click.option(
    "--annotation",
    "annotations",
    multiple=True,
    metavar="NAME=VALUE",
    callback=label_pairs,
    help="Annotation of the alert, such as runbook_url. Repeatable.",
)
@json_option
def test(
    config: Path | None, labels: dict[str, str], annotations: dict[str, str], as_json: bool
) -> None:
    """Show the runbook and the receivers of an alert with these labels, and explain why."""
    runtime = read_runtime(config or default_config_path())
    decision = Decision.of(make_alert(labels, annotations), runtime)
    choice = decision.choice
    if as_json:
        print_json(
            {
                "labels": labels,
                "annotations": annotations,
                "runbook": choice.runbook,
                "way": choice.way,
                "entry": choice.entry,
                "problem": choice.problem,
                "entries": [_entry_step_json(step) for step in decision.entries],
                "receivers": list(decision.receivers),
                "routes": [_route_step_json(step) for step in decision.routes],
            }
        )
        return
    indent = " " * 11
    show(join((f"{'runbook':<11}", "bold"), _runbook(choice.runbook)))
    show(join(indent, (reason(choice, runtime.loaded.table), "dim")))
    if choice.problem:
        show(join(indent, (choice.problem, "yellow")))
    show(join((f"{'receivers':<11}", "bold"), ", ".join(decision.receivers)))
    if decision.entries:
        show("", _title("Runbook table"), *_explain_table(decision))
    show("", _title("Route"), *_explain_routes(decision.routes))


def _route_json(route: Route, inherited: str = "") -> dict[str, Any]:
    """The tree with inherited receivers filled in."""
    receiver = route.receiver or inherited
    return {
        "receiver": receiver,
        "matchers": [str(matcher) for matcher in route.matchers],
        "continue": route.continue_,
        **_place_json(route.place),
        "routes": [_route_json(child, receiver) for child in route.routes],
    }


def _entry_json(entry: RunbookEntry) -> dict[str, Any]:
    return {
        "matchers": [str(matcher) for matcher in entry.matchers],
        "runbook": entry.runbook,
        **_place_json(entry.place),
    }


def _entry_step_json(step: EntryStep) -> dict[str, Any]:
    return {
        "index": step.index,
        **_entry_json(step.entry),
        "matched": step.matched,
        "misses": _misses_json(step.misses),
    }


def _route_step_json(step: RouteStep) -> dict[str, Any]:
    return {
        "path": list(step.path),
        "receiver": step.receiver,
        "matchers": [str(matcher) for matcher in step.route.matchers],
        "continue": step.route.continue_,
        **_place_json(step.route.place),
        "matched": step.matched,
        "result": step.is_result,
        "misses": _misses_json(step.misses),
    }


def _place_json(place: Place | None) -> dict[str, Any]:
    return {"file": place.file if place else "", "line": place.line if place else 0}


def _misses_json(misses: Iterable[Miss]) -> list[dict[str, str]]:
    return [{"matcher": str(miss.matcher), "found": miss.found} for miss in misses]


def _title(text: str) -> Text:
    return styled(text, "bold underline")


def _tree(route: Route, inherited: str = "") -> Tree:
    receiver = route.receiver or inherited
    tree = Tree(_route_line(route, receiver), guide_style="dim")
    for child in route.routes:
        tree.add(_tree(child, receiver))
    return tree


def _route_line(route: Route, receiver: str) -> Text:
    suffix = (" (continue)", "dim") if route.continue_ else ""
    return join(_matchers(route.matchers), " → ", (receiver, "bold"), suffix)


def _matchers(matchers: Sequence[Matcher]) -> Text:
    return styled(matchers_text(matchers), "cyan")


def _runbook(runbook: str | None) -> Text:
    return styled(runbook, "green") if runbook is not None else styled("none", "dim")


def _explain_table(decision: Decision) -> Iterator[Text]:
    """The entries that were tried; of a long table only those that nearly matched."""
    steps, hidden = decision.telling()
    for step in steps:
        place = (f"  {step.entry.place}", "dim")
        line = join(_sign(step.matched), _matchers(step.entry.matchers), " → ")
        yield join("  ", line, _runbook(step.entry.runbook), place)
        yield from _misses(step.misses, "      ")
    if hidden:
        entries = count(hidden, "other entry", "other entries")
        yield join((f"  and {entries} without a match (--output json lists all)", "dim"))


def _explain_routes(steps: Sequence[RouteStep]) -> Iterator[Text]:
    """The routes that were tried, indented by their depth."""
    for step in steps:
        indent = "  " * (len(step.path) + 1)
        result = ("  ← notified", "bold green") if step.is_result else ""
        place = (f"  {step.route.place}", "dim")
        line = join(_sign(step.matched), _route_line(step.route, step.receiver))
        yield join(indent, line, result, place)
        yield from _misses(step.misses, indent + "    ")


def _sign(matched: bool) -> Text:
    return styled("✓ ", "bold green") if matched else styled("✗ ", "red")


def _misses(misses: Iterable[Miss], indent: str) -> Iterator[Text]:
    for miss in misses:
        yield join(indent, (str(miss.matcher), "cyan"), f" does not match: {mismatch(miss)}")
