"""What the routing makes of the alerts of each rule.

It asks what the router asks (`enrich.select`), once for each table entry that may be met.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from alert_router.checks.coverage.annotation import annotations_of, settled
from alert_router.checks.coverage.candidates import Candidates
from alert_router.checks.coverage.external import with_external
from alert_router.checks.coverage.model import AlertCoverage
from alert_router.checks.coverage.receivers import possible_receivers
from alert_router.checks.rules import AlertRule
from alert_router.enrich import ANNOTATIONS, Choice, select_runbook
from alert_router.model import Alert, Labels, Status
from alert_router.routing import RouteTree, RunbookEntry, RunbookTable
from alert_router.runbook import Catalogue


@dataclass(frozen=True, slots=True)
class Routing:
    """What decides: the two tables, the default and the runbooks there are."""

    table: RunbookTable
    tree: RouteTree
    default_runbook: str | None
    catalogue: Catalogue


def cover(
    rules: Iterable[AlertRule], routing: Routing, external: Mapping[str, str | None]
) -> tuple[AlertCoverage, ...]:
    """What becomes of each rule's alerts; `external` as `with_external` takes it."""
    candidates = Candidates(routing.table)
    return tuple(_cover(rule, routing, candidates, external) for rule in rules)


def _cover(
    rule: AlertRule,
    routing: Routing,
    candidates: Candidates,
    external: Mapping[str, str | None],
) -> AlertCoverage:
    carried = with_external(rule.carried, external)
    entries, depends = candidates.of(rule.name, carried)
    ways = [_choices(rule, routing, entry) for entry in entries]
    choices = tuple(dict.fromkeys(choice for found, _ in ways for choice in found))
    receivers, receivers_depend = possible_receivers(routing.tree, carried)
    chosen = [choice.runbook for choice in choices]
    return AlertCoverage(
        rule=rule,
        carried=carried,
        choices=choices,
        depends_on=depends if len(entries) > 1 else (),
        template=next((template for _, template in ways if template), ""),
        receivers=receivers,
        receivers_depend_on=receivers_depend,
        annotations=tuple(annotations_of(rule, chosen, routing.catalogue)),
    )


def _choices(rule: AlertRule, routing: Routing, entry: int | None) -> tuple[list[Choice], str]:
    """What can be chosen where this entry of the table is met, and the annotation that decides
    once it is filled in."""
    told = {name: settled(rule.annotations.get(name, "")) for name in ANNOTATIONS}
    choice = _choose(rule, routing, entry, {name: text or "" for name, text in told.items()})
    template = next((name for name, text in told.items() if text is None), "")
    if not template or choice.way == "table":
        return [choice], ""
    before = ANNOTATIONS[: ANNOTATIONS.index(template)]
    first = _choose(rule, routing, entry, {name: told[name] or "" for name in before})
    if first.way == "annotation":
        return [first], ""
    return [Choice(None, "annotation", entry), choice], template


def _choose(
    rule: AlertRule, routing: Routing, entry: int | None, annotations: Mapping[str, str]
) -> Choice:
    alert = Alert.model_construct(
        status=Status.FIRING,
        labels={"alertname": rule.name},
        annotations=dict(annotations),
        fingerprint="-",
    )
    met = _Met(routing.table.entries, entry)
    return select_runbook(alert, met, routing.catalogue, routing.default_runbook)


@dataclass(frozen=True, slots=True)
class _Met:
    """The table, where it is settled which entry is met."""

    entries: Sequence[RunbookEntry]
    entry: int | None

    def match(self, _labels: Labels) -> int | None:
        """That entry."""
        return self.entry
