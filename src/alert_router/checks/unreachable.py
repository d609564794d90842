"""Routes, table entries and runbooks that no alert reaches, and entries that match too much.

What earlier entries and routes leave is decided for equalities, alternations of literals, and
prefixes. Of any other regular expression only its answers for known values count, so that nothing
is reported that is not certain.
"""

import re
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import islice, product
from pathlib import Path

from alert_router.checks import severities
from alert_router.config import codes
from alert_router.config.load import Loaded
from alert_router.config.routing import matcher_places
from alert_router.matcher import Matcher, Op, Part
from alert_router.model.problem import Place, Problem, ProblemsError
from alert_router.redaction import clip
from alert_router.routing import Index, Route, RouteTree, RunbookEntry, RunbookTable
from alert_router.runbook import Catalogue
from alert_router.yaml_source import Node, YamlFile, children, read

_SHOWN = 5
_LONGEST_VALUE = 200  # characters of a value that are looked at
_ALWAYS_THERE = "alertname"


def routing_problems(loaded: Loaded) -> Iterator[Problem]:
    """Everything about the route tree and the runbook table, with places in their file."""
    try:
        document = read(loaded.files[1])
    except (IndexError, ProblemsError):  # there is none, or it was deleted since it was loaded
        return
    yield from _of_table(loaded, document)
    yield from _of_tree(loaded, document)
    yield from severities.in_routing(document, loaded.config.severities.scale())


def unreached(loaded: Loaded, catalogue: Catalogue, reached: Collection[str]) -> Iterator[Problem]:
    """Runbooks that no table entry, no default and none of the rules' alerts (`reached`) lead to,
    except those with `alerts: none`, which people look up themselves."""
    led_to = {catalogue.named(reference.name) for reference in loaded.runbooks_named}
    known = {catalogue.file_of(id) for id in (*led_to, *reached)}
    code = codes.ROUTING_UNREACHED_RUNBOOK
    if not loaded.table.entries and not led_to:  # annotations and names select all runbooks
        return
    for id, runbook in catalogue.runbooks.items():
        if id in known or runbook.metadata.get("alerts", "").lower() == "none":
            continue
        yield Problem(
            code,
            "no entry of the runbook table leads to this runbook",
            Place(str(catalogue.file(id))),
            codes.SEVERITIES[code],
            "only an alert's annotation or name selects it; if people look it up themselves, write "
            "`alerts: none` in its front matter",
        )


def in_one_line(problems: Iterable[Problem], catalogue: Catalogue) -> Iterator[Problem]:
    """The problems, with those of several runbooks that nothing leads to as one: a foreign
    collection has a hundred."""
    found: list[Problem] = []
    for problem in problems:
        if problem.code == codes.ROUTING_UNREACHED_RUNBOOK:
            found.append(problem)
        else:
            yield problem
    if len(found) < 2:
        yield from found
        return
    paths = [Path(problem.place.file).relative_to(catalogue.root) for problem in found]
    shown = ", ".join(clip(str(path.with_suffix(""))) for path in paths[:_SHOWN])
    more = f" and {len(found) - _SHOWN} more" if len(found) > _SHOWN else ""
    message = f"no entry of the runbook table leads to {len(found)} runbooks: {shown}{more}"
    yield replace(found[0], message=message, place=Place(str(catalogue.root)))


@dataclass(frozen=True, slots=True)
class _Written:
    """Matchers and the place of each."""

    matchers: tuple[Matcher, ...] = ()
    places: tuple[Place, ...] = ()

    def with_(self, matchers: Sequence[Matcher], node: Node) -> "_Written":
        """These, followed by those of a route or an entry."""
        places = matcher_places(node)
        return _Written((*self.matchers, *matchers), (*self.places, *places))


def _of_table(loaded: Loaded, document: YamlFile) -> Iterator[Problem]:
    nodes = list(children(document.root.get("runbooks")))
    entries = loaded.table.entries
    if len(nodes) != len(entries):  # changed since it was loaded
        return
    for entry, node in zip(entries, nodes, strict=True):
        written = _Written().with_(entry.matchers, node)
        excluded = list(_contradictions(document, written, 0))
        yield from excluded
        yield from _odd_values(document, written, 0)
        vague = list(_vague(document, written, 0))
        yield from vague
        if not excluded and not vague:
            yield from _by_absence(document, written)
    for shadowed in shadowed_entries(loaded.table):
        same = all(each.runbook == entries[shadowed.index].runbook for each in shadowed.by)
        yield _shadowed(
            document,
            codes.ROUTING_SHADOWED_ENTRY,
            "entry",
            [each.place for each in shadowed.by],
            nodes[shadowed.index].place,
            "remove it: the runbook is the same" if same else "move it up, or remove it",
        )


def _of_tree(loaded: Loaded, document: YamlFile) -> Iterator[Problem]:
    places: dict[tuple[int, ...], Place] = {}
    root = document.root.get("route")
    if root is not None:
        yield from _of_routes(document, loaded.tree.root, root, (), _Written(), places)
    for shadowed in shadowed_routes(loaded.tree):
        if shadowed.path not in places:
            continue
        yield _shadowed(
            document,
            codes.ROUTING_SHADOWED_ROUTE,
            "route",
            [each.place for each in shadowed.by],
            places[shadowed.path],
            "move it up, or write `continue: true` there",
        )


def _of_routes(
    document: YamlFile,
    route: Route,
    node: Node,
    path: tuple[int, ...],
    above: _Written,
    places: dict[tuple[int, ...], Place],
) -> Iterator[Problem]:
    """Checks the matchers of all routes below one, and collects the place of each route."""
    below = list(children(node.get("routes"))) if hasattr(node, "get") else []
    if len(below) != len(route.routes):
        return
    for number, (child, at) in enumerate(zip(route.routes, below, strict=True)):
        written = above.with_(child.matchers, at)
        places[(*path, number)] = at.place
        yield from _odd_values(document, written, len(above.matchers))
        yield from _vague(document, written, len(above.matchers))
        excluded = list(_contradictions(document, written, len(above.matchers)))
        yield from excluded
        if not excluded:
            yield from _of_routes(document, child, at, (*path, number), written, places)


def _shadowed(
    document: YamlFile, code: str, kind: str, by: Sequence[Place | None], place: Place, hint: str
) -> Problem:
    known = [f"{each.line}:{each.column}" for each in by if each is not None]
    shown = ", ".join(known[:_SHOWN]) + (f" and {len(known) - _SHOWN} more" * (len(known) > _SHOWN))
    if len(by) == 1:
        who = f"the {kind} at {shown} matches"
    else:
        who = (
            f"the {kind[:-1] + 'ies' if kind[-1] == 'y' else kind + 's'} at {shown} together match"
        )
    message = f"no alert reaches this {kind}: {who} everything it could match"
    return document.problem(code, message, place, hint=hint, severity=codes.SEVERITIES[code])


def _contradictions(document: YamlFile, written: _Written, start: int) -> Iterator[Problem]:
    """The first matcher, from `start` on, that cannot match together with those before it."""
    index = contradiction(written.matchers)
    if index is None or index < start:
        return
    code = codes.ROUTING_CONTRADICTION
    matcher, place = written.matchers[index], written.places[index]
    others = [
        (other, at)
        for other, at in zip(written.matchers[:index], written.places, strict=False)
        if other.name == matcher.name
    ]
    pair = [(other, at) for other, at in others if contradiction((other, matcher)) is not None]
    if not others:
        message = f"no value matches `{clip(str(matcher), 80)}`"
    elif pair:
        other, at = pair[0]
        where = "" if at.line == place.line else f" on line {at.line}"
        message = (
            f"no alert matches both `{clip(str(matcher), 80)}` and `{clip(str(other), 80)}`{where}"
        )
    else:
        message = f"no alert matches both `{clip(str(matcher), 80)}` and the matchers before it"
    hint = f'all matchers must match; to accept either value write {clip(matcher.name)}=~"a|b"'
    yield document.problem(code, message, place, hint=hint, severity=codes.SEVERITIES[code])


# Values that are valid and are hardly ever those of a label, what they look like, and what to do.
_ODD_LITERALS = (
    (re.compile(r"'.*'"), "the single quotes are part of the value", "use double quotes"),
    (re.compile(r"=.*"), "the second `=` is part of the value", "write one `=`"),
    (re.compile(r".* (?:and|or|&&|\|\|) [^ ]+ *[=!].*"), "all of this is one value", "{list}"),
    (re.compile(r".*(?:\.[*+]|[^|]\|[^|]).*"), "`{op}` compares the text as it is", "write {re}"),
)
_ODD_PATTERNS = (
    (re.compile(r"[\w-]+(?:, *[\w-]+)+"), "a comma separates nothing", "separate values with |"),
    (re.compile(r"[\w-]+\*"), "`*` repeats the character before it", "write .* for any text"),
)


def _odd_values(document: YamlFile, written: _Written, start: int) -> Iterator[Problem]:
    """Matchers, from `start` on, whose value is probably meant otherwise."""
    code = codes.ROUTING_ODD_VALUE
    for matcher, place in list(zip(written.matchers, written.places, strict=True))[start:]:
        is_literal = matcher.op in (Op.EQUAL, Op.NOT_EQUAL)
        value = matcher.value[:_LONGEST_VALUE]
        for pattern, looks, hint in _ODD_LITERALS if is_literal else _ODD_PATTERNS:
            if not pattern.fullmatch(value):
                continue
            regex = Op.REGEX if matcher.op is Op.EQUAL else Op.NOT_REGEX
            message = f"`{clip(str(matcher), 80)}`: {looks.format(op=matcher.op)}"
            write = hint.format(list="write one matcher for each in the list", re=f"`{regex}`")
            severity = codes.SEVERITIES[code]
            yield document.problem(code, message, place, hint=write, severity=severity)
            break


def _vague(document: YamlFile, written: _Written, start: int) -> Iterator[Problem]:
    """Matchers, from `start` on, that match every alert."""
    code = codes.ROUTING_MATCHES_MISSING
    for matcher, place in list(zip(written.matchers, written.places, strict=True))[start:]:
        if matches_everything(matcher):
            name = clip(matcher.name)
            message = f"`{clip(str(matcher), 80)}` matches every alert: a missing label is empty"
            hint = f'write {name}!="" if the label must be present, or remove it'
            yield document.problem(code, message, place, hint=hint, severity=codes.SEVERITIES[code])


def _by_absence(document: YamlFile, written: _Written) -> Iterator[Problem]:
    """An entry that matches alerts without any of its labels, although no matcher says so."""
    matchers = written.matchers
    names = [name for name in dict.fromkeys(m.name for m in matchers) if name != _ALWAYS_THERE]
    if not names or not all(matcher.matches({}) for matcher in matchers):
        return
    if any(m.is_positive and Part("") in m.parts for m in matchers):
        return
    code = codes.ROUTING_MATCHES_MISSING
    lacking = " and ".join(f"`{clip(name)}`" for name in names[:_SHOWN])
    message = f"this entry also matches alerts without {lacking}: a missing label is empty"
    hint = f'add {clip(names[0])}!="" if the label must be present'
    yield document.problem(
        code, message, written.places[0], hint=hint, severity=codes.SEVERITIES[code]
    )


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
