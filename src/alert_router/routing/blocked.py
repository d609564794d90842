"""Which entries of the table and which routes no alert reaches, because earlier ones take all.

How that is decided is `cover`'s; how it is told is for the configuration.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from alert_router.routing.cover import Matchers, is_empty, region, samples, taken_by
from alert_router.routing.index import Index
from alert_router.routing.table import RunbookEntry, RunbookTable
from alert_router.routing.tree import Route, RouteTree


@dataclass(frozen=True, slots=True)
class BlockedEntry:
    """An entry's index, and the earlier entries that take all it could match."""

    index: int
    by: tuple[RunbookEntry, ...]


@dataclass(frozen=True, slots=True)
class BlockedRoute:
    """A route, by its child numbers from the root, and the routes before it, or before one that it
    is below, that take all it could match."""

    path: tuple[int, ...]
    by: tuple[Route, ...]


def blocked_entries(table: RunbookTable) -> Iterator[BlockedEntry]:
    """The entries that no alert reaches though their own matchers can be met."""
    for index, entry in enumerate(table.entries):
        alerts = region(entry.matchers)
        if is_empty(alerts):
            continue
        first = {table.match(labels) for labels in samples(alerts)}
        if index in first:
            continue
        # Most often the one that takes a few of them takes them all.
        likely = [table.entries[number] for number in first if number is not None][:1]
        for earlier in (likely, table.entries[:index]):
            by = taken_by(alerts, [each.matchers for each in earlier])
            if by is not None:
                yield BlockedEntry(index, tuple(earlier[number] for number in by))
                break


def blocked_routes(tree: RouteTree) -> Iterator[BlockedRoute]:
    """The routes that no alert reaches though their matchers and those above can be met; of one
    below such a route nothing is said."""
    yield from _below(tree.root, (), (), ())


_Level = tuple[Index, Sequence[Route], int]  # siblings with an index over them, and which it is


def _below(
    route: Route, path: tuple[int, ...], above: Matchers, levels: tuple[_Level, ...]
) -> Iterator[BlockedRoute]:
    index = Index([child.matchers for child in route.routes])
    for number, child in enumerate(route.routes):
        matchers = (*above, *child.matchers)
        alerts = region(matchers)
        here = (*levels, (index, route.routes, number))
        if is_empty(alerts):
            continue
        if not any(_is_left(here, labels) for labels in samples(alerts)):
            earlier = [each for _, siblings, at in here for each in siblings[:at]]
            earlier = [each for each in earlier if not each.continue_]
            by = taken_by(alerts, [each.matchers for each in earlier])
            if by is not None:
                yield BlockedRoute((*path, number), tuple(earlier[at] for at in by))
                continue
        yield from _below(child, (*path, number), matchers, here)


def _is_left(levels: Sequence[_Level], labels: dict[str, str]) -> bool:
    """Whether no earlier sibling, on any level, keeps an alert with these labels."""
    for index, siblings, number in levels:
        for met in index.matching(labels):
            if met >= number:
                break
            if not siblings[met].continue_:
                return False
    return True
