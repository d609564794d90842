"""Coverage for people: a line an alert, by file; what is wrong in the rules; totals."""

from collections.abc import Iterable, Iterator, Sequence

from rich.table import Table
from rich.text import Text

from alert_router.checks.coverage import (
    AlertCoverage,
    Routing,
    Totals,
    by_file,
    by_severity,
    totals,
)
from alert_router.cli import coverage_words as words
from alert_router.cli.output import clean, join, problem_text, show, styled, table
from alert_router.model.problem import Problem

_MARKS = {
    "covered": ("✓", "bold green"),
    "depends": ("?", "bold yellow"),
    "uncovered": ("✗", "bold red"),
    "none-wanted": ("-", "dim"),
}
_WIDEST = 48  # columns; the few that are longer push the rest of their own line
_AGREEMENT = {"agrees": "dim", "templated": "dim", "depends": "dim"}


def show_coverage(
    alerts: Sequence[AlertCoverage],
    routing: Routing,
    problems: Iterable[Problem],
    fail_under: float | None,
) -> None:
    """Write all of it to standard output."""
    for file, group in _grouped(alerts):
        show(styled(file, "bold underline"), *_lines(group, routing), "")
    for problem in problems:
        show(problem_text(problem))
        show("")
    total = totals(alerts)
    severities = {name or "no severity": it for name, it in by_severity(alerts).items()}
    show(_table("Severity", severities))
    files = by_file(alerts)
    if len(files) > 1:
        show(_table("File", files))
    short = fail_under is not None and total.percent < fail_under
    colour = "bold red" if short else "bold green" if total.percent == 100 else "bold yellow"
    show(styled(words.verdict(total, fail_under), colour))


def _grouped(alerts: Sequence[AlertCoverage]) -> Iterator[tuple[str, list[AlertCoverage]]]:
    groups: dict[str, list[AlertCoverage]] = {}
    for alert in alerts:
        groups.setdefault(alert.rule.file, []).append(alert)
    yield from groups.items()


def _lines(alerts: Sequence[AlertCoverage], routing: Routing) -> Iterator[Text]:
    rows = [_cells(alert) for alert in alerts]
    widths = [min(max(len(row[at]) for row in rows), _WIDEST) for at in range(4)]
    for alert, row in zip(alerts, rows, strict=True):
        number, name, severity, runbook = (
            text.ljust(width) for text, width in zip(row, widths, strict=True)
        )
        sign, colour = _MARKS[alert.state]
        line = join("  ", (sign, colour), " ", (name, "bold"), "  ", severity, "  ")
        line.append_text(styled(runbook, "green" if alert.state == "covered" else ""))
        line.append_text(join("  ", (words.way(alert, routing), "dim")))
        line.append_text(join("  → ", words.receivers(alert)))
        for own in alert.annotations:
            style = _AGREEMENT.get(own.agreement, "yellow")
            line.append_text(join("  ", (words.annotation(own), style)))
        line.append_text(join("  ", (f"line {number.strip()}", "dim")))
        yield line
        for note in words.notes(alert):
            yield join("      ", (note, "yellow"))


def _cells(alert: AlertCoverage) -> tuple[str, str, str, str]:
    return (
        str(alert.rule.place.line),
        clean(alert.rule.name),
        clean(alert.severity) or "-",
        clean(words.runbooks(alert)),
    )


def _table(title: str, rows: dict[str, Totals]) -> Table:
    return table(
        title,
        "Alerts",
        "Covered",
        "Depends",
        "Without",
        "None wanted",
        "%",
        rows=[
            (
                name,
                str(it.alerts),
                str(it.covered),
                str(it.depends),
                str(it.uncovered),
                str(it.none_wanted),
                words.percent(it.percent),
            )
            for name, it in rows.items()
        ],
    )
