"""Entries and routes that no alert reaches, because earlier ones match all that they could.

Decided for equalities, alternations of literals, and prefixes. Of any other regular expression only
its answers for known values count, so that nothing is reported that is not certain.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import islice, product

from alert_router.matcher import Matcher
from alert_router.routing import Index, Route, RouteTree, RunbookEntry, RunbookTable

_MOST_STEPS = 4_000  # of one search
_SAMPLES = 48

Matchers = tuple[Matcher, ...]
Values = frozenset[str]
Region = Mapping[str, Values]  # by label; of any other label every value


@dataclass(frozen=True, slots=True)
class ShadowedEntry:
    """An entry's index, and the earlier entries that match all it could match."""

    index: int
    by: tuple[RunbookEntry, ...]


@dataclass(frozen=True, slots=True)
class ShadowedRoute:
    """A route, by child numbers from the root, and the earlier routes that match all it could
    match: siblings of it or of a route above it."""

    path: tuple[int, ...]
    by: tuple[Route, ...]


def shadowed_entries(table: RunbookTable) -> Iterator[ShadowedEntry]:
    """The entries that no alert reaches, without those that contradict themselves."""
    for index, entry in enumerate(table.entries):
        region = _region(entry.matchers)
        if _is_empty(region):
            continue
        first = [table.match(labels) for labels in _samples(region)]
        if any(number is None or number >= index for number in first):
            continue
        # Most often one entry matches all, so the one that matches a sample is tried alone first.
        likely = [table.entries[number] for number in first[:1] if number is not None]
        for earlier in (likely, table.entries[:index]):
            by = covering(entry.matchers, [each.matchers for each in earlier])
            if by is not None:
                yield ShadowedEntry(index, tuple(earlier[number] for number in by))
                break


def shadowed_routes(tree: RouteTree) -> Iterator[ShadowedRoute]:
    """The routes that no alert reaches, without those that contradict themselves or the routes
    above, and without those below a reported one."""
    yield from _below(tree.root, (), (), ())


_Level = tuple[Index, Sequence[Route], int]  # siblings with their index, and the number of one


def _below(
    route: Route, path: tuple[int, ...], above: Matchers, levels: tuple[_Level, ...]
) -> Iterator[ShadowedRoute]:
    index = Index([child.matchers for child in route.routes])
    for number, child in enumerate(route.routes):
        matchers = (*above, *child.matchers)
        region = _region(matchers)
        here = (*levels, (index, route.routes, number))
        if _is_empty(region):
            continue
        if not any(_arrives(here, labels) for labels in _samples(region)):
            earlier = [each for _, siblings, at in here for each in siblings[:at]]
            earlier = [each for each in earlier if not each.continue_]
            by = covering(matchers, [each.matchers for each in earlier])
            if by is not None:
                yield ShadowedRoute((*path, number), tuple(earlier[at] for at in by))
                continue
        yield from _below(child, (*path, number), matchers, here)


def _arrives(levels: Sequence[_Level], labels: dict[str, str]) -> bool:
    """Whether no earlier sibling, on any level, ends the search for these labels."""
    for index, siblings, number in levels:
        for met in index.matching(labels):
            if met >= number:
                break
            if not siblings[met].continue_:
                return False
    return True


def matches_everything(matcher: Matcher) -> bool:
    """Whether a matcher certainly excludes no value, a missing label included."""
    values = _values([matcher])
    return bool(matcher.parts) and all(matcher.matches({matcher.name: each}) for each in values)


def contradiction(matchers: Sequence[Matcher]) -> int | None:
    """The index of the first matcher that excludes all that the ones before it match."""
    for index in range(len(matchers)):
        if _is_empty(_region(matchers[: index + 1])):
            return index
    return None


def covering(matchers: Matchers, earlier: Sequence[Matchers]) -> tuple[int, ...] | None:
    """The earlier lists that together match all that these matchers do, none of them superfluous;
    None if some alert is left, or the search takes too long."""
    region, exact = _region(matchers, earlier), _exact(matchers)
    boxes: dict[int, Region] = {}
    for number, each in enumerate(earlier):
        box = _box(each, region, exact)
        if box is not None:
            boxes[number] = box
    search = _Search()
    try:
        if not search.covers(region, boxes):
            return None
        needed = {number: boxes[number] for number in sorted(search.used)}
        for number in tuple(needed):
            fewer = {other: box for other, box in needed.items() if other != number}
            if search.covers(region, fewer):
                needed = fewer
    except _TooLong:
        return None
    return tuple(needed)


# Any value is treated by literals and prefixes as one of a few representatives: a literal, a
# prefix, a prefix followed by a character that none of them has, or that character alone. (Values
# with line breaks aside.) So a region is, by label, the representatives that all matchers match.


def _values(matchers: Iterable[Matcher]) -> Values:
    """Representatives of all values of one label, as far as these matchers tell them apart."""
    parts = [part for matcher in matchers for part in matcher.parts]
    known = {char for part in parts for char in part.text}
    other = next(char for char in map(chr, range(0xE000, 0x110000)) if char not in known)
    texts = {"", other, *(part.text for part in parts)}
    return frozenset(texts | {part.text + other for part in parts if part.tail})


def _exact(matchers: Iterable[Matcher]) -> dict[str, Values]:
    """The labels of which matchers name every possible value, with these values."""
    return {
        matcher.name: frozenset(part.text for part in matcher.parts)
        for matcher in matchers
        if matcher.is_positive and matcher.parts and not any(p.tail for p in matcher.parts)
    }


def _region(matchers: Sequence[Matcher], others: Iterable[Matchers] = ()) -> dict[str, Values]:
    """What the matchers match, in representatives that `others` tell apart too."""
    by_label: dict[str, list[Matcher]] = {}
    for matcher in (*matchers, *(matcher for each in others for matcher in each)):
        by_label.setdefault(matcher.name, []).append(matcher)
    exact = _exact(matchers)
    region = {name: exact.get(name) or _values(group) for name, group in by_label.items()}
    for matcher in matchers:
        if matcher.parts or matcher.name in exact:
            region[matcher.name] = _matching(region[matcher.name], matcher)
    return region


def _box(matchers: Iterable[Matcher], region: Region, exact: Iterable[str]) -> Region | None:
    """What of a region the matchers match, for the labels of which that is not everything; None
    if that is nothing or not known."""
    box: dict[str, Values] = {}
    for matcher in matchers:
        if not matcher.parts and matcher.name not in exact:
            return None
        name = matcher.name
        left = _matching(box.get(name, region[name]), matcher)
        if not left:
            return None
        if left != region[name]:
            box[name] = left
    return box


def _matching(values: Values, matcher: Matcher) -> Values:
    if matcher.parts and not any(part.tail for part in matcher.parts):
        texts = frozenset(part.text for part in matcher.parts)
        return values & texts if matcher.is_positive else values - texts
    return frozenset(value for value in values if matcher.matches({matcher.name: value}))


def _is_empty(region: Region) -> bool:
    return not all(region.values())


def _samples(region: Region) -> Iterator[dict[str, str]]:
    """Labels of a few alerts of a region."""
    choices = [sorted(values)[:8] for values in region.values()]
    for values in islice(product(*choices), _SAMPLES):
        yield dict(zip(region, values, strict=True))


class _TooLong(Exception):
    pass


class _Search:
    """Looks for an alert of a region that is in no box."""

    def __init__(self) -> None:
        self.used: set[int] = set()
        self._steps = 0

    def covers(self, region: Region, boxes: Mapping[int, Region]) -> bool:
        """Whether there is none. Raises _TooLong."""
        self._steps += 1 + len(boxes) // 16
        if self._steps > _MOST_STEPS:
            raise _TooLong
        near: dict[int, Region] = {}
        for number, box in boxes.items():
            if any(region[name].isdisjoint(values) for name, values in box.items()):
                continue
            near[number] = {name: box[name] for name in box if not region[name] <= box[name]}
            if not near[number]:
                self.used.add(number)
                return True
        if not near:
            return False
        number = min(near, key=lambda number: len(near[number]))
        self.used.add(number)
        for name, values in near.pop(number).items():
            if not self.covers({**region, name: region[name] - values}, near):
                return False
            region = {**region, name: region[name] & values}  # the rest is covered
        return True
