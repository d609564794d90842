"""Which receivers the route tree can give an alert of which not every label is known.

The search is that of `route.tree`, with both answers followed where it depends.
"""

from collections.abc import Iterable

from alert_router.checks.coverage.judge import judge
from alert_router.checks.rules import Carried
from alert_router.routing import Route, RouteTree

Told = tuple[str, ...]
_MOST = 64  # outcomes that are kept apart


class _TooMany(Exception):
    """There are more outcomes than anybody would read."""


def possible_receivers(tree: RouteTree, carried: Carried) -> tuple[tuple[Told, ...], Told]:
    """Every outcome, each the receivers in order without repeats; and the labels that decide where
    there are several. No outcome at all: there are too many to list."""
    depends: dict[str, None] = {}
    try:
        outcomes = _outcomes(tree.root, "", carried, depends)
    except _TooMany:
        return (), tuple(depends)
    return tuple(outcomes), tuple(depends) if len(outcomes) > 1 else ()


def _outcomes(
    route: Route, inherited: str, carried: Carried, depends: dict[str, None]
) -> dict[Told, None]:
    receiver = route.receiver or inherited
    going: dict[Told, None] = {(): None}  # what was found so far, where siblings are still asked
    ended: dict[Told, None] = {}
    for child in route.routes:
        verdict = judge(child.matchers, carried)
        if verdict.holds is False:
            continue
        depends |= dict.fromkeys(verdict.on)
        below = _outcomes(child, receiver, carried, depends)
        taken = _each_with(going, below)
        kept = going if verdict.holds is None else {}
        if child.continue_:
            going = taken | kept
        else:
            ended |= taken
            going = kept
        if len(ended) + len(going) > _MOST:
            raise _TooMany
        if not going:
            break
    return ended | {found or (receiver,): None for found in going}


def _each_with(before: Iterable[Told], after: Iterable[Told]) -> dict[Told, None]:
    return {tuple(dict.fromkeys((*one, *other))): None for one in before for other in after}
