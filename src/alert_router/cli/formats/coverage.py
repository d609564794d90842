"""The coverage of alerting rules as text, JSON, Markdown for a review comment, or JUnit XML."""

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from math import floor
from typing import Any

import click
from rich.text import Text

from alert_router.checks.coverage import (
    AlertCoverage,
    RoutingRules,
    Totals,
    by_file,
    by_severity,
    totals,
)
from alert_router.checks.rules import PassedOver
from alert_router.cli.formats.junit import TestCase, TestSuite, junit_xml
from alert_router.cli.output import (
    clean,
    clean_lines,
    count,
    join,
    print_json,
    problem_text,
    show,
    styled,
    table,
)
from alert_router.enrich import Choice
from alert_router.model.problem import Problem

MAX_MARKDOWN_ROWS = 200  # GitHub limits a comment to 65,536 characters

_MAX_ALTERNATIVES = 4
_MAX_COLUMN = 48  # a longer cell shifts the rest of its own line
_SIGNS = {
    "covered": ("✓", "bold green"),
    "depends": ("?", "bold yellow"),
    "uncovered": ("✗", "bold red"),
    "none-wanted": ("-", "dim"),
}
_AGREEMENTS = {
    "agrees": ("agrees", "dim"),
    "differs": ("names another runbook", "yellow"),
    "dead": ("names no existing runbook", "yellow"),
    "ambiguous": ("matches several runbooks", "yellow"),
    "templated": ("is a template", "dim"),
    "depends": ("names one of them", "dim"),
}
_COLUMNS = ("Alerts", "Covered", "Depends", "Without", "None wanted", "%")
_TICKS = re.compile("`+")


@dataclass(frozen=True, slots=True)
class CoverageReport:
    """What is known of the alerts of some rules, the problems of the rule files, and the files that
    were passed over. `silent` has the runbooks whose message says nothing to do, and why."""

    alerts: Sequence[AlertCoverage]
    routing: RoutingRules
    problems: Sequence[Problem]
    passed_over: Sequence[PassedOver]
    fail_under: float | None
    silent: Mapping[str, str]

    def write(self, output: str) -> None:
        """Write the report to standard output as text, json, markdown or junit."""
        match output:
            case "json":
                print_json(self._as_json())
            case "markdown":
                click.echo(clean_lines(self._as_markdown()))
            case "junit":
                click.echo(self._as_junit())
            case _:
                self._show()

    def _show(self) -> None:
        for file, group in self._by_file().items():
            show(styled(file, "bold underline"), *self._lines(group), "")
        for problem in self.problems:
            show(problem_text(problem), "")
        show(*map(styled, self._passed_over()))
        for title, rows in self._totals_tables():
            show(table(title, *_COLUMNS, rows=[(name, *_cells(it)) for name, it in rows]))
        percent = totals(self.alerts).percent
        show(styled(self._verdict(), verdict_style(percent, self.fail_under)))

    def _lines(self, alerts: Sequence[AlertCoverage]) -> Iterator[Text]:
        rows = [
            (clean(it.rule.name), clean(it.severity) or "-", clean(_runbooks(it))) for it in alerts
        ]
        widths = [min(max(map(len, column)), _MAX_COLUMN) for column in zip(*rows, strict=True)]
        for alert, row in zip(alerts, rows, strict=True):
            name, severity, runbook = map(str.ljust, row, widths)
            line = join("  ", _SIGNS[alert.state], " ", (name, "bold"), "  ", severity, "  ")
            line.append_text(styled(runbook, "green" if alert.state == "covered" else ""))
            line.append_text(join("  ", (self._reason(alert), "dim"), "  → ", _receivers(alert)))
            for own in alert.annotations:
                words, style = _AGREEMENTS[own.agreement]
                line.append_text(join("  ", (f"its {own.name} {words}", style)))
            line.append_text(join("  ", (f"line {alert.rule.place.line}", "dim")))
            yield line
            for note in self._notes(alert):
                yield join("      ", (note, "yellow"))

    def _as_json(self) -> dict[str, Any]:
        return {
            "alerts": [self._alert_json(alert) for alert in self.alerts],
            "totals": _totals_json(totals(self.alerts)),
            "by_severity": {key: _totals_json(it) for key, it in by_severity(self.alerts).items()},
            "by_file": {key: _totals_json(it) for key, it in by_file(self.alerts).items()},
            "says_nothing": self._says_nothing(),
            "fail_under": self.fail_under,
            "passed_over": [asdict(it) for it in self.passed_over],
            "problems": [problem.as_json() for problem in self.problems],
        }

    def _alert_json(self, alert: AlertCoverage) -> dict[str, Any]:
        rule = alert.rule
        return {
            "alert": rule.name,
            "group": rule.group,
            "file": rule.place.file,
            "line": rule.place.line,
            "severity": alert.severity or None,
            "state": alert.state,
            "choices": [self._choice_json(choice) for choice in alert.choices],
            "depends_on": list(alert.depends_on),
            "template": alert.template or None,
            "receivers": [list(outcome) for outcome in alert.receivers],
            "receivers_depend_on": list(alert.receivers_depend_on),
            "annotations": [
                {
                    "name": own.name,
                    "value": own.value,
                    "agreement": own.agreement,
                    "line": own.place.line,
                }
                for own in alert.annotations
            ],
        }

    def _choice_json(self, choice: Choice) -> dict[str, Any]:
        entry = choice.entry if choice.way == "table" else None
        place = self.routing.table.entries[entry].place if entry is not None else None
        return {
            "runbook": choice.runbook,
            "way": choice.way,
            "entry": entry,
            "file": place.file if place else "",
            "line": place.line if place else 0,
            "problem": choice.problem,
            "says": choice.runbook not in self.silent if choice.runbook else None,
            "reason": self.silent.get(choice.runbook, "") if choice.runbook else "",
        }

    def _as_markdown(self) -> str:
        """The verdict, totals, and the alerts that may have no runbook."""
        lines = ["### Runbook coverage", "", self._verdict(), ""]
        for title, rows in self._totals_tables():
            lines += [f"| {' | '.join((title, *_COLUMNS))} |", "|---|--:|--:|--:|--:|--:|--:|"]
            lines += [f"| {' | '.join((table_cell(name), *_cells(it)))} |" for name, it in rows]
            lines.append("")
        found = [alert for alert in self.alerts if alert.state in ("uncovered", "depends")]
        if found:
            lines += ["| Alert | Severity | Runbook | Why | Place |", "|---|---|---|---|---|"]
            for alert in found[:MAX_MARKDOWN_ROWS]:
                runbooks, why = _runbooks(alert), self._reason(alert)
                values = (alert.rule.name, alert.severity, runbooks, why, str(alert.rule.place))
                lines.append(f"| {' | '.join(map(table_cell, values))} |")
            lines += ["", *more_rows(len(found))]
        lines += [line for each in self._passed_over() for line in (_code_span(each), "")]
        if self.problems:
            first_lines = (problem.show().partition("\n")[0] for problem in self.problems)
            lines += [f"- {_code_span(line)}" for line in first_lines][:MAX_MARKDOWN_ROWS]
            lines += ["", *more_rows(len(self.problems))]
        return "\n".join(lines).rstrip()

    def _as_junit(self) -> str:
        """A suite per file and a case per alert. Without a certain runbook it is a failure, with
        none wanted it is skipped; errors in the files are errors."""
        suites = {
            file: [self._test_case(alert) for alert in alerts]
            for file, alerts in self._by_file().items()
        }
        for problem in self.problems:
            case = TestCase(
                f"{problem.code} at {problem.place}",
                problem.place.file,
                "error" if problem.severity == "error" else "skipped",
                problem.message,
                problem.show(),
                problem.code,
            )
            suites.setdefault(problem.place.file, []).append(case)
        made = [TestSuite(file, cases) for file, cases in suites.items()]
        return junit_xml("alert-router coverage", made)

    def _test_case(self, alert: AlertCoverage) -> TestCase:
        rule = alert.rule
        name = f"{rule.name} ({alert.severity})" if alert.severity else rule.name
        why = self._reason(alert)
        if alert.state == "covered":
            return TestCase(name, rule.file)
        if alert.state == "none-wanted":
            return TestCase(name, rule.file, "skipped", f"no runbook wanted: {why}")
        runbooks = _runbooks(alert)
        text = f"{rule.place}: {rule.name} (group {rule.group}): {runbooks}, {why}"
        message = f"{runbooks}: {why}" if alert.state == "depends" else f"no runbook: {why}"
        details = "\n".join([text, *self._notes(alert)])
        return TestCase(name, rule.file, "failure", message, details, alert.state)

    def _by_file(self) -> dict[str, list[AlertCoverage]]:
        groups: dict[str, list[AlertCoverage]] = {}
        for alert in self.alerts:
            groups.setdefault(alert.rule.file, []).append(alert)
        return groups

    def _totals_tables(self) -> Iterator[tuple[str, list[tuple[str, Totals]]]]:
        severities = by_severity(self.alerts).items()
        yield "Severity", [(name or "no severity", it) for name, it in severities]
        files = by_file(self.alerts)
        if len(files) > 1:
            yield "File", list(files.items())

    def _verdict(self) -> str:
        it = totals(self.alerts)
        silent = self._says_nothing()
        parts = [f"{it.covered} with a runbook" + (f" ({silent} say nothing)" if silent else "")]
        if it.depends:
            parts.append(f"{it.depends} where it depends")
        if it.uncovered:
            parts.append(f"{it.uncovered} without")
        if it.none_wanted:
            parts.append(f"{it.none_wanted} with none wanted")
        required = f", required: {self.fail_under:g} %" if self.fail_under is not None else ""
        share = f"{format_percent(it.percent)} covered{required}"
        return f"{count(it.alerts, 'alert')}: {', '.join(parts)}; {share}"

    def _notes(self, alert: AlertCoverage) -> list[str]:
        """Problems found while choosing the runbook, and runbooks that say nothing."""
        found = [choice.problem for choice in alert.choices if choice.problem]
        for id in dict.fromkeys(choice.runbook for choice in alert.choices):
            if id is not None and id in self.silent:
                found.append(f"{id}: covered, but says nothing: {self.silent[id]}")
        return list(dict.fromkeys(found))

    def _says_nothing(self) -> int:
        """The number of covered alerts whose message says nothing to do."""
        return sum(
            it.state == "covered" and any(choice.runbook in self.silent for choice in it.choices)
            for it in self.alerts
        )

    def _passed_over(self) -> Iterator[str]:
        """A line for each reason, with the first files."""
        by_reason: dict[str, list[str]] = {}
        for it in self.passed_over:
            by_reason.setdefault(it.reason, []).append(it.file)
        for reason, files in by_reason.items():
            hidden = len(files) - _MAX_ALTERNATIVES
            more = f" and {hidden} more" if hidden > 0 else ""
            yield f"passed over: {', '.join(files[:_MAX_ALTERNATIVES])}{more}: {reason}"

    def _reason(self, alert: AlertCoverage) -> str:
        """How its runbook is chosen, or what that depends on."""
        causes = [f"label {name}" for name in alert.depends_on]
        if alert.template:
            causes.append(f"the value of annotation {alert.template}")
        depends = f"depends on {' and '.join(causes)}" if causes else ""
        if alert.state == "depends":
            return depends
        ways = _alternatives(self._way(choice) for choice in alert.choices)
        return f"{ways}, {depends}" if len(alert.choices) > 1 else ways

    def _way(self, choice: Choice) -> str:
        match choice.way:
            case "table":
                assert choice.entry is not None
                return (
                    f"entry {choice.entry + 1} at {self.routing.table.entries[choice.entry].place}"
                )
            case "default":
                return "by default_runbook"
            case "none":
                return "no entry, annotation or name"
            case way:
                return f"by {way}"


def format_percent(value: float) -> str:
    """With one digit, rounded down: 100 % means all."""
    return f"{floor(value * 10) / 10:.1f}".removesuffix(".0") + " %"


def verdict_style(percent: float, fail_under: float | None) -> str:
    """The style of the last line."""
    if fail_under is not None and percent < fail_under:
        return "bold red"
    return "bold green" if percent == 100 else "bold yellow"


def table_cell(text: str) -> str:
    """The text as a code span in a Markdown table: it cannot format, mention or end the cell."""
    return _code_span(text).replace("|", "\\|")


def _code_span(text: str) -> str:
    shown = clean(text)
    if not shown.strip():
        return ""
    fence = "`" * (max(map(len, _TICKS.findall(shown)), default=0) + 1)
    gap = " " if shown.startswith("`") or shown.endswith("`") or fence != "`" else ""
    return f"{fence}{gap}{shown}{gap}{fence}"


def more_rows(number: int) -> list[str]:
    """The line that follows a table of which only MAX_MARKDOWN_ROWS are listed."""
    hidden = number - MAX_MARKDOWN_ROWS
    return [f"and {hidden} more", ""] if hidden > 0 else []


def _totals_json(it: Totals) -> dict[str, float]:
    keys = ("alerts", "covered", "depends", "uncovered", "none_wanted", "percent")
    return {key: getattr(it, key) for key in keys}


def _cells(it: Totals) -> tuple[str, ...]:
    numbers = (it.alerts, it.covered, it.depends, it.uncovered, it.none_wanted)
    return (*map(str, numbers), format_percent(it.percent))


def _runbooks(alert: AlertCoverage) -> str:
    """The runbook it gets, or the ones it can get."""
    return _alternatives(_runbook(choice) for choice in alert.choices)


def _runbook(choice: Choice) -> str:
    if choice.runbook is not None:
        return choice.runbook
    if choice.way == "annotation":
        return "what its annotation names"
    return "none wanted" if choice.way == "table" else "none"


def _receivers(alert: AlertCoverage) -> str:
    if alert.receivers:
        found = _alternatives(", ".join(outcome) for outcome in alert.receivers)
    else:
        found = "one of many outcomes"
    labels = " and ".join(f"label {name}" for name in alert.receivers_depend_on)
    return f"{found} (depends on {labels})" if labels else found


def _alternatives(texts: Iterable[str]) -> str:
    found = list(dict.fromkeys(texts))
    hidden = len(found) - _MAX_ALTERNATIVES
    more = [f"{hidden} more"] if hidden > 0 else []
    return " or ".join([*found[:_MAX_ALTERNATIVES], *more])
