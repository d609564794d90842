"""Decides for each alerting rule which runbook and which receivers its alerts get.

It asks `enrich.select_runbook`, as the router does, once for each table entry that may match.
"""

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from alert_router.checks.coverage.partial_match import (
    Candidates,
    ReceiverNames,
    possible_receivers,
    with_external,
)
from alert_router.checks.rules import AlertRule, PossibleLabels, is_template
from alert_router.enrich import ANNOTATIONS, Choice, select_runbook
from alert_router.model import Alert, Labels, Status
from alert_router.model.problem import Place, Problem, Severity
from alert_router.redaction import clip
from alert_router.routing import RouteTree, RunbookEntry, RunbookTable
from alert_router.runbook import Catalogue

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
