"""`alert-router coverage --observed`: which alerts really came in, and whether they had a runbook.

What that means is `coverage.observed`'s; this reads the store beside a running router and shows
it: text, JSON, Markdown, JUnit.
"""

import time
from pathlib import Path

import click
from rich.text import Text

from alert_router.alert_stats.report import Observed, ObservedAlert, read_observed
from alert_router.cli.coverage_words import percent
from alert_router.cli.junit import Result, TestCase, TestSuite, junit_xml
from alert_router.cli.markdown import cell
from alert_router.cli.output import clean_lines, count, print_json, show, styled, table
from alert_router.cli.store import read_config, with_store
from alert_router.outbox.observed import Observation

_COLUMNS = ("#", "Alert", "Woke", "Received", "Runbook", "Last seen", "With runbook")
_MARKDOWN_ROWS = 200  # GitHub takes 65,536 characters in a comment
_COLOURS = {"covered": "green", "none-wanted": "dim", "uncovered": "bold red"}
_NOTE = "The runbook is the one chosen when an alert last came or was told, not by today's table."


def report_observed(config: Path | None, days: int, fail_under: float | None, output: str) -> bool:
    """Write what the configuration's store has of the last `days` days to standard output;
    whether as much has a runbook as is wanted."""
    found = with_store(read_config(config), lambda outbox: read_observed(outbox, days, time.time()))
    match output:
        case "json":
            print_json(found.as_json() | {"fail_under": fail_under})
        case "markdown":
            click.echo(clean_lines(_markdown(found, fail_under)))
        case "junit":
            click.echo(_junit(found))
        case _:
            _show(found, fail_under)
    return fail_under is None or found.totals.percent >= fail_under


def _show(found: Observed, fail_under: float | None) -> None:
    if found.alerts:
        rows = [_coloured(rank, alert) for rank, alert in enumerate(found.alerts, 1)]
        show(table(*_COLUMNS, rows=rows), styled(_NOTE, "dim"))
    is_short = fail_under is not None and found.totals.percent < fail_under
    share = found.totals.percent
    colour = "bold red" if is_short else "bold green" if share == 100 else "bold yellow"
    show(styled(_verdict(found, fail_under), colour))


def _coloured(rank: int, alert: ObservedAlert) -> list[str | Text]:
    *before, runbook, seen, share = _row(rank, alert)
    return [*before, styled(runbook, _COLOURS[alert.state]), seen, share]


def _row(rank: int, alert: ObservedAlert) -> tuple[str, ...]:
    counts = alert.counts
    wanting = counts.covered + counts.uncovered
    return (
        str(rank),
        alert.name or "(no name)",
        str(counts.woken),
        str(counts.received),
        _runbooks(alert),
        alert.last_seen.date().isoformat(),
        percent(counts.percent) if wanting else "-",
    )


def _runbooks(alert: ObservedAlert) -> str:
    """The last choice, and how many others there were."""
    more = len(alert.choices) - 1
    return _runbook(alert.choices[0]) + (f" (before: {count(more, 'other')})" if more else "")


def _runbook(choice: Observation) -> str:
    if choice.runbook:
        return f"{choice.runbook} (by {choice.way})"
    return "none wanted" if choice.way == "table" else "none"


def _verdict(found: Observed, fail_under: float | None) -> str:
    """All in one line."""
    counts = found.totals
    if not found.alerts:
        said = f"no alert came in since {found.since}"
    else:
        said = (
            f"{count(len(found.alerts), 'alert name')} since {found.since}: "
            f"{counts.received} received, {counts.covered} with a runbook, "
            f"{counts.uncovered} without, {counts.none_wanted} that want none; "
            f"someone was woken {count(counts.woken, 'time')}"
        )
    wanted = f", {fail_under:g} % are wanted" if fail_under is not None else ""
    return f"{said}; {percent(counts.percent)} covered{wanted}"


def _markdown(found: Observed, fail_under: float | None) -> str:
    lines = ["### Observed runbook coverage", "", _verdict(found, fail_under), ""]
    if found.alerts:
        lines += [f"| {' | '.join(_COLUMNS)} |", "|--:|---|--:|--:|---|---|--:|"]
    for rank, alert in enumerate(found.alerts[:_MARKDOWN_ROWS], 1):
        number, name, woken, received, runbook, seen, share = _row(rank, alert)
        values = (number, cell(name), woken, received, cell(runbook), seen, share)
        lines.append(f"| {' | '.join(values)} |")
    if len(found.alerts) > _MARKDOWN_ROWS:
        lines += ["", f"and {len(found.alerts) - _MARKDOWN_ROWS} more"]
    if found.alerts:
        lines += ["", _NOTE]
    return "\n".join(lines).rstrip()


def _junit(found: Observed) -> str:
    cases = [_case(rank, alert) for rank, alert in enumerate(found.alerts, 1)]
    return junit_xml(
        "alert-router coverage --observed", [TestSuite(f"alerts since {found.since}", cases)]
    )


def _case(rank: int, alert: ObservedAlert) -> TestCase:
    name, counts = alert.name or "(no name)", alert.counts
    said = (
        f"rank {rank}: woke someone {count(counts.woken, 'time')}, "
        f"received {count(counts.received, 'time')}"
    )
    result: dict[str, Result] = {"none-wanted": "skipped", "uncovered": "failure"}
    message = {"none-wanted": "no runbook is wanted", "uncovered": f"no runbook; {said}"}
    state = alert.state
    return TestCase(
        name, "observed", result.get(state, "passed"), message.get(state, ""), said, state
    )
