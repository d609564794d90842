"""Coverage: which runbook and which receivers the alerts of each alerting rule get, and why.

It asks `enrich.select_runbook`, as the router does, once for each table entry that may match. What
labels an alert has besides those of its rule is unknown; the tables are matched as far as that
decides nothing.
"""

from collections import Counter
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from heapq import merge
from typing import Literal

from alert_router.checks.rules import ABSENT, AlertRule, PossibleLabels, ValueSet, is_template
from alert_router.enrich import ANNOTATIONS, Choice, select_runbook
from alert_router.matcher import Matcher, Op
from alert_router.model import Alert, Labels, Status
from alert_router.model.problem import Place, Problem, Severity
from alert_router.redaction import clip
from alert_router.routing import Route, RouteTree, RunbookEntry, RunbookTable
from alert_router.runbook import Catalogue

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


CoverageState = Literal["covered", "none-wanted", "uncovered", "depends"]
Agreement = Literal["agrees", "differs", "dead", "ambiguous", "templated", "depends"]


@dataclass(frozen=True, slots=True)
class RoutingRules:
    """Everything that decides: both tables, the default runbook and the catalogue."""

    table: RunbookTable
    tree: RouteTree
    default_runbook: str | None
    catalogue: Catalogue


@dataclass(frozen=True, slots=True)
class Annotation:
    """An annotation of a rule that names a runbook, compared with the runbook chosen.

    agrees: names the one chosen; differs: another one; dead: one that does not exist; ambiguous:
    several; templated: known only once Prometheus expands it; depends: one of those possible.
    """

    name: str
    value: str
    place: Place
    agreement: Agreement


@dataclass(frozen=True, slots=True)
class AlertCoverage:
    """The coverage of one rule.

    `choices` are the possible runbooks, in the order in which they are tried. If there are
    several, the labels `depends_on` decide, or the value of the annotation `template`. A choice by
    annotation without a runbook is whatever that annotation will name. `receivers` are the
    possible outcomes, decided by `receivers_depend_on`; empty if there are too many to list.
    """

    rule: AlertRule
    possible_labels: PossibleLabels
    choices: tuple[Choice, ...]
    depends_on: tuple[str, ...]
    template: str
    receivers: tuple[ReceiverNames, ...]
    receivers_depend_on: tuple[str, ...]
    annotations: tuple[Annotation, ...]

    @property
    def state(self) -> CoverageState:
        """covered: has a runbook, whatever its labels; none-wanted: has none, by the table;
        uncovered: certainly has none; depends: not known."""
        states = {_state(choice) for choice in self.choices}
        return states.pop() if len(states) == 1 else "depends"

    @property
    def severity(self) -> str:
        """The value of the label `severity`; "" if it is missing or not known."""
        values = self.possible_labels.of("severity")
        return next(iter(values)) if values is not None and len(values) == 1 else ""


def _state(choice: Choice) -> CoverageState:
    if choice.runbook is not None:
        return "uncovered" if choice.no_section else "covered"
    if choice.way == "annotation":
        return "depends"
    return "none-wanted" if choice.way == "table" else "uncovered"


def cover(
    rules: Iterable[AlertRule], routing: RoutingRules, external: Mapping[str, str | None]
) -> tuple[AlertCoverage, ...]:
    """The coverage of each rule; `external` as for `with_external`."""
    candidates = Candidates(routing.table)
    return tuple(_cover(rule, routing, candidates, external) for rule in rules)


def _cover(
    rule: AlertRule,
    routing: RoutingRules,
    candidates: Candidates,
    external: Mapping[str, str | None],
) -> AlertCoverage:
    labels = with_external(rule.possible_labels, external)
    entries, depends = candidates.of(rule.name, labels)
    outcomes = [_choices(rule, routing, entry) for entry in entries]
    choices = tuple(dict.fromkeys(choice for found, _ in outcomes for choice in found))
    receivers, receivers_depend = possible_receivers(routing.tree, labels)
    chosen = [choice.runbook for choice in choices]
    return AlertCoverage(
        rule=rule,
        possible_labels=labels,
        choices=choices,
        depends_on=depends if len(entries) > 1 else (),
        template=next((template for _, template in outcomes if template), ""),
        receivers=receivers,
        receivers_depend_on=receivers_depend,
        annotations=tuple(_annotations(rule, chosen, routing.catalogue)),
    )


def _choices(rule: AlertRule, routing: RoutingRules, entry: int | None) -> tuple[list[Choice], str]:
    """The possible choices if this table entry matches, and the annotation that decides once
    Prometheus expands it."""
    known = {name: _runbook_part(rule.annotations.get(name, "")) for name in ANNOTATIONS}
    choice = _choose(rule, routing, entry, {name: text or "" for name, text in known.items()})
    template = next((name for name, text in known.items() if text is None), "")
    if not template or choice.way == "table":
        return [choice], ""
    before = ANNOTATIONS[: ANNOTATIONS.index(template)]
    first = _choose(rule, routing, entry, {name: known[name] or "" for name in before})
    if first.way == "annotation":
        return [first], ""
    return [Choice(None, "annotation", entry), choice], template


def _choose(
    rule: AlertRule, routing: RoutingRules, entry: int | None, annotations: Mapping[str, str]
) -> Choice:
    alert = Alert.model_construct(
        status=Status.FIRING,
        labels={"alertname": rule.name},
        annotations=dict(annotations),
        fingerprint="-",
    )
    table = _TableWithMatch(routing.table.entries, entry)
    return select_runbook(alert, table, routing.catalogue, routing.default_runbook)


@dataclass(frozen=True, slots=True)
class _TableWithMatch:
    """The runbook table with the match already decided."""

    entries: Sequence[RunbookEntry]
    entry: int | None

    def match(self, _labels: Labels) -> int | None:
        return self.entry


def _annotations(
    rule: AlertRule, chosen: Collection[str | None], catalogue: Catalogue
) -> Iterator[Annotation]:
    for name in ANNOTATIONS:
        if value := rule.annotations.get(name, ""):
            agreement = _agreement(_runbook_part(value), rule.name, chosen, catalogue)
            yield Annotation(name, value, rule.annotation_places[name], agreement)


def _runbook_part(reference: str) -> str | None:
    """The part of a reference that names the runbook; None if it is a template. A template in the
    fragment or the query, such as `#{{ $labels.pod }}`, makes no difference."""
    if not is_template(reference):
        return reference
    head = reference.partition("#")[0].partition("?")[0]
    return None if is_template(head) else head


def _agreement(
    reference: str | None,
    alertname: str,
    chosen: Collection[str | None],
    catalogue: Catalogue,
) -> Agreement:
    if reference is None:
        return "templated"
    named = catalogue.by_reference(reference, alertname)
    if len(named) > 1:
        return "ambiguous"
    if not named or catalogue.get(named[0]) is None:
        return "dead"
    if named[0] not in chosen:
        return "differs"
    return "agrees" if len(set(chosen)) == 1 else "depends"


def unknown_sections(alerts: Iterable[AlertCoverage], catalogue: Catalogue) -> Iterator[Problem]:
    """Fragments of annotations that lead to no heading of the runbook."""
    for alert in alerts:
        for annotation in alert.annotations:
            reference = _runbook_part(annotation.value)
            fragment = catalogue.dead_fragment(reference) if reference else ""
            if fragment:
                file = catalogue.file_of(catalogue.by_reference(annotation.value)[0])
                yield Problem(
                    "rules-unknown-section",
                    f"no heading of `{clip(file)}` has the anchor `#{clip(fragment)}`",
                    annotation.place,
                    Severity.WARNING,
                    "fix the fragment, or give the heading the id: `## Name {#id}`",
                )


def labels_by_runbook(
    alerts: Iterable[AlertCoverage], catalogue: Catalogue, external: Collection[str] = ()
) -> Mapping[str, frozenset[str] | None]:
    """For each file of runbooks that some alert can get, every label that one of these alerts can
    have, with the external labels given; None if any label is possible. Placeholders can use
    these."""
    found: dict[str, frozenset[str] | None] = {}
    for alert in alerts:
        own = alert.rule.possible_labels.names()
        names = None if own is None else own | frozenset(external)
        chosen = {choice.runbook for choice in alert.choices if choice.runbook is not None}
        for runbook in {catalogue.file_of(id) for id in chosen}:
            known = found.get(runbook, frozenset())
            found[runbook] = None if known is None or names is None else known | names
    return found


@dataclass(frozen=True, slots=True)
class Totals:
    """The number of rules in each state."""

    covered: int = 0
    depends: int = 0
    uncovered: int = 0
    none_wanted: int = 0

    @property
    def alerts(self) -> int:
        """All rules."""
        return self.covered + self.depends + self.uncovered + self.none_wanted

    @property
    def percent(self) -> float:
        """The share of covered rules among those that want a runbook; 100 if none does."""
        wanting = self.alerts - self.none_wanted
        return 100.0 * self.covered / wanting if wanting else 100.0


def totals(alerts: Iterable[AlertCoverage]) -> Totals:
    """The totals of all these."""
    return Totals(**Counter(alert.state.replace("-", "_") for alert in alerts))


def by_severity(alerts: Iterable[AlertCoverage]) -> dict[str, Totals]:
    """Totals by the label `severity`, sorted; "" (last) if it is missing or not known."""
    found = _by(alerts, lambda alert: alert.severity)
    return {key: found[key] for key in sorted(found, key=lambda key: (not key, key))}


def by_file(alerts: Iterable[AlertCoverage]) -> dict[str, Totals]:
    """Totals by rule file, in the order of reading."""
    return _by(alerts, lambda alert: alert.rule.file)


def _by(alerts: Iterable[AlertCoverage], key: Callable[[AlertCoverage], str]) -> dict[str, Totals]:
    groups: dict[str, list[AlertCoverage]] = {}
    for alert in alerts:
        groups.setdefault(key(alert), []).append(alert)
    return {name: totals(group) for name, group in groups.items()}
