"""`alert-router coverage`: which alerting rules' alerts get a runbook, which, and whom they reach.

Finding that is `coverage`'s; how it looks is `coverage_view`'s and `coverage_formats`'.
"""

import sys
from collections.abc import Sequence
from pathlib import Path

import click

from alert_router.checks.coverage import AlertCoverage, Routing, cover, totals
from alert_router.checks.rules import read_rules
from alert_router.cli import CONFIG
from alert_router.cli.coverage_formats import coverage_json, coverage_junit, coverage_markdown
from alert_router.cli.coverage_observed import report_observed
from alert_router.cli.coverage_view import show_coverage
from alert_router.cli.output import clean_lines, print_json
from alert_router.config import default_config_path, load
from alert_router.model.problem import Problem, Severity
from alert_router.outbox.observed import KEPT_DAYS
from alert_router.runbook import Catalogue
from alert_router.yaml_source import MAX_BYTES

OUTPUTS = ("text", "json", "markdown", "junit")


def carried_labels(
    _ctx: click.Context, parameter: click.Parameter, values: tuple[str, ...]
) -> dict[str, str | None]:
    """A click callback: NAME=VALUE or NAME arguments; None for a value that is not said."""
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
@CONFIG
@click.argument("rules", nargs=-1)
@click.option(
    "--observed",
    is_flag=True,
    help="Instead of rules: the alerts that really came in, from the router's store.",
)
@click.option(
    "--days",
    type=click.IntRange(1, KEPT_DAYS),
    help=f"With --observed: so many days, today among them; {KEPT_DAYS} if not said.",
)
@click.option(
    "--fail-under",
    type=click.FloatRange(0, 100),
    metavar="PERCENT",
    help="Exit 1 if fewer of the alerts that want a runbook surely have one.",
)
@click.option(
    "--label",
    "labels",
    multiple=True,
    metavar="NAME[=VALUE]",
    callback=carried_labels,
    help="A label that alerts carry unless their rule says otherwise, such as an external label of "
    "Prometheus; without a value it is one whose value is not known. May be repeated.",
)
@click.option(
    "--output",
    type=click.Choice(OUTPUTS),
    default="text",
    show_default=True,
    help="text for people, json for machines, markdown for a comment, junit for CI.",
)
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
    """Tell for each alerting rule which runbook its alerts get, by which way, and whom they reach.

    RULES are Prometheus rule files, PrometheusRule resources, directories, patterns, or - for
    standard input. Where the answer depends on a label that no rule file tells, that is said.
    Exit 0; 1: fewer are covered than --fail-under, or there are errors in the rules.
    With --observed it is what came in that counts, ranked by how often it woke someone.
    """
    _check_usage(rules, observed, days, labels)
    if observed:
        is_enough = report_observed(config, days or KEPT_DAYS, fail_under, output)
        ctx.exit(0 if is_enough else 1)
    routing = read_routing(config or default_config_path())
    found = read_rules(rules, _stdin)
    alerts = cover(found.alerts, routing, labels)
    report(alerts, routing, found.problems, fail_under, output)
    is_short = fail_under is not None and totals(alerts).percent < fail_under
    is_wrong = any(problem.severity is Severity.ERROR for problem in found.problems)
    ctx.exit(1 if is_short or is_wrong else 0)


def _check_usage(
    rules: tuple[str, ...], observed: bool, days: int | None, labels: dict[str, str | None]
) -> None:
    """Raises UsageError where options do not go together."""
    if observed and (rules or labels):
        raise click.UsageError("--observed takes neither rules nor --label: it reads the store")
    if not observed and days is not None:
        raise click.UsageError("--days goes with --observed")
    if not observed and not rules:
        raise click.UsageError("Missing argument 'RULES...', or --observed")


def _stdin() -> bytes:
    return sys.stdin.buffer.read(MAX_BYTES + 1)


def read_routing(path: Path) -> Routing:
    """What the configuration at `path` decides by. Raises ProblemsError if it cannot be used."""
    loaded = load(path)
    catalogue = Catalogue.load(loaded.config.runbooks.path)
    return Routing(loaded.table, loaded.tree, loaded.default_runbook, catalogue)


def report(
    alerts: Sequence[AlertCoverage],
    routing: Routing,
    problems: Sequence[Problem],
    fail_under: float | None,
    output: str,
) -> None:
    """Write what was found to standard output, in one of OUTPUTS."""
    match output:
        case "json":
            print_json(coverage_json(alerts, routing, problems, fail_under))
        case "markdown":
            click.echo(clean_lines(coverage_markdown(alerts, routing, problems, fail_under)))
        case "junit":
            click.echo(coverage_junit(alerts, routing, problems))
        case _:
            show_coverage(alerts, routing, problems, fail_under)
