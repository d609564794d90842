"""Coverage for machines: JSON, Markdown for a comment on a change, and JUnit."""

from collections.abc import Iterable, Sequence
from typing import Any

from alert_router.checks.coverage import (
    AlertCoverage,
    Routing,
    Totals,
    by_file,
    by_severity,
    totals,
)
from alert_router.cli import coverage_words as words
from alert_router.cli.junit import TestCase, TestSuite, junit_xml
from alert_router.cli.markdown import cell, code
from alert_router.cli.route_view import place_json
from alert_router.enrich import Choice
from alert_router.model.problem import Problem

_LISTED = 200  # rows of a Markdown table; GitHub takes 65,536 characters in a comment


def coverage_json(
    alerts: Sequence[AlertCoverage],
    routing: Routing,
    problems: Iterable[Problem],
    fail_under: float | None,
) -> dict[str, Any]:
    """Everything; keys are stable."""
    return {
        "alerts": [_alert_json(alert, routing) for alert in alerts],
        "totals": totals_json(totals(alerts)),
        "by_severity": {name: totals_json(it) for name, it in by_severity(alerts).items()},
        "by_file": {name: totals_json(it) for name, it in by_file(alerts).items()},
        "fail_under": fail_under,
        "problems": [problem.as_json() for problem in problems],
    }


def totals_json(it: Totals) -> dict[str, float]:
    """Totals; `percent` is the share of those that want a runbook which surely have one."""
    return {
        "alerts": it.alerts,
        "covered": it.covered,
        "depends": it.depends,
        "uncovered": it.uncovered,
        "none_wanted": it.none_wanted,
        "percent": it.percent,
    }


def _alert_json(alert: AlertCoverage, routing: Routing) -> dict[str, Any]:
    rule = alert.rule
    return {
        "alert": rule.name,
        "group": rule.group,
        "file": rule.place.file,
        "line": rule.place.line,
        "severity": alert.severity or None,
        "state": alert.state,
        "choices": [_choice_json(choice, routing) for choice in alert.choices],
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


def _choice_json(choice: Choice, routing: Routing) -> dict[str, Any]:
    entry = None if choice.way != "table" else choice.entry
    place = routing.table.entries[entry].place if entry is not None else None
    return {
        "runbook": choice.runbook,
        "way": choice.way,
        "entry": entry,
        **place_json(place),
        "problem": choice.problem,
    }


def coverage_markdown(
    alerts: Sequence[AlertCoverage],
    routing: Routing,
    problems: Sequence[Problem],
    fail_under: float | None,
) -> str:
    """A comment: the verdict, totals, and the alerts that do not surely have a runbook."""
    lines = ["### Runbook coverage", "", words.verdict(totals(alerts), fail_under), ""]
    severities = {name or "no severity": it for name, it in by_severity(alerts).items()}
    lines += [*_totals_rows("Severity", severities), ""]
    files = by_file(alerts)
    if len(files) > 1:
        lines += [*_totals_rows("File", files), ""]
    open_ones = [alert for alert in alerts if alert.state in ("uncovered", "depends")]
    if open_ones:
        lines += ["| Alert | Severity | Runbook | Why | Place |", "|---|---|---|---|---|"]
        for alert in open_ones[:_LISTED]:
            why = words.way(alert, routing)
            values = (alert.rule.name, alert.severity, words.runbooks(alert), why, alert.rule.place)
            lines.append(f"| {' | '.join(cell(str(value)) for value in values)} |")
        lines += ["", *_and_more(len(open_ones))]
    if problems:
        lines += [f"- {code(_said(problem))}" for problem in problems[:_LISTED]]
        lines += ["", *_and_more(len(problems))]
    return "\n".join(lines).rstrip()


def _totals_rows(title: str, rows: dict[str, Totals]) -> list[str]:
    found = [f"| {title} | Alerts | Covered | Depends | Without | None wanted | % |"]
    found.append("|---|--:|--:|--:|--:|--:|--:|")
    for name, it in rows.items():
        numbers = (it.alerts, it.covered, it.depends, it.uncovered, it.none_wanted)
        shown = " | ".join(map(str, numbers))
        found.append(f"| {cell(name)} | {shown} | {words.percent(it.percent)} |")
    return found


def _and_more(number: int) -> list[str]:
    return [f"and {number - _LISTED} more", ""] if number > _LISTED else []


def _said(problem: Problem) -> str:
    return problem.show().partition("\n")[0]


def coverage_junit(
    alerts: Sequence[AlertCoverage], routing: Routing, problems: Sequence[Problem]
) -> str:
    """A suite a file, a case an alert: without a runbook, or with one only if, is a failure; one
    that wants none is skipped; what is wrong in the files is an error."""
    suites: dict[str, list[TestCase]] = {}
    for alert in alerts:
        suites.setdefault(alert.rule.file, []).append(_case(alert, routing))
    for problem in problems:
        said = TestCase(
            f"{problem.code} at {problem.place}",
            problem.place.file,
            "error" if problem.severity == "error" else "skipped",
            problem.message,
            problem.show(),
            problem.code,
        )
        suites.setdefault(problem.place.file, []).append(said)
    made = [TestSuite(file, cases) for file, cases in suites.items()]
    return junit_xml("alert-router coverage", made)


def _case(alert: AlertCoverage, routing: Routing) -> TestCase:
    rule = alert.rule
    name = f"{rule.name} ({alert.severity})" if alert.severity else rule.name
    match alert.state:
        case "covered":
            return TestCase(name, rule.file)
        case "none-wanted":
            message = f"no runbook is wanted: {words.way(alert, routing)}"
            return TestCase(name, rule.file, "skipped", message)
    why = words.way(alert, routing)
    text = f"{rule.place}: {rule.name} (group {rule.group}): {words.runbooks(alert)}, {why}"
    notes = words.notes(alert)
    message = (
        f"{words.runbooks(alert)}: {why}" if alert.state == "depends" else f"no runbook: {why}"
    )
    return TestCase(name, rule.file, "failure", message, "\n".join([text, *notes]), alert.state)
