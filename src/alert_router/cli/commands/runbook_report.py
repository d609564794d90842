"""`alert-router runbook report`: for how many runbooks a message says what to do."""

import os
from collections import Counter
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

import click
from rich.progress import Progress

from alert_router.checks.usefulness import (
    REASONS,
    Assessment,
    Summary,
    assess,
    unread,
)
from alert_router.cli.formats.coverage import format_percent, verdict_style
from alert_router.cli.options import json_option, label_pairs
from alert_router.cli.output import clean, console, count, print_json, show, styled, table
from alert_router.enrich import FillOutcome
from alert_router.runbook import Catalogue

_SHOWN = 15  # rows of a ranking
_MAX_CELL = 60


@click.command("report")
@click.argument(
    "folders",
    metavar="FOLDER...",
    nargs=-1,
    required=True,
    type=click.Path(exists=True, file_okay=False, path_type=Path),
)
@click.option(
    "--label",
    "labels",
    multiple=True,
    metavar="NAME=VALUE",
    callback=label_pairs,
    help="Label of the sample alert, in addition to the usual ones. Repeatable.",
)
@click.option(
    "--fail-under",
    type=click.FloatRange(0, 100),
    metavar="PERCENT",
    help="Exit with 1 if the messages for a smaller share of the runbooks say what to do.",
)
@json_option
@click.pass_context
def report_command(
    ctx: click.Context,
    folders: tuple[Path, ...],
    labels: dict[str, str],
    fail_under: float | None,
    as_json: bool,
) -> None:
    """Report for how many runbooks the message for an alert says what to do.

    Each FOLDER is one collection. An alert named like each runbook, with the labels that
    Kubernetes alerts usually have, is enriched with default settings. The report says why
    messages say nothing, which headings are not recognized, and which placeholders are not filled.
    Needs no configuration. Exit 1: less than --fail-under.
    """
    collections: dict[str, Summary] = {}
    rows: list[dict[str, Any]] = []
    with Progress(console=console(err=True), transient=True, disable=not _is_terminal()) as bar:
        for folder in folders:
            summary = Summary()
            task = bar.add_task(clean(folder.name or str(folder)), total=None)
            catalogue = Catalogue.load(Path(os.path.normpath(folder)))
            ids = sorted({*catalogue.runbooks, *catalogue.broken})
            for id in bar.track(ids, task_id=task):
                for it in assess(catalogue, id, labels):
                    summary.add(it)
                    if as_json:
                        rows.append({"folder": str(folder), **_runbook_json(it)})
            summary.add_unread(unread(catalogue))
            collections[str(folder)] = summary
    total = Summary()
    for summary in collections.values():
        total += summary
    if as_json:
        print_json(_as_json(collections, total, rows, fail_under))
    else:
        _show(collections, total, fail_under)
    ctx.exit(1 if fail_under is not None and total.percent < fail_under else 0)


def _is_terminal() -> bool:
    return console(err=True).is_terminal


def _mean(collections: Mapping[str, Summary]) -> float:
    shares = [summary.percent for summary in collections.values() if summary.runbooks]
    return sum(shares) / len(shares) if shares else 0.0


def _show(collections: Mapping[str, Summary], total: Summary, fail_under: float | None) -> None:
    columns = (
        "Folder",
        "Runbooks",
        "Says",
        "%",
        "Both sides",
        "One side",
        "Other",
        "None",
        "Not read",
        "Filled",
    )
    rows = [(folder, *_cells(summary)) for folder, summary in collections.items()]
    if len(collections) > 1:
        rows.append(("all", *_cells(total)))
    show(table(*columns, rows=rows))
    reasons = Counter({REASONS[reason]: n for reason, n in total.reasons.items() if n})
    _show_ranking("Why a message does not say what to do", "Runbooks", reasons)
    formats = Counter({f"*{suffix}": number for suffix, number in total.unread.items()})
    _show_ranking("Files not read", "Files", formats)
    _show_ranking("Headings not recognized", "Runbooks", total.unknown_headings)
    not_filled = Counter(
        {f"{written}  ({outcome.value})": n for (written, outcome), n in total.not_filled.items()}
    )
    _show_ranking("Placeholders not filled", "Places", not_filled)
    filled = total.placeholders[FillOutcome.FILLED]
    placeholders = (
        f"{filled} of {count(total.placeholders.total(), 'placeholder')} filled, "
        f"{format_percent(total.percent_filled)}"
    )
    if total.in_commands:
        filled = total.in_commands[FillOutcome.FILLED]
        placeholders += (
            f", in commands {filled} of {total.in_commands.total()}, "
            f"{format_percent(total.percent_filled_in_commands)}"
        )
    with_commands = count(total.commands.total(), "runbook")
    commands = f"{total.commands['all']} of {with_commands} with commands show all"
    details = (
        f"{total.has_steps} have steps on both sides",
        f"{total.is_wall} have a side that is only prose",
        f"{total.is_cut} do not fit a Slack message in full",
    )
    show(f"{placeholders}; {commands}, {total.commands['none']} none", "; ".join(details))
    mean = f", {format_percent(_mean(collections))} as the mean of the folders"
    required = f", required: {fail_under:g} %" if fail_under is not None else ""
    verdict = (
        f"{count(total.runbooks, 'runbook')}: {total.says} say what to do, "
        f"{format_percent(total.percent)}{mean if len(collections) > 1 else ''}{required}"
    )
    show(styled(verdict, verdict_style(total.percent, fail_under)))


def _cells(it: Summary) -> tuple[str, ...]:
    states = [it.states[name] for name in ("both", "one-side", "other", "none", "unread")]
    filled = format_percent(it.percent_filled) if it.placeholders else ""
    return (str(it.runbooks), str(it.says), format_percent(it.percent), *map(str, states), filled)


def _show_ranking(title: str, unit: str, counts: Counter[str]) -> None:
    if not counts:
        return
    rows = [(str(number), _short(text)) for text, number in counts.most_common(_SHOWN)]
    hidden = len(counts) - len(rows)
    show(table(unit, title, rows=[*rows, *([("", f"and {hidden} more")] if hidden > 0 else [])]))


def _short(text: str) -> str:
    return text if len(text) <= _MAX_CELL or text in REASONS.values() else f"{text[:_MAX_CELL]}…"


def _as_json(
    collections: Mapping[str, Summary],
    total: Summary,
    runbooks: list[dict[str, Any]],
    fail_under: float | None,
) -> dict[str, Any]:
    return {
        "folders": [{"folder": name, **_counts_json(it)} for name, it in collections.items()],
        "totals": {**_counts_json(total), "mean_percent": _mean(collections)},
        "reasons": _ranking_json("reason", total.reasons),
        "not_read": _ranking_json("suffix", total.unread),
        "headings": _ranking_json("heading", total.unknown_headings),
        "placeholders": {
            **_outcomes_json(total.placeholders),
            "in_commands": _outcomes_json(total.in_commands),
            "not_filled": [
                {"spelling": written, "outcome": _key(outcome), "count": number}
                for (written, outcome), number in total.not_filled.most_common()
            ],
        },
        "fail_under": fail_under,
        "runbooks": runbooks,
    }


def _key(outcome: FillOutcome) -> str:
    return outcome.name.lower()


def _outcomes_json(counts: Counter[FillOutcome]) -> dict[str, int]:
    return {_key(outcome): counts[outcome] for outcome in FillOutcome}


def _counts_json(it: Summary) -> dict[str, Any]:
    return {
        "runbooks": it.runbooks,
        "says": it.says,
        "percent": it.percent,
        "both": it.states["both"],
        "one_side": it.states["one-side"],
        "other": it.states["other"],
        "none": it.states["none"],
        "not_read": it.states["unread"],
        "several_alerts": it.several_alerts,
        "steps_on_both_sides": it.has_steps,
        "only_prose": it.is_wall,
        "cut": it.is_cut,
        "commands": {name: it.commands[name] for name in ("none", "some", "all")},
        "placeholders": {
            **_outcomes_json(it.placeholders),
            "in_commands": _outcomes_json(it.in_commands),
        },
    }


def _ranking_json(key: str, counts: Counter[str]) -> list[dict[str, Any]]:
    return [{key: text, "count": number} for text, number in counts.most_common() if number]


def _runbook_json(it: Assessment) -> dict[str, Any]:
    found = asdict(it)
    return {
        "runbook": it.id,
        "alert": it.alert or None,
        **{key: found[key] for key in ("state", "says", "reason", "commands")},
        "headings": list(it.unknown_headings),
    }
