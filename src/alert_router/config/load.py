"""The whole configuration from its files, each name in it checked against what it names."""

import json
import os
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from pydantic import BaseModel

from alert_router.config import codes
from alert_router.config.model import DEFAULT_RECEIVER, Config
from alert_router.config.routing import Reference, compile_routing, receivers_used, runbooks_used
from alert_router.config.validate import in_order, salvage, substitute, validate
from alert_router.fields import Secret
from alert_router.model.problem import Place, Problem, ProblemsError, Severity, did_you_mean
from alert_router.notify.base import DEFAULT, RESOLVED, Notifier
from alert_router.notify.egress import Guard
from alert_router.notify.http import INVALID_URL
from alert_router.redaction import clip, is_secret
from alert_router.routing import RouteTree, RunbookTable
from alert_router.runbook import Catalogue
from alert_router.yaml_source import (
    UNREADABLE,
    Entry,
    Location,
    Node,
    Scalar,
    YamlFile,
    YamlMapping,
    children,
    parse,
    read,
)


def defined_receivers(main: YamlFile) -> dict[str, Place]:
    """The names of the receivers, with the place of each name; the first where one is twice."""
    if "receivers" not in main.root.entries:
        return {DEFAULT_RECEIVER: main.root.place}
    found: dict[str, Place] = {}
    for node in children(main.root.get("receivers")):
        name = node.get("name") if isinstance(node, YamlMapping) else None
        if isinstance(name, Scalar) and name.value:
            found.setdefault(name.value, name.place)
    return found


def name_problems(main: YamlFile) -> Iterator[Problem]:
    """Receivers of one name, notifiers of one name within a receiver, heartbeats of one name."""
    defined = defined_receivers(main)
    yield from _names_once(main, children(main.root.get("heartbeats")), "heartbeats")
    for node in children(main.root.get("receivers")):
        if not isinstance(node, YamlMapping):
            continue
        name = node.get("name")
        if isinstance(name, Scalar) and name.value and defined[name.value] != name.place:
            first = defined[name.value]
            message = f"two receivers are called `{clip(name.value)}`; the first is at {first}"
            hint = "give one of them another name"
            yield main.problem(codes.DUPLICATE_NAME, message, name.place, hint=hint)
        yield from _names_once(main, children(node.get("notifiers")), "notifiers")


def _names_once(main: YamlFile, nodes: Iterable[Node], what: str) -> Iterator[Problem]:
    """A notifier without a `name` has its type as the name."""
    taken: dict[str, Place] = {}
    for node in nodes:
        if not isinstance(node, YamlMapping):
            continue
        value = node.get("name") if node.text("name") else node.get("type")
        if not isinstance(value, Scalar) or not value.value:
            continue
        if value.value in taken:
            first = taken[value.value]
            message = f"two {what} are called `{clip(value.value)}`; the first is at {first}"
            hint = "give each a `name` of its own: it is what the store knows it by"
            yield main.problem(codes.DUPLICATE_NAME, message, value.place, hint=hint)
        taken.setdefault(value.value, value.place)


def unused_receivers(main: YamlFile, used: set[str]) -> Iterator[Problem]:
    """Receivers no route leads to; they can still be posted to by name."""
    for name, place in defined_receivers(main).items():
        if name not in used:
            message = f"no route leads to the receiver `{name}`"
            hint = f"only what is posted to /webhook/{name} reaches it"
            yield main.problem(
                codes.UNUSED_RECEIVER, message, place, hint=hint, severity=Severity.INFO
            )


def plain_secrets(main: YamlFile, config: Config) -> Iterator[Problem]:
    """Secrets written into the file itself."""
    for location in _plain(config, ()):
        node, entry = main.find(location)
        place = entry.place if isinstance(entry, Entry) else node.place
        key = location[-1]
        message = f"`{key}` holds a secret in plain text"
        hint = f"put it into a file and write `{key}_file`, or write ${{VARIABLE}}"
        if location[-2:-1] == ("headers",):
            hint = "write ${VARIABLE}, the name of an environment variable"
        yield main.problem(
            codes.SECRET_IN_PLAIN, message, place, hint=hint, severity=Severity.WARNING
        )


def _plain(value: object, location: Location) -> Iterator[Location]:
    if isinstance(value, Secret) and value.plain is not None:
        if location[-1] != "proxy" or "@" in value.plain:  # most proxies have no password
            yield location
    elif isinstance(value, Mapping):
        for key, item in value.items():
            if is_secret(str(key)):
                yield from _plain(item, (*location, str(key)))
    elif isinstance(value, BaseModel):
        for name, info in type(value).model_fields.items():
            yield from _plain(getattr(value, name), (*location, info.alias or name))
    elif isinstance(value, tuple):
        for index, item in enumerate(value):
            yield from _plain(item, (*location, index))


def unreadable_secrets(main: YamlFile, config: Config) -> Iterator[Problem]:
    """Secrets that cannot be read now: a warning, since `check` has to work without them."""
    owners: list[tuple[Location, list[str]]] = []
    if config.http.auth:
        owners.append((("http", "auth"), config.http.auth.secrets_missing()))
    if config.http.links:
        owners.append((("http", "links"), config.http.links.secrets_missing()))
    for index, receiver in enumerate(config.receivers):
        for number, notifier in enumerate(receiver.notifiers):
            location: Location = ("receivers", index, "notifiers", number)
            owners.append((location, notifier.secrets_missing()))
    for location, messages in owners:
        node, _ = main.find(location)
        for message in messages:
            hint = "deliveries that need it stay pending until it can be read"
            if location == ("http", "links"):
                hint = "messages have no links to act until it can be read"
            elif location[0] == "http":
                hint = "every request is refused until it can be read"
            yield main.problem(
                codes.SECRET_UNREADABLE, message, node.place, hint=hint, severity=Severity.WARNING
            )


def invalid_urls(main: YamlFile, config: Config) -> Iterator[Problem]:
    """URLs in the file that can never be used. The other destinations can, so the router starts."""
    for index, receiver in enumerate(config.receivers):
        for number, notifier in enumerate(receiver.notifiers):
            for name in notifier.invalid_urls():
                node, _ = main.find(("receivers", index, "notifiers", number, name))
                hint = "deliveries stay pending until it is fixed"
                message = f"`{name}`: {INVALID_URL}"
                yield main.problem(codes.INVALID_VALUE, message, node.place, hint=hint)


def forbidden_addresses(main: YamlFile, config: Config) -> Iterator[Problem]:
    """Destinations that are addresses which nothing is sent to: found now, not by the first
    alert. Names are not resolved, since they may mean something else where the router runs."""
    guard = Guard(config.delivery.private_destinations)
    for index, receiver in enumerate(config.receivers):
        for number, notifier in enumerate(receiver.notifiers):
            if objection := guard.objection(notifier.host()):
                node, _ = main.find(("receivers", index, "notifiers", number))
                hint = "deliveries stay pending until it is allowed"
                yield main.problem(
                    codes.FORBIDDEN_ADDRESS,
                    objection,
                    node.place,
                    hint=hint,
                    severity=Severity.WARNING,
                )


def fallbacks(config: Config) -> set[str]:
    """The receivers that some notifier falls back to."""
    return {
        notifier.fallback
        for receiver in config.receivers
        for notifier in receiver.notifiers
        if notifier.fallback
    }


def named_problems(main: YamlFile, sound: YamlFile, config: Config) -> Iterator[Problem]:
    """Receivers and severities that heartbeats and notifiers name and that there are not. `config`
    and `sound` are `main` without what is wrong in itself."""
    defined = list(defined_receivers(main))
    for index, heartbeat in enumerate(config.heartbeats):
        if defined and heartbeat.receiver not in defined:
            yield _no_receiver(sound, defined, ("heartbeats", index, "receiver"))
    scale_is_known = sound.root.get("severities") == main.root.get("severities")
    for index, receiver in enumerate(config.receivers):
        for number, notifier in enumerate(receiver.notifiers):
            location: Location = ("receivers", index, "notifiers", number)
            yield from _fallback(sound, defined, notifier, receiver.name, (*location, "fallback"))
            if scale_is_known:
                yield from _severities(sound, config, notifier, location)


def _no_receiver(main: YamlFile, defined: Sequence[str], location: Location) -> Problem:
    node, _ = main.find(location)
    name = node.value or "" if isinstance(node, Scalar) else ""
    message = f"there is no receiver `{clip(name)}`"
    hint = did_you_mean(name, defined, f"there are: {clip(', '.join(defined), 200)}")
    return main.problem(codes.UNDEFINED_RECEIVER, message, node.place, hint=hint)


def _fallback(
    main: YamlFile, defined: Sequence[str], notifier: Notifier, own: str, location: Location
) -> Iterator[Problem]:
    if not notifier.fallback:
        return
    node, _ = main.find(location)
    if notifier.fallback not in defined:
        yield _no_receiver(main, defined, location)
    elif notifier.fallback == own:
        message = "a notifier cannot fall back to its own receiver"
        hint = "name a different receiver, reached another way"
        yield main.problem(codes.INVALID_VALUE, message, node.place, hint=hint)


def _severities(
    main: YamlFile, config: Config, notifier: Notifier, location: Location
) -> Iterator[Problem]:
    scale = config.severities.scale()
    named = [("min_severity", notifier.min_severity)] if notifier.min_severity else []
    for key in ("detail", "mention"):
        names = getattr(notifier, key, {})
        named += [(key, name) for name in names if name not in (DEFAULT, RESOLVED)]
    for key, name in named:
        try:
            scale.named(name)
        except LookupError:
            node, _ = main.find((*location, key))
            known = [value for grade in scale.grades for value in sorted(grade.values)]
            message = f"`{key}`: no grade has the name or value `{clip(name)}`"
            hint = did_you_mean(name, known, f"there are: {', '.join(known)}")
            yield main.problem(codes.INVALID_VALUE, message, node.place, hint=hint)


ENVIRONMENT = "ALERT_ROUTER_CONFIG"
DEFAULT_PATHS = (
    Path("config/alert-router.yaml"),
    Path("/etc/alert-router/alert-router.yaml"),
)
_MISSING = (
    f"name another, or a directory of runbooks, with --config or in ${ENVIRONMENT}, or write one: "
    "`alert-router init`"
)


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


@dataclass(frozen=True, slots=True)
class Examined:
    """A configuration as far as it can be used.

    Without `loaded` it cannot be, because of `problems`. Then `config` is what is right in the main
    file, if that has anything, `runbooks` is their directory if what names it is right, and
    `runbooks_named` is every mention of a runbook in a routing file that could be parsed.
    """

    loaded: Loaded | None
    problems: tuple[Problem, ...] = ()
    config: Config | None = None
    runbooks: Path | None = None
    runbooks_named: tuple[Reference, ...] = ()


def load(path: Path) -> Loaded:
    """The configuration whose main file is at `path`, with the routing it names. If `path` is a
    directory of runbooks, everything else has its default.

    Raises ProblemsError, with every problem of both files, if it cannot be used.
    """
    examined = examine(path)
    if examined.loaded is None:
        raise ProblemsError(examined.problems)
    return examined.loaded


def examine(path: Path) -> Examined:
    """As `load`, and what is left of a configuration that cannot be used."""
    is_directory = os.path.isdir(path)  # noqa: PTH112 - Path.is_dir raises without permission
    try:
        if is_directory:
            main = _only_runbooks(path)
        else:
            main = substitute(read(path, missing=_MISSING), Config)
    except ProblemsError as error:
        return Examined(None, error.problems)
    config, found = validate(main, Config)
    rest, sound = (config, main) if config else salvage(main, Config)
    found += name_problems(main)
    if rest:
        found += named_problems(main, sound, rest)
    problems = in_order([*main.problems, *found])
    runbooks = rest.runbooks.path if rest and (config or _is_meant(main, sound, rest)) else None
    routing_path = config.routing if config else _routing_path(main)
    is_implied = is_directory or (
        "routing" not in main.root.entries and not os.path.lexists(routing_path)
    )
    try:
        if is_implied:
            document = _implied_routing(main)
        else:
            document = read(routing_path, missing=f"`routing` in {path} names it")
    except ProblemsError as error:
        return Examined(None, (*problems, *error.problems), rest, runbooks)
    routing, found = compile_routing(document)
    problems += in_order([*document.problems, *found, *_undefined(main, document)])
    named = tuple(runbooks_used(document))
    if config is None or routing is None or problems:
        return Examined(None, tuple(problems), rest, runbooks, named)
    used = {reference.name for reference in receivers_used(document)} | fallbacks(config)
    used |= {heartbeat.receiver for heartbeat in config.heartbeats}
    notes = (
        *unused_receivers(main, used),
        *plain_secrets(main, config),
        *unreadable_secrets(main, config),
        *invalid_urls(main, config),
        *forbidden_addresses(main, config),
    )
    loaded = Loaded(
        config=config,
        tree=routing.tree,
        table=routing.table,
        default_runbook=routing.default_runbook,
        problems=tuple(in_order(notes)),
        runbooks_named=named,
        files=() if is_directory else (path,) if is_implied else (path, routing_path),
    )
    return Examined(loaded, (), config, runbooks, named)


def _is_meant(main: YamlFile, sound: YamlFile, rest: Config) -> bool:
    """Whether the runbooks' directory is the one that is meant, in a file with mistakes."""
    if section := main.root.get("runbooks"):
        return section == sound.root.get("runbooks")
    return os.path.isdir(rest.runbooks.path)  # noqa: PTH112 - Path.is_dir raises without permission


def _only_runbooks(path: Path) -> YamlFile:
    """The main file of a directory of runbooks. The store is in the working directory, so that it
    is not watched as the runbooks are. Raises ProblemsError."""
    for name in dict.fromkeys(default.name for default in DEFAULT_PATHS):
        if os.path.lexists(path / name):
            message = "this is a directory with a configuration file"
            hint = f"name the file: {path / name}"
            raise ProblemsError([Problem(UNREADABLE, message, Place(str(path)), hint=hint)])
    runbooks = json.dumps(str(path.absolute()))
    return parse(f"runbooks: {{path: {runbooks}}}", DEFAULT_PATHS[0].name)


def _implied_routing(main: YamlFile) -> YamlFile:
    """The routing of a configuration without any: the first receiver gets everything."""
    receiver = json.dumps(next(iter(defined_receivers(main)), DEFAULT_RECEIVER))
    document = parse(f"route: {{receiver: {receiver}}}", main.file)
    entry = document.root.entries["route"]
    route = replace(entry.value, place=Place(main.file))  # of no line
    return replace(
        document, root=replace(document.root, entries={"route": Entry("route", entry.place, route)})
    )


def cross_check(named: Iterable[Reference], catalogue: Catalogue) -> tuple[Problem, ...]:
    """The runbooks and sections that routing names and the catalogue does not have. An alert whose
    runbook does not exist is sent without one. Runbooks that exist but are broken are the
    catalogue's own problems."""
    known = list(catalogue.runbooks)
    found: list[Problem] = []
    for reference in named:
        id = catalogue.named(reference.name)
        if catalogue.get(id) is None and id not in catalogue.broken:
            found.append(_unknown_runbook(reference, known))
        elif fragment := catalogue.dead_fragment(reference.name):
            found.append(_unknown_section(reference, fragment, catalogue.file_of(id)))
    return tuple(found)


def _unknown_section(reference: Reference, fragment: str, file: str) -> Problem:
    return Problem(
        codes.ROUTING_UNKNOWN_SECTION,
        f"no heading of `{clip(file)}` has the anchor `#{clip(fragment)}`",
        reference.place,
        codes.SEVERITIES[codes.ROUTING_UNKNOWN_SECTION],
        "name a heading, or remove the fragment: alerts then get the section of their name",
        reference.source,
    )


def _unknown_runbook(reference: Reference, known: list[str]) -> Problem:
    stripped = reference.name.removesuffix(".md").strip("/")
    if stripped in known:
        hint = f"write it as its path: {stripped}"
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


def _routing_path(main: YamlFile) -> Path:
    """Where routing is when the main file is too broken to be a Config."""
    node = main.root.get("routing")
    text = node.value if isinstance(node, Scalar) else None
    return Path(main.file).parent / (text or "routing.yaml")


def _undefined(main: YamlFile, routing: YamlFile) -> Iterator[Problem]:
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
