"""Matches the runbook table and the route tree against alerts whose labels are partly unknown."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from heapq import merge

from alert_router.checks.rules import ABSENT, PossibleLabels, ValueSet
from alert_router.matcher import Matcher, Op
from alert_router.routing import Route, RouteTree, RunbookTable

# Names that external labels usually have (Prometheus's documentation, the operator's defaults,
# common practice). An alert may have these although no rule file shows it; it is not expected to
# have others.
CUSTOMARY = (
    *("account", "availability_zone", "cluster", "cluster_id", "cluster_name", "datacenter", "dc"),
    *("env", "environment", "k8s_cluster", "monitor", "prometheus", "prometheus_replica", "region"),
    *("replica", "site", "stage", "tenant", "zone"),
)
_MAX_OUTCOMES = 64

ReceiverNames = tuple[str, ...]


@dataclass(frozen=True, slots=True)
class PartialMatch:
    """`holds` is None if it depends on the labels in `on`, which are in the matchers' order."""

    holds: bool | None
    on: tuple[str, ...] = ()


def with_external(labels: PossibleLabels, given: Mapping[str, str | None]) -> PossibleLabels:
    """The labels with which an alert arrives: those of its rule and Prometheus's
    `external_labels`, which are not in the rule file.

    `given` are external labels with their value: "" if there is no such label, None if the value
    is not known. An external label never replaces a label that an alert has (Prometheus,
    notifier).
    """
    added: dict[str, str | None] = {**dict.fromkeys(CUSTOMARY), **given}
    return labels.having({name: _added(labels.of(name), value) for name, value in added.items()})


def _added(values: ValueSet, external: str | None) -> ValueSet:
    if values is not None and "" not in values:
        return values
    if external is None:
        return None
    return (values or ABSENT) - ABSENT | {external}


def partial_match(matchers: Iterable[Matcher], labels: PossibleLabels) -> PartialMatch:
    """Whether all matchers match every, no, or only some alerts with these labels."""
    left: dict[str, frozenset[str]] = {}  # the values of a label that the matchers so far accept
    undecided: dict[str, None] = {}
    for matcher in matchers:
        name = matcher.name
        values = left.get(name, labels.of(name))
        if values is None:
            undecided[name] = None
            continue
        passing = frozenset(value for value in values if matcher.matches({name: value}))
        if not passing:
            return PartialMatch(False)
        if len(passing) < len(values):
            undecided[name] = None
        left[name] = passing
    return PartialMatch(None, tuple(undecided)) if undecided else PartialMatch(True)


class Candidates:
    """The entries of a runbook table, indexed by the alert names that they list, so that
    thousands of alerts can be matched against thousands of entries."""

    def __init__(self, table: RunbookTable) -> None:
        self._entries = table.entries
        self._by_name: dict[str, list[int]] = {}
        self._others: list[int] = []
        for number, entry in enumerate(self._entries):
            names = next(filter(None, map(_listed_names, entry.matchers)), None)
            if names is None:
                self._others.append(number)
            for name in names or ():
                self._by_name.setdefault(name, []).append(number)

    def of(self, name: str, labels: PossibleLabels) -> tuple[list[int | None], tuple[str, ...]]:
        """The numbers of the entries, from 0, that may be the first to match, in order; None
        last if possibly none matches. If there are several, also the labels that decide."""
        found: list[int | None] = []
        depends: dict[str, None] = {}
        for number in merge(self._by_name.get(name, ()), self._others):
            match = partial_match(self._entries[number].matchers, labels)
            if match.holds is False:
                continue
            found.append(number)
            if match.holds:
                break
            depends |= dict.fromkeys(match.on)
        else:
            found.append(None)
        return found, tuple(depends)


def _listed_names(matcher: Matcher) -> frozenset[str] | None:
    """The alert names that a matcher accepts, if it lists them."""
    positive = matcher.op in (Op.EQUAL, Op.REGEX) and matcher.parts
    if matcher.name != "alertname" or not positive or any(part.tail for part in matcher.parts):
        return None
    return frozenset(part.text for part in matcher.parts)


class _TooMany(Exception):
    """There are more outcomes than anyone reads."""


def possible_receivers(
    tree: RouteTree, labels: PossibleLabels
) -> tuple[tuple[ReceiverNames, ...], tuple[str, ...]]:
    """Every possible outcome, each the receivers in order without repeats; and, if there are
    several, the labels that decide. No outcome means that there are too many to list."""
    depends: dict[str, None] = {}
    try:
        outcomes = _outcomes(tree.root, "", labels, depends)
    except _TooMany:
        return (), tuple(depends)
    return tuple(outcomes), tuple(depends) if len(outcomes) > 1 else ()


def _outcomes(
    route: Route, inherited: str, labels: PossibleLabels, depends: dict[str, None]
) -> dict[ReceiverNames, None]:
    """As RouteTree.match, but where a route may or may not match, both cases are followed."""
    receiver = route.receiver or inherited
    going: dict[ReceiverNames, None] = {(): None}  # found so far, where the next sibling is tried
    ended: dict[ReceiverNames, None] = {}
    for child in route.routes:
        match = partial_match(child.matchers, labels)
        if match.holds is False:
            continue
        depends |= dict.fromkeys(match.on)
        below = _outcomes(child, receiver, labels, depends)
        taken = {tuple(dict.fromkeys((*a, *b))): None for a in going for b in below}
        passed = going if match.holds is None else {}
        if child.continue_:
            going = taken | passed
        else:
            ended |= taken
            going = passed
        if len(ended) + len(going) > _MAX_OUTCOMES:
            raise _TooMany
        if not going:
            break
    return ended | {found or (receiver,): None for found in going}
