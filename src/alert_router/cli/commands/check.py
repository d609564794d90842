"""`alert-router check`: find problems in configuration, routing, runbooks and rule files."""

import asyncio
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime
from pathlib import Path

import click

from alert_router import yaml_source
from alert_router.checks import lint, severities, suppressions
from alert_router.checks.codes import SEVERITIES, unknown_codes, weighed
from alert_router.checks.coverage import RoutingRules, cover, labels_by_runbook, unknown_sections
from alert_router.checks.rules import RuleSet, read_rules
from alert_router.checks.unreachable import in_one_line, routing_problems, unreached
from alert_router.cli.formats.problems import FORMATS, relative_path, report
from alert_router.cli.options import config_option, format_option, strict_option
from alert_router.cli.output import count
from alert_router.config import Config, Loaded, codes, cross_check, default_config_path, examine
from alert_router.config.model import Checks
from alert_router.model.problem import Problem, Severity
from alert_router.notify.egress import Guard, Obstacle, Resolver, Unreachable, obstacle
from alert_router.runbook import Catalogue

# Codes that are looked for only if there are rules, the routing can be used, `--connect` is
# given, or bash is missing. A comment that suppresses one of them may look unused without being so.
_WITH_RULES = frozenset(("runbook-unknown-label", "rules-unknown-section"))
_WITH_ROUTING = frozenset(
    ("routing-unreached-runbook", "routing-unknown-section", "severity-unknown")
)
_WITH_CONNECT = frozenset(("config-unresolved-name",))
_WITHOUT_BASH = frozenset(("runbook-shell-unchecked",))

_UNREACHABLE = {
    Obstacle.UNRESOLVED: (
        codes.UNRESOLVED_NAME,
        Severity.ERROR,
        "fix the name or the name servers of this machine; deliveries wait until it resolves",
    ),
    Obstacle.FORBIDDEN: (
        codes.FORBIDDEN_ADDRESS,
        Severity.WARNING,
        "deliveries wait until it is allowed",
    ),
}


@click.command()
@config_option
@click.option(
    "--rules",
    multiple=True,
    metavar="FILE_OR_PATTERN",
    help="Prometheus rules to check as well: a file, a directory or a pattern. Repeatable. "
    "Default: `checks.rules` of the configuration.",
)
@click.option(
    "--connect",
    is_flag=True,
    help="Look up the host name of every destination, and check that its address is allowed.",
)
@strict_option
@format_option(*FORMATS)
@click.pass_context
def check(
    ctx: click.Context,
    config: Path | None,
    rules: tuple[str, ...],
    connect: bool,
    strict: bool,
    output: str,
) -> None:
    """Check the configuration, the routing and the runbooks.

    Reports all problems at once, each with its place. Secrets are not needed: one that cannot be
    read is a warning. Exit 0: usable; 1: errors (with --strict, also warnings).
    """
    today = datetime.now(UTC).date()
    result = run_checks(config or default_config_path(), rules, today=today, connect=connect)
    counts = report(result.problems, output, summary=result.summary)
    ctx.exit(counts.exit_code(strict=strict))


@dataclass(frozen=True, slots=True)
class CheckResult:
    """The problems, in the order of files and lines, and a summary of what was checked."""

    problems: tuple[Problem, ...]
    summary: str


def run_checks(
    path: Path, rules: Sequence[str], *, today: date, connect: bool = False
) -> CheckResult:
    """Check the configuration at `path` and everything it names. `rules` are rule files,
    directories or patterns; without them, those of the configuration. `connect` looks up the host
    names of destinations.

    Problems that make the configuration unusable are neither suppressed nor given another
    severity.
    """
    examined = examine(path)
    loaded, config, fatal = examined.loaded, examined.config, examined.problems
    checks = config.checks if config else Checks()
    names = [*rules] or [str(name) for name in checks.rules]
    ruleset = read_rules(names) if names else RuleSet((), (), ())
    catalogue, found = Catalogue(path), [*ruleset.problems]
    if config and examined.runbooks:
        root = Path(relative_path(str(examined.runbooks)))
        catalogue = Catalogue.load(root, headings=config.runbooks.known_headings())
        found += cross_check(examined.runbooks_named, catalogue)
    labels: Mapping[str, frozenset[str] | None] | None = None
    if loaded and names:
        routing = RoutingRules(loaded.table, loaded.tree, loaded.default_runbook, catalogue)
        covered = cover(ruleset.alerts, routing, {})
        labels = labels_by_runbook(covered, catalogue, tuple(checks.labels))
        found += unknown_sections(covered, catalogue)
    found += lint.lint(catalogue, today=today, labels_by_runbook=labels)
    checked = SEVERITIES.keys() - _WITHOUT_BASH
    if labels is None:
        checked -= _WITH_RULES
    if loaded:
        found += loaded.problems
        found += unknown_codes(yaml_source.read(path)) if path in loaded.files else ()
        found += routing_problems(loaded)
        found += severities.in_rules(ruleset.alerts, loaded.config.severities.scale())
        found += unreached(loaded, catalogue, labels or {})
    else:
        checked -= _WITH_ROUTING
    if loaded and connect:
        found += _unreachable(path, loaded.config)
    if not connect:
        checked -= _WITH_CONNECT
    texts = suppressions.texts_of(_files(loaded, catalogue, ruleset))
    kept = suppressions.apply_suppressions(found, texts, checked=checked)
    found = list(in_one_line(kept, catalogue))
    problems = dict.fromkeys([*fatal, *weighed(found, checks.severity)])
    return CheckResult(
        # What makes the configuration unusable is last, where a terminal shows it.
        tuple(sorted(problems, key=lambda it: (it in fatal, it.place, it.code))),
        _summary(loaded, catalogue, ruleset) if loaded else "",
    )


def _unreachable(path: Path, config: Config) -> Iterator[Problem]:
    """A problem for each notifier whose host does not resolve, or has a forbidden address."""
    hosts = {
        (index, number): host
        for index, receiver in enumerate(config.receivers)
        for number, notifier in enumerate(receiver.notifiers)
        if (host := notifier.host())
    }
    if not hosts:
        return
    found = asyncio.run(_look_up(set(hosts.values()), config))
    main = yaml_source.read(path)
    for (index, number), host in hosts.items():
        if it := found[host]:
            code, severity, hint = _UNREACHABLE[it.obstacle]
            node, _ = main.find(("receivers", index, "notifiers", number))
            yield main.problem(code, it.message, node.place, hint=hint, severity=severity)


async def _look_up(hosts: set[str], config: Config) -> dict[str, Unreachable | None]:
    guard, resolver = Guard(config.delivery.private_destinations), Resolver()
    try:
        found = await asyncio.gather(*(obstacle(host, guard, resolver.resolve) for host in hosts))
    finally:
        await resolver.close()
    return dict(zip(hosts, found, strict=True))


def _files(loaded: Loaded | None, catalogue: Catalogue, rules: RuleSet) -> Iterator[str]:
    yield from map(str, loaded.files if loaded else ())
    yield from rules.files
    for id in {*catalogue.runbooks, *catalogue.broken}:
        yield str(catalogue.file(id))


def _summary(loaded: Loaded, catalogue: Catalogue, rules: RuleSet) -> str:
    parts = [
        count(len(loaded.table.entries), "table entry", "table entries"),
        count(len(loaded.config.receivers), "receiver"),
        count(len(catalogue.runbooks), "runbook"),
    ]
    if rules.alerts:
        parts.append(count(len(rules.alerts), "alerting rule"))
    return f"; {', '.join(parts)}"
