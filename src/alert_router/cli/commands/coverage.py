"""`alert-router coverage`: which alerts have a runbook, by the rules or by what was received."""

import sys
import time
from collections.abc import Iterable
from pathlib import Path

import click
from rich.text import Text

from alert_router.alert_stats import Observed, ObservedAlert, read_observed
from alert_router.checks import severities
from alert_router.checks.coverage import AlertCoverage, RoutingRules, cover, totals
from alert_router.checks.rules import read_rules
from alert_router.checks.usefulness import REASONS, SAMPLE_LABELS, assess_message
from alert_router.cli.formats.coverage import (
    MAX_MARKDOWN_ROWS,
    CoverageReport,
    format_percent,
    more_rows,
    table_cell,
    verdict_style,
)
from alert_router.cli.formats.junit import CaseState, TestCase, TestSuite, junit_xml
from alert_router.cli.options import config_option, format_option
from alert_router.cli.outbox_access import read_config, with_outbox
from alert_router.cli.output import clean_lines, count, print_json, show, styled, table
from alert_router.config import default_config_path, load
from alert_router.model.problem import Severity
from alert_router.outbox.model import KEPT_DAYS
from alert_router.runbook import Catalogue
from alert_router.yaml_source import MAX_BYTES

# Of the report on received alerts.
_COLUMNS = ("#", "Alert", "Notified", "Received", "Runbook", "Last seen", "With runbook")
_STYLES = {"covered": "green", "none-wanted": "dim", "uncovered": "bold red"}
_NOTE = "The runbook is the one chosen when an alert was last received or notified."


def _known_labels(
    _ctx: click.Context, parameter: click.Parameter, values: tuple[str, ...]
) -> dict[str, str | None]:
    """A click callback: NAME=VALUE or NAME arguments; None for a value that is not known."""
    found: dict[str, str | None] = {}
    for text in values:
        name, equals, value = text.partition("=")
        if not name or name == "alertname":
            expected = "expected NAME=VALUE, or NAME for a value that is not known"
            raise click.BadParameter(f"{text!r}: {expected}", param=parameter)
        if name in found:
            raise click.BadParameter(f"{name!r} is given twice", param=parameter)
        found[name] = value if equals else None
    return found


@click.command()
@config_option
@click.argument("rules", nargs=-1)
@click.option(
    "--observed",
    is_flag=True,
    help="Instead of rules, use the alerts that were received, from the router's store.",
)
@click.option(
    "--days",
    type=click.IntRange(1, KEPT_DAYS),
    help=f"With --observed: number of days, including today. Default: {KEPT_DAYS}.",
)
@click.option(
    "--fail-under",
    type=click.FloatRange(0, 100),
    metavar="PERCENT",
    help="Exit with 1 if a smaller share of the alerts that want a runbook has one.",
)
@click.option(
    "--label",
    "labels",
    multiple=True,
    metavar="NAME[=VALUE]",
    callback=_known_labels,
    help="Label that alerts have unless their rule sets it, such as an external label of "
    "Prometheus. Without a value: the value is not known. Repeatable.",
)
@format_option("text", "json", "markdown", "junit")
@click.pass_context
def coverage(
    ctx: click.Context,
    config: Path | None,
    rules: tuple[str, ...],
    observed: bool,
    days: int | None,
    fail_under: float | None,
    labels: dict[str, str | None],
    output: str,
) -> None:
    """Report for each alerting rule which runbook its alerts get, why, and who is notified.

    RULES are Prometheus rule files, PrometheusRule resources, directories, patterns, or - for
    standard input. Default: `checks.rules` of the configuration. If the answer depends on a label
    that no rule file sets, the report names the label. Exit 0: success; 1: less coverage than
    --fail-under, or errors in the rules.
    With --observed the report covers the alerts that were received, ranked by the number of
    notifications.
    """
    if observed:
        if rules or labels:
            raise click.UsageError("--observed reads the store: omit RULES and --label")
        percent = _report_observed(config, days or KEPT_DAYS, fail_under, output)
        has_errors = False
    else:
        if days is not None:
            raise click.UsageError("--days requires --observed")
        percent, has_errors = _report_rules(config, rules, labels, fail_under, output)
    is_low = fail_under is not None and percent < fail_under
    ctx.exit(1 if is_low or has_errors else 0)


def _report_rules(
    config: Path | None,
    rules: tuple[str, ...],
    labels: dict[str, str | None],
    fail_under: float | None,
    output: str,
) -> tuple[float, bool]:
    """Report on rules; return the percentage, and whether the rule files have errors."""
    loaded = load(config or default_config_path())
    checks, runbooks = loaded.config.checks, loaded.config.runbooks
    names = [*rules] or [str(name) for name in checks.rules]
    if not names:
        raise click.UsageError(
            "Missing argument 'RULES...': give rule files, set `checks.rules` in the configuration,"
            " or use --observed"
        )
    catalogue = Catalogue.load(runbooks.path, headings=runbooks.known_headings())
    routing = RoutingRules(loaded.table, loaded.tree, loaded.default_runbook, catalogue)
    found = read_rules(names, lambda: sys.stdin.buffer.read(MAX_BYTES + 1))
    alerts = cover(found.alerts, routing, dict.fromkeys(checks.labels) | labels)
    scale = loaded.config.severities.scale()
    problems = (*found.problems, *severities.in_rules(found.alerts, scale))
    silent = _silent(alerts, catalogue)
    CoverageReport(alerts, routing, problems, found.passed_over, fail_under, silent).write(output)
    has_errors = any(problem.severity is Severity.ERROR for problem in problems)
    return totals(alerts).percent, has_errors


def _silent(alerts: Iterable[AlertCoverage], catalogue: Catalogue) -> dict[str, str]:
    """Why the message says nothing to do, by runbook, for those that alerts can get."""
    names = {choice.runbook: it.rule.name for it in alerts for choice in it.choices}
    silent = {}
    for id, name in names.items():
        if id is not None:
            found = assess_message(catalogue, id, {**SAMPLE_LABELS, "alertname": name})
            if not found.says:
                silent[id] = REASONS[found.reason]
    return silent


def _report_observed(
    config: Path | None, days: int, fail_under: float | None, output: str
) -> float:
    """Report on received alerts; return the percentage."""
    found = with_outbox(
        read_config(config), lambda outbox: read_observed(outbox, days, time.time())
    )
    _write_observed(found, fail_under, output)
    return found.totals.percent


def _write_observed(found: Observed, fail_under: float | None, output: str) -> None:
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
        str(counts.notified),
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
            f"{count(counts.notified, 'notification')}"
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
    numbers = f"rank {rank}: {count(counts.notified, 'notification')}, {counts.received} received"
    result: dict[str, CaseState] = {"none-wanted": "skipped", "uncovered": "failure"}
    message = {"none-wanted": "no runbook wanted", "uncovered": f"no runbook; {numbers}"}
    name = alert.name or "(no name)"
    return TestCase(
        name, "observed", result.get(state, "passed"), message.get(state, ""), numbers, state
    )
