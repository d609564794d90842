"""The whole configuration from its files, each name in it checked against what it names.

Knows nothing of what runs: building and reloading services is for `service`.
"""

import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from alert_router.config import codes
from alert_router.config.crosscheck import (
    defined_receivers,
    forbidden_addresses,
    name_problems,
    plain_secrets,
    unreadable_secrets,
    unused_receivers,
)
from alert_router.config.model import Config
from alert_router.config.notifiers import fallbacks, notifier_problems
from alert_router.config.routing import Reference, compile_routing, receivers_used, runbooks_used
from alert_router.config.validate import in_order, validate
from alert_router.model.problem import Problem, ProblemsError, did_you_mean
from alert_router.routing import RouteTree, RunbookTable
from alert_router.runbook import Catalogue
from alert_router.yaml_source import Document, Text, read
from alert_router.yaml_source.mask import clip

ENVIRONMENT = "ALERT_ROUTER_CONFIG"
DEFAULT_PATHS = (
    Path("config/alert-router.yaml"),
    Path("/etc/alert-router/alert-router.yaml"),
)
_MISSING = f"name another with --config or in ${ENVIRONMENT}"


@dataclass(frozen=True, slots=True)
class Loaded:
    """A configuration that can be used. `problems` are what is wrong with single items of it.

    `runbooks_named` is every mention of a runbook, for `cross_check`; `files` is what was read.
    """

    config: Config
    tree: RouteTree
    table: RunbookTable
    default_runbook: str | None
    problems: tuple[Problem, ...]
    runbooks_named: tuple[Reference, ...]
    files: tuple[Path, ...]


def default_config_path() -> Path:
    """`$ALERT_ROUTER_CONFIG`, else the first of DEFAULT_PATHS that exists, else the first."""
    if named := os.environ.get(ENVIRONMENT):
        return Path(named)
    return next((path for path in DEFAULT_PATHS if path.exists()), DEFAULT_PATHS[0])


def config_path(given: Path | None = None) -> Path:
    """The path given on the command line, else the default one."""
    return given or default_config_path()


def load(path: Path) -> Loaded:
    """The configuration whose main file is at `path`, with the routing it names.

    Raises ProblemsError, with every problem of both files, if it cannot be used.
    """
    main = read(path, missing=_MISSING)
    config, found = validate(main, Config)
    problems = in_order([*main.problems, *found, *name_problems(main)])
    routing_path = config.routing if config else _routing_path(main)
    try:
        document = read(routing_path, missing=f"`routing` in {path} names it")
    except ProblemsError as error:
        raise ProblemsError([*problems, *error.problems]) from None
    routing, found = compile_routing(document)
    problems += in_order([*document.problems, *found, *_undefined(main, document)])
    if config is None or routing is None or problems:
        raise ProblemsError(problems)
    wrong = in_order(notifier_problems(main, config))
    if wrong:
        raise ProblemsError(wrong)
    used = {reference.name for reference in receivers_used(document)} | fallbacks(config)
    notes = (
        *unused_receivers(main, used),
        *plain_secrets(main, config),
        *unreadable_secrets(main, config),
        *forbidden_addresses(main, config),
    )
    return Loaded(
        config=config,
        tree=routing.tree,
        table=routing.table,
        default_runbook=routing.default_runbook,
        problems=tuple(in_order(notes)),
        runbooks_named=tuple(runbooks_used(document)),
        files=(path, routing_path),
    )


def cross_check(loaded: Loaded, catalogue: Catalogue) -> tuple[Problem, ...]:
    """The runbooks that routing names and the catalogue does not have. Errors for `check`; an
    alert whose runbook is among them goes out without one. Those that are there but broken are
    the catalogue's own problems."""
    known = list(catalogue.runbooks)
    return tuple(
        _unknown_runbook(reference, known)
        for reference in loaded.runbooks_named
        if catalogue.get(reference.name) is None and reference.name not in catalogue.broken
    )


def _unknown_runbook(reference: Reference, known: list[str]) -> Problem:
    stripped = reference.name.removesuffix(".md").strip("/")
    if stripped in known:
        hint = f"write it as its path without .md: {stripped}"
    else:
        same_name = [id for id in known if id.rpartition("/")[2] == stripped.rpartition("/")[2]]
        hint = did_you_mean(stripped, known)
        hint = f"did you mean `{same_name[0]}`?" if same_name else hint
    hint = hint or "`alert-router runbook list` shows those there are"
    message = f"there is no runbook `{clip(reference.name)}`"
    return Problem(
        codes.ROUTING_UNKNOWN_RUNBOOK,
        message,
        reference.place,
        hint=hint,
        source=reference.source,
    )


def _routing_path(main: Document) -> Path:
    """Where routing is when the main file is too broken to be a Config."""
    node = main.root.get("routing")
    text = node.value if isinstance(node, Text) else None
    return Path(main.file).parent / (text or "routing.yaml")


def _undefined(main: Document, routing: Document) -> Iterator[Problem]:
    """Routes to receivers that the main file does not define."""
    defined = list(defined_receivers(main))
    if not defined:  # reported already
        return
    for reference in receivers_used(routing):
        if reference.name not in defined:
            message = f"there is no receiver `{clip(reference.name)}`"
            names = clip(", ".join(defined), 200)
            hint = did_you_mean(reference.name, defined, f"{main.file} has: {names}")
            yield routing.problem(codes.UNDEFINED_RECEIVER, message, reference.place, hint=hint)
