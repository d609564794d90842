"""The coverage of received alerts as text, JSON, Markdown or JUnit XML."""

import click
from rich.text import Text

from alert_router.alert_stats import Observed, ObservedAlert
from alert_router.cli.formats.coverage import (
    MAX_MARKDOWN_ROWS,
    format_percent,
    more_rows,
    table_cell,
    verdict_style,
)
from alert_router.cli.formats.junit import CaseState, TestCase, TestSuite, junit_xml
from alert_router.cli.output import clean_lines, count, print_json, show, styled, table

_COLUMNS = ("#", "Alert", "Notified", "Received", "Runbook", "Last seen", "With runbook")
_STYLES = {"covered": "green", "none-wanted": "dim", "uncovered": "bold red"}
_NOTE = "The runbook is the one chosen when an alert was last received or notified."


def write_observed(found: Observed, fail_under: float | None, output: str) -> None:
    """Write the report to standard output as text, json, markdown or junit."""
    match output:
        case "json":
            print_json(found.as_json() | {"fail_under": fail_under})
        case "markdown":
            click.echo(clean_lines(_as_markdown(found, fail_under)))
        case "junit":
            click.echo(_as_junit(found))
        case _:
            _show(found, fail_under)


def _show(found: Observed, fail_under: float | None) -> None:
    if found.alerts:
        rows: list[list[str | Text]] = []
        for rank, alert in enumerate(found.alerts, 1):
            *before, runbook, seen, share = _row(rank, alert)
            rows.append([*before, styled(runbook, _STYLES[alert.state]), seen, share])
        show(table(*_COLUMNS, rows=rows), styled(_NOTE, "dim"))
    style = verdict_style(found.totals.percent, fail_under)
    show(styled(_verdict(found, fail_under), style))


def _row(rank: int, alert: ObservedAlert) -> tuple[str, ...]:
    counts = alert.counts
    return (
        str(rank),
        alert.name or "(no name)",
        str(counts.woken),
        str(counts.received),
        _runbook(alert),
        alert.last_seen.date().isoformat(),
        format_percent(counts.percent) if counts.covered + counts.uncovered else "-",
    )


def _runbook(alert: ObservedAlert) -> str:
    """The latest choice, and the number of earlier ones."""
    latest, *earlier = alert.choices
    if latest.runbook:
        name = f"{latest.runbook} (by {latest.way})"
    else:
        name = "none wanted" if latest.way == "table" else "none"
    return f"{name} (before: {count(len(earlier), 'other')})" if earlier else name


def _verdict(found: Observed, fail_under: float | None) -> str:
    counts = found.totals
    if found.alerts:
        text = (
            f"{count(len(found.alerts), 'alert name')} since {found.since}: "
            f"{counts.received} received, {counts.covered} with a runbook, "
            f"{counts.uncovered} without, {counts.none_wanted} with none wanted; "
            f"{count(counts.woken, 'notification')}"
        )
    else:
        text = f"no alerts received since {found.since}"
    required = f", required: {fail_under:g} %" if fail_under is not None else ""
    return f"{text}; {format_percent(counts.percent)} covered{required}"


def _as_markdown(found: Observed, fail_under: float | None) -> str:
    lines = ["### Observed runbook coverage", "", _verdict(found, fail_under), ""]
    if found.alerts:
        lines += [f"| {' | '.join(_COLUMNS)} |", "|--:|---|--:|--:|---|---|--:|"]
        for rank, alert in enumerate(found.alerts[:MAX_MARKDOWN_ROWS], 1):
            number, name, notified, received, runbook, seen, share = _row(rank, alert)
            values = (number, table_cell(name), notified, received, table_cell(runbook))
            lines.append(f"| {' | '.join((*values, seen, share))} |")
        lines += ["", *more_rows(len(found.alerts)), _NOTE]
    return "\n".join(lines).rstrip()


def _as_junit(found: Observed) -> str:
    cases = [_test_case(rank, alert) for rank, alert in enumerate(found.alerts, 1)]
    suite = TestSuite(f"alerts since {found.since}", cases)
    return junit_xml("alert-router coverage --observed", [suite])


def _test_case(rank: int, alert: ObservedAlert) -> TestCase:
    counts, state = alert.counts, alert.state
    numbers = f"rank {rank}: {count(counts.woken, 'notification')}, {counts.received} received"
    result: dict[str, CaseState] = {"none-wanted": "skipped", "uncovered": "failure"}
    message = {"none-wanted": "no runbook wanted", "uncovered": f"no runbook; {numbers}"}
    name = alert.name or "(no name)"
    return TestCase(
        name, "observed", result.get(state, "passed"), message.get(state, ""), numbers, state
    )
