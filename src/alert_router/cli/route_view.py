"""The route tree and the runbook table, and what an alert meets in them, as text and as data."""

from collections.abc import Iterable, Iterator, Sequence
from typing import Any

from rich.text import Text
from rich.tree import Tree

from alert_router.cli.output import count, join, styled
from alert_router.enrich import Choice
from alert_router.matcher import Matcher
from alert_router.model.problem import Place
from alert_router.routing import EntryStep, Miss, Route, RouteStep, RunbookEntry, RunbookTable

# A table with no more entries that failed than this is shown whole.
_SHORT = 10


def place_json(place: Place | None) -> dict[str, Any]:
    """Where it is configured; keys are stable."""
    return {"file": place.file if place else "", "line": place.line if place else 0}


def route_json(route: Route, inherited: str = "") -> dict[str, Any]:
    """The tree, receivers resolved."""
    receiver = route.receiver or inherited
    return {
        "receiver": receiver,
        "matchers": [str(matcher) for matcher in route.matchers],
        "continue": route.continue_,
        **place_json(route.place),
        "routes": [route_json(child, receiver) for child in route.routes],
    }


def entry_json(entry: RunbookEntry) -> dict[str, Any]:
    """A line of the runbook table."""
    return {
        "matchers": [str(matcher) for matcher in entry.matchers],
        "runbook": entry.runbook,
        **place_json(entry.place),
    }


def entry_step_json(step: EntryStep) -> dict[str, Any]:
    """An entry that was looked at."""
    return {
        "index": step.index,
        **entry_json(step.entry),
        "matched": step.matched,
        "misses": _misses_json(step.misses),
    }


def route_step_json(step: RouteStep) -> dict[str, Any]:
    """A node that was looked at; `result` says whether its receiver is told."""
    return {
        "path": list(step.path),
        "receiver": step.receiver,
        "matchers": [str(matcher) for matcher in step.route.matchers],
        "continue": step.route.continue_,
        **place_json(step.route.place),
        "matched": step.matched,
        "result": step.is_result,
        "misses": _misses_json(step.misses),
    }


def route_tree(route: Route, inherited: str = "") -> Tree:
    """The tree for people."""
    receiver = route.receiver or inherited
    tree = Tree(_node_line(route, receiver), guide_style="dim")
    for child in route.routes:
        tree.add(route_tree(child, receiver))
    return tree


def runbook_text(runbook: str | None) -> Text:
    """A runbook's id, or that none is wanted."""
    return styled(runbook, "green") if runbook is not None else styled("none", "dim")


def matchers_text(matchers: Iterable[Matcher]) -> Text:
    """Matchers as they are written."""
    return styled(", ".join(str(matcher) for matcher in matchers) or "everything", "cyan")


def way_text(choice: Choice, table: RunbookTable) -> str:
    """How the runbook was found, or why there is none."""
    match choice.way:
        case "table":
            assert choice.entry is not None
            place = table.entries[choice.entry].place
            found = "" if choice.runbook is not None else ", which wants none"
            return f"by the runbook table: entry {choice.entry + 1} at {place}{found}"
        case "annotation":
            return "by the alert's annotation"
        case "name":
            return "by the alert's name"
        case "default":
            return "by default_runbook"
        case "none":
            return "no entry, annotation, name or default led to one"


def table_walk(steps: Sequence[EntryStep]) -> Iterator[Text]:
    """The entries that were looked at; of a long table those that nearly matched."""
    missed = [step for step in steps if not step.matched]
    near = [step for step in missed if len(step.misses) < len(step.entry.matchers)]
    shown = missed if len(missed) <= _SHORT else near[:_SHORT]
    for step in steps:
        if step.matched or step in shown:
            place = (f"  {step.entry.place}", "dim")
            line = join(_mark(step.matched), matchers_text(step.entry.matchers), " → ")
            yield join("  ", line, runbook_text(step.entry.runbook), place)
            yield from _misses_text(step.misses, "      ")
    if hidden := len(missed) - len(shown):
        entries = count(hidden, "earlier entry", "earlier entries")
        yield join((f"  and {entries} further from matching (--output json has all)", "dim"))


def route_walk(steps: Sequence[RouteStep]) -> Iterator[Text]:
    """The nodes that were looked at, indented as they are nested."""
    for step in steps:
        indent = "  " * (len(step.path) + 1)
        told = ("  ← told", "bold green") if step.is_result else ""
        place = (f"  {step.route.place}", "dim")
        line = join(_mark(step.matched), _node_line(step.route, step.receiver))
        yield join(indent, line, told, place)
        yield from _misses_text(step.misses, indent + "    ")


def _node_line(route: Route, receiver: str) -> Text:
    goes_on = (" (continue)", "dim") if route.continue_ else ""
    return join(matchers_text(route.matchers), " → ", (receiver, "bold"), goes_on)


def _mark(matched: bool) -> Text:
    return styled("✓ ", "bold green") if matched else styled("✗ ", "red")


def _misses_text(misses: Iterable[Miss], indent: str) -> Iterator[Text]:
    for miss in misses:
        found = f"is {_quoted(miss.found)}" if miss.found else "is not there, or empty"
        name = miss.matcher.name
        yield join(indent, (str(miss.matcher), "cyan"), " does not match: ", name, f" {found}")


def _quoted(value: str) -> str:
    return '"' + value.replace("\\", "\\\\").replace('"', '\\"') + '"'


def _misses_json(misses: Iterable[Miss]) -> list[dict[str, str]]:
    return [{"matcher": str(miss.matcher), "found": miss.found} for miss in misses]
