"""The labels that come out where two vectors are matched (prometheus/prometheus, promql/engine.go,
resultMetric and the set operators)."""

from typing import Any

from promql_parser import LabelModifierType, VectorMatchCardinality

from alert_router.checks.rules.carried import UNKNOWN, Carried, equal_but, equal_on, union


def binary_labels(node: Any, left: Carried, right: Carried) -> Carried:
    """The labels of the series that `left OP right` yields, for vectors on both sides."""
    operator = str(node.op).lower()
    modifier = node.modifier or None
    if operator == "or":
        return union(left, right)
    if operator == "unless":
        return left
    if modifier is not None and _fills(modifier):
        return UNKNOWN
    if operator == "and":
        return _matched(modifier, left, right)
    if modifier is not None and modifier.card == VectorMatchCardinality.ManyToOne:
        return _grouped(modifier, left, right)
    if modifier is not None and modifier.card == VectorMatchCardinality.OneToMany:
        return _grouped(modifier, right, left)
    matched = _matched(modifier, left, right)
    names, is_on = _matching(modifier)
    return matched.only(names) if is_on else matched.without(names)


def _grouped(modifier: Any, many: Carried, few: Carried) -> Carried:
    """The labels of the side with many series, and those named that the other side lends."""
    lent = {name: few.of(name) for name in modifier.group_labels or ()}
    return _matched(modifier, many, few).having(lent)


def _matched(modifier: Any, left: Carried, right: Carried) -> Carried:
    """The left side, where it has a partner on the right."""
    names, is_on = _matching(modifier)
    return equal_on(left, right, names) if is_on else equal_but(left, right, names)


def _matching(modifier: Any) -> tuple[tuple[str, ...], bool]:
    """The labels of `on` (True) or of `ignoring` (False); neither: nothing is ignored."""
    matching = modifier.matching if modifier is not None else None
    if matching is None:
        return (), False
    return tuple(matching.labels), matching.type == LabelModifierType.Include


def _fills(modifier: Any) -> bool:
    """Whether a side without a partner is kept, as if it had one."""
    values = modifier.fill_values
    return values is not None and (values.lhs is not None or values.rhs is not None)
