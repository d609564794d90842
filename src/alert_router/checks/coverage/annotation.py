"""A rule's own `runbook` and `runbook_url`: what they name, and whether that is what is chosen."""

from collections.abc import Collection, Iterator

from alert_router.checks.coverage.model import Agreement, Annotation
from alert_router.checks.rules import AlertRule, is_template
from alert_router.enrich import ANNOTATIONS
from alert_router.runbook import Catalogue


def settled(reference: str) -> str | None:
    """As much of a reference as tells its runbook; None where Prometheus fills that in.

    A template in the fragment or the query, such as `#{{ $labels.pod }}`, makes no difference.
    """
    if not is_template(reference):
        return reference
    head = reference.partition("#")[0].partition("?")[0]
    return None if is_template(head) else head


def annotations_of(
    rule: AlertRule, chosen: Collection[str | None], catalogue: Catalogue
) -> Iterator[Annotation]:
    """The rule's words on its runbook; `chosen` are the runbooks that it can get."""
    for name in ANNOTATIONS:
        if value := rule.annotations.get(name, ""):
            place = rule.annotation_places[name]
            yield Annotation(name, value, place, _agreement(settled(value), chosen, catalogue))


def _agreement(
    reference: str | None, chosen: Collection[str | None], catalogue: Catalogue
) -> Agreement:
    if reference is None:
        return "templated"
    named = catalogue.by_reference(reference)
    if len(named) > 1:
        return "ambiguous"
    if not named or catalogue.get(named[0]) is None:
        return "dead"
    if named[0] not in chosen:
        return "differs"
    return "agrees" if len(set(chosen)) == 1 else "depends"
