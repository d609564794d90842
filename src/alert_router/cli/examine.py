"""Everything that is wrong with configuration, routing, runbooks and rules, gathered.

Finding problems is for those who read the files; here they are put together, silenced and weighed
as comments and the configuration say.
"""

import os
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from pathlib import Path

from alert_router import yaml_source
from alert_router.checks import lint, suppressions
from alert_router.checks.codes import SEVERITIES, unknown_codes, weighed
from alert_router.checks.coverage import Routing, cover, labels_by_runbook
from alert_router.checks.rules import RuleSet, read_rules
from alert_router.checks.unreachable import routing_problems, unreached
from alert_router.cli.connect import unreachable
from alert_router.cli.output import count
from alert_router.cli.problems import from_here
from alert_router.config import Config, Loaded, cross_check, load
from alert_router.config.model import Checks
from alert_router.config.validate import validate
from alert_router.model.problem import Problem, ProblemsError
from alert_router.runbook import Catalogue

# What is looked for only where rules are given, the routing can be used, `connect` is asked for, or
# bash is missing.
_WITH_RULES = frozenset(("runbook-unknown-label",))
_WITH_ROUTING = frozenset(("routing-unreached-runbook",))
_WITH_CONNECT = frozenset(("config-unresolved-name",))
_SOMETIMES = frozenset(("runbook-shell-unchecked",))


@dataclass(frozen=True, slots=True)
class Examined:
    """What was found, in the order of files and lines, and what there is."""

    problems: tuple[Problem, ...]
    summary: str


def examine(path: Path, rules: Sequence[str], *, today: date, connect: bool = False) -> Examined:
    """Everything about the configuration at `path` and what it names. `rules` are rule files,
    directories or patterns; without them, those that the configuration names. With `connect` the
    names of destinations are looked up.

    What keeps the configuration from being used is neither silenced nor weighed.
    """
    loaded, fatal = _load(path)
    runbooks, checks = _named(loaded.config) if loaded else _salvaged(path)
    names = [*rules] or [str(path) for path in checks.rules]
    ruleset = read_rules(names) if names else RuleSet((), (), ())
    catalogue = Catalogue.load(Path(from_here(str(runbooks)))) if runbooks else Catalogue(path)
    labels = _labels(loaded, catalogue, ruleset, checks.labels) if names else None
    found = [*ruleset.problems, *lint.lint(catalogue, today=today, labels_by_runbook=labels)]
    if loaded:
        found += loaded.problems
        found += unknown_codes(yaml_source.read(path))
        found += cross_check(loaded, catalogue)
        found += routing_problems(loaded)
        found += unreached(loaded, catalogue, labels or {})
    if loaded and connect:
        found += unreachable(path, loaded.config)
    texts = suppressions.texts_of(_files(loaded, catalogue, ruleset))
    judged = SEVERITIES.keys() - _SOMETIMES
    judged -= frozenset() if labels is not None else _WITH_RULES
    judged -= frozenset() if loaded else _WITH_ROUTING
    judged -= frozenset() if connect else _WITH_CONNECT
    found = suppressions.apply_suppressions(found, texts, checked=judged)
    problems = _in_order([*fatal, *weighed(found, checks.severity)])
    return Examined(problems, _summary(loaded, catalogue, ruleset) if loaded else "")


def _load(path: Path) -> tuple[Loaded | None, tuple[Problem, ...]]:
    try:
        return load(path), ()
    except ProblemsError as error:
        return None, error.problems


def _named(config: Config) -> tuple[Path | None, Checks]:
    return config.runbooks.path, config.checks


def _salvaged(path: Path) -> tuple[Path | None, Checks]:
    """Where the runbooks are, and what is to be checked, as far as a configuration that cannot be
    used still tells."""
    try:
        main = yaml_source.read(path)
    except ProblemsError:
        return None, Checks()
    config, _ = validate(main, Config)
    if config is not None:
        return _named(config)
    section = main.root.get("runbooks")
    named = section.text("path") if isinstance(section, yaml_source.Fields) else None
    runbooks = path.parent / (named or "../runbooks")
    there = os.path.isdir(runbooks)  # noqa: PTH112 - Path's own raises without permission
    return runbooks if there else None, Checks()


def _labels(
    loaded: Loaded | None, catalogue: Catalogue, rules: RuleSet, others: Iterable[str]
) -> Mapping[str, frozenset[str] | None] | None:
    if loaded is None:
        return None
    routing = Routing(loaded.table, loaded.tree, loaded.default_runbook, catalogue)
    alerts = cover(rules.alerts, routing, {})
    return labels_by_runbook(alerts, tuple(others))


def _files(loaded: Loaded | None, catalogue: Catalogue, rules: RuleSet) -> Iterator[str]:
    yield from map(str, loaded.files if loaded else ())
    yield from rules.files
    for id in {*catalogue.runbooks, *catalogue.broken}:
        yield str(Path(catalogue.root, f"{id}.md"))


def _in_order(problems: Iterable[Problem]) -> tuple[Problem, ...]:
    once = dict.fromkeys(problems)
    return tuple(sorted(once, key=lambda problem: (problem.place, problem.code)))


def _summary(loaded: Loaded, catalogue: Catalogue, rules: RuleSet) -> str:
    parts = [
        count(len(loaded.table.entries), "table entry", "table entries"),
        count(len(loaded.config.receivers), "receiver"),
        count(len(catalogue.runbooks), "runbook"),
    ]
    if rules.alerts:
        parts.append(count(len(rules.alerts), "alerting rule"))
    return f"; {', '.join(parts)}"
