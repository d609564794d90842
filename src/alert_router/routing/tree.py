"""The route tree, with Alertmanager's semantics (prometheus/alertmanager, dispatch/route.go):
depth first, left to right; a node counts only if none of its children matched; the search among
siblings stops after the first match without `continue`.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from alert_router.matcher import Matcher
from alert_router.model.problem import Place
from alert_router.routing.table import Index, Miss, misses


@dataclass(frozen=True, slots=True)
class Route:
    """A node as configured. A receiver of None is inherited."""

    receiver: str | None
    matchers: tuple[Matcher, ...] = ()
    continue_: bool = False
    routes: tuple["Route", ...] = ()
    place: Place | None = None


@dataclass(frozen=True, slots=True)
class RouteStep:
    """A node that was tried. `path` holds child numbers from the root, which is ()."""

    path: tuple[int, ...]
    route: Route
    receiver: str
    misses: tuple[Miss, ...]
    is_result: bool

    @property
    def matched(self) -> bool:
        """Whether the alert matches the node itself."""
        return not self.misses


class _Node:
    """A route with its receiver resolved and its children indexed, once."""

    __slots__ = ("children", "continue_", "index", "receiver", "route")

    def __init__(self, route: Route, inherited: str) -> None:
        self.route = route
        self.receiver = route.receiver or inherited
        self.continue_ = route.continue_
        self.children = tuple(_Node(child, self.receiver) for child in route.routes)
        self.index = Index([child.matchers for child in route.routes])

    def matching(self, labels: Mapping[str, str]) -> Iterator["_Node"]:
        """The children that an alert is routed to."""
        for number in self.index.matching(labels):
            child = self.children[number]
            yield child
            if not child.continue_:
                return

    def collect(self, labels: Mapping[str, str], found: dict[str, None]) -> None:
        """Add the receivers below, or this one if there are none."""
        any_child = False
        for child in self.matching(labels) if self.children else ():
            any_child = True
            child.collect(labels, found)
        if not any_child:
            found[self.receiver] = None


class RouteTree:
    """The compiled tree. Raises ValueError if the root cannot match everything."""

    def __init__(self, root: Route) -> None:
        if not root.receiver:
            raise ValueError("the root route needs a receiver")
        if root.matchers:
            raise ValueError("the root route matches everything and has no matchers")
        self.root = root
        self.default = root.receiver
        self._node = _Node(root, root.receiver)

    def match(self, labels: Mapping[str, str]) -> tuple[str, ...]:
        """The receivers, in order, each once."""
        found: dict[str, None] = {}
        self._node.collect(labels, found)
        return tuple(found)

    def explain(self, labels: Mapping[str, str]) -> tuple[RouteStep, ...]:
        """Every node that was tried, in order."""
        return tuple(_walk(self._node, labels, ()))


def _walk(node: _Node, labels: Mapping[str, str], path: tuple[int, ...]) -> Iterator[RouteStep]:
    below: list[RouteStep] = []
    any_child = False
    for number, child in enumerate(node.children):
        missed = misses(child.route.matchers, labels)
        if missed:
            below.append(RouteStep((*path, number), child.route, child.receiver, missed, False))
            continue
        any_child = True
        below += _walk(child, labels, (*path, number))
        if not child.continue_:
            break
    yield RouteStep(path, node.route, node.receiver, (), not any_child)
    yield from below
