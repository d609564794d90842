"""`routing.yaml` → the route tree and the runbook table, or problems with exact places.

Whether the receivers and runbooks it names exist is for `load`.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Annotated

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field

from alert_router.config import codes
from alert_router.config.validate import validate
from alert_router.matcher import Matcher, MatcherError, parse_matchers
from alert_router.model.problem import Place, Problem
from alert_router.redaction import clip, shown_line
from alert_router.routing import Route, RouteTree, RunbookEntry, RunbookTable
from alert_router.yaml_source import Items, Node, Scalar, YamlFile, YamlMapping, children

# A single string means a list of one.
MatcherTexts = Annotated[
    tuple[str, ...], BeforeValidator(lambda value: [value] if isinstance(value, str) else value)
]


class _Model(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class RunbookEntryModel(_Model):
    """One line of the runbook table. A null `runbook`: these alerts need none."""

    matchers: MatcherTexts = Field(min_length=1)
    """The alerts that the entry is for."""
    runbook: Annotated[str, Field(min_length=1)] | None
    """The runbook's path without `.md`; `null` if these alerts need none."""


class RouteModel(_Model):
    """A node of the route tree, in Alertmanager's terms."""

    receiver: Annotated[str, Field(min_length=1)] | None = None
    """Who is notified; the parent's receiver if not set. The root must have one."""
    matchers: MatcherTexts = ()
    """The alerts that the route is for, all if empty. The root must not have any."""
    continue_: bool = Field(False, alias="continue")
    """Whether the siblings after this route are tried too."""
    routes: tuple["RouteModel", ...] = ()
    """Child routes; this route counts only if none of them matches."""


class RoutingModel(_Model):
    """The whole of `routing.yaml`."""

    runbooks: tuple[RunbookEntryModel, ...] = ()
    """The runbook table: for each alert the first entry that matches."""
    default_runbook: Annotated[str, Field(min_length=1)] | None = None
    """The runbook of alerts that neither the table, an annotation nor a name gives one."""
    route: RouteModel
    """The root of the route tree."""


@dataclass(frozen=True, slots=True)
class Reference:
    """A name that a file uses, where, and the line that says so."""

    name: str
    place: Place
    source: str = ""


@dataclass(frozen=True, slots=True)
class Routing:
    """`routing.yaml`, compiled."""

    tree: RouteTree
    table: RunbookTable
    default_runbook: str | None


def compile_routing(document: YamlFile) -> tuple[Routing | None, list[Problem]]:
    """The tree and the table of a document, or None and everything that is wrong with it."""
    model, problems = validate(document, RoutingModel)
    problems += _root_problems(document)
    parsed: dict[Place, tuple[Matcher, ...]] = {}
    for text in matcher_texts(document.root):
        try:
            parsed[text.place] = parse_matchers(text.value or "")
        except MatcherError as error:
            place = _place_in(document, text, error.offset)
            problems.append(document.problem(codes.ROUTING_MATCHER, error.message, place))
    problems += _catch_alls(document, parsed)
    if model is None or problems:
        return None, problems
    root = _route(model.route, document.root.get("route"), parsed, "")
    nodes = children(document.root.get("runbooks"))
    entries = tuple(
        RunbookEntry(_matchers(node, parsed), entry.runbook, node.place)
        for entry, node in zip(model.runbooks, nodes, strict=True)
    )
    return Routing(RouteTree(root), RunbookTable(entries), model.default_runbook), []


def _catch_alls(
    document: YamlFile, parsed: Mapping[Place, tuple[Matcher, ...]]
) -> Iterator[Problem]:
    """Entries of the table whose matchers are there but say nothing, such as `{}`."""
    for node in children(document.root.get("runbooks")):
        texts = list(_texts_of(node))
        if texts and not any(parsed.get(text.place, True) for text in texts):
            message = "these matchers match every alert"
            runbook = (node.text("runbook") if isinstance(node, YamlMapping) else None) or "ID"
            hint = f"write default_runbook: {clip(runbook)} instead"
            place = texts[0].place
            yield document.problem(codes.INVALID_VALUE, message, place, hint=hint)


def _route(
    model: RouteModel,
    node: Node | None,
    parsed: Mapping[Place, tuple[Matcher, ...]],
    inherited: str,
) -> Route:
    assert isinstance(node, YamlMapping)
    receiver = model.receiver or inherited
    below = zip(model.routes, children(node.get("routes")), strict=True)
    return Route(
        receiver=receiver,
        matchers=_matchers(node, parsed),
        continue_=model.continue_,
        routes=tuple(_route(child, at, parsed, receiver) for child, at in below),
        place=node.place,
    )


def _matchers(node: Node, parsed: Mapping[Place, tuple[Matcher, ...]]) -> tuple[Matcher, ...]:
    return tuple(matcher for text in _texts_of(node) for matcher in parsed[text.place])


def _texts_of(node: Node) -> Iterator[Scalar]:
    """The matcher texts of one route or entry."""
    value = node.get("matchers") if isinstance(node, YamlMapping) else None
    for text in [value] if isinstance(value, Scalar) else children(value):
        if isinstance(text, Scalar) and text.value is not None:
            yield text


def matcher_places(node: Node) -> list[Place]:
    """For each matcher of a valid route or entry, the place of its string in the file."""
    return [text.place for text in _texts_of(node) for _ in parse_matchers(text.value or "")]


def matcher_texts(root: YamlMapping) -> Iterator[Scalar]:
    """Every matcher text of the file."""
    for node in children(root.get("runbooks")):
        yield from _texts_of(node)
    for route in _routes(root):
        yield from _texts_of(route)


def _routes(root: YamlMapping) -> Iterator[YamlMapping]:
    """Every node of the route tree, parents before children."""
    waiting: list[Node | None] = [root.get("route")]
    while waiting:
        node = waiting.pop()
        if isinstance(node, YamlMapping):
            yield node
            waiting += reversed(list(children(node.get("routes"))))


def _place_in(document: YamlFile, text: Scalar, offset: int) -> Place:
    """The place of a character of a scalar; the scalar's start where escapes or line breaks
    make that ambiguous."""
    value, place = text.value or "", text.place
    quote = text.style if text.style in ("'", '"') else ""
    start = place.column - 1 + len(quote)
    end = start + len(value)
    line = document.lines[place.line - 1]
    if text.style in ("|", ">") or line[start:end] != value or not line.startswith(quote, end):
        return place
    return Place(place.file, place.line, start + offset + 1)


def receivers_used(document: YamlFile) -> Iterator[Reference]:
    """The receivers that the route tree names."""
    for route in _routes(document.root):
        receiver = route.get("receiver")
        if isinstance(receiver, Scalar) and receiver.value:
            yield _reference(document, receiver, receiver.value)


def runbooks_used(document: YamlFile) -> Iterator[Reference]:
    """The runbooks that the table and `default_runbook` name."""
    entries = children(document.root.get("runbooks"))
    named = [node.get("runbook") for node in entries if isinstance(node, YamlMapping)]
    for node in (*named, document.root.get("default_runbook")):
        if isinstance(node, Scalar) and node.value:
            yield _reference(document, node, node.value)


def _reference(document: YamlFile, node: Scalar, name: str) -> Reference:
    return Reference(name, node.place, shown_line(document.lines, node.place.line))


def _root_problems(document: YamlFile) -> Iterator[Problem]:
    """What Alertmanager asks of the root route."""
    route = document.root.entries.get("route")
    if route is None or not isinstance(route.value, YamlMapping):
        return
    fields = route.value
    receiver = fields.get("receiver")
    if receiver is None or (isinstance(receiver, Scalar) and receiver.value is None):
        message = "the root route has no receiver"
        hint = "it is where alerts go that no other route matches: write receiver: NAME"
        yield document.problem(codes.ROUTING_ROOT, message, route.place, hint=hint)
    for key in ("matchers", "continue"):
        entry = fields.entries.get(key)
        if entry is None or (isinstance(entry.value, Items) and not entry.value.items):
            continue
        message = f"the root route takes no `{key}`: it matches every alert"
        hint = "move it to a route under `routes`"
        yield document.problem(codes.ROUTING_ROOT, message, entry.place, hint=hint)
