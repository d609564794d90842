"""Which labels the series have that a PromQL expression yields, as far as that is sure.

Never more than is sure: what is not understood can carry anything. By Prometheus's own engine
(prometheus/prometheus, promql/engine.go).
"""

from typing import Any

from promql_parser import (
    AggModifierType,
    AggregateExpr,
    BinaryExpr,
    Call,
    MatrixSelector,
    NumberLiteral,
    ParenExpr,
    StringLiteral,
    SubqueryExpr,
    UnaryExpr,
    VectorSelector,
)

from alert_router.checks.rules import functions
from alert_router.checks.rules.binary import binary_labels
from alert_router.checks.rules.carried import ABSENT, NAME, NOTHING, UNKNOWN, Carried, either
from alert_router.checks.rules.relabel import joined_label, replaced_label
from alert_router.checks.rules.selectors import absence_labels, selected_labels


def yielded_labels(expression: Any) -> Carried:
    """The labels of every series that the expression can yield, without the metric's name."""
    try:
        return _labels(expression).without((NAME,))
    except RecursionError:
        return UNKNOWN.without((NAME,))


def _labels(node: Any) -> Carried:
    match node:
        case VectorSelector():
            return selected_labels(node)
        case MatrixSelector():
            return selected_labels(node.vector_selector)
        case ParenExpr() | SubqueryExpr():
            return _labels(node.expr)
        case UnaryExpr():
            return _unnamed(_labels(node.expr))
        case NumberLiteral() | StringLiteral():
            return NOTHING
        case AggregateExpr():
            return _aggregated(node)
        case BinaryExpr():
            return _binary(node)
        case Call():
            return _called(node)
    return UNKNOWN


def _binary(node: Any) -> Carried:
    left, right = _labels(node.lhs), _labels(node.rhs)
    if _is_scalar(node.lhs):
        return NOTHING if _is_scalar(node.rhs) else _unnamed(right)
    if _is_scalar(node.rhs):
        return _unnamed(left)
    return _unnamed(binary_labels(node, left, right))


def _aggregated(node: Any) -> Carried:
    labels = _labels(node.expr)
    operation = str(node.op).lower()
    if operation in functions.PICKING:
        return labels
    modifier = node.modifier
    if modifier is None:
        kept = NOTHING
    elif modifier.type == AggModifierType.By:
        kept = labels.only(modifier.labels)
    else:
        kept = labels.without((*modifier.labels, NAME))
    if operation == "count_values":
        if not isinstance(node.param, StringLiteral):
            return UNKNOWN
        kept = kept.having({node.param.val: None})
    return kept


def _called(node: Any) -> Carried:
    name = node.func.name.lower()
    arguments = list(node.args)
    if name in functions.BARE:
        return NOTHING
    if name in functions.ABSENCE:
        return absence_labels(arguments[0])
    if name in functions.KEEPING or name in functions.BUCKETS:
        vectors = [argument for argument in arguments if not _is_scalar(argument)]
        if not vectors:
            return NOTHING  # as hour() of now
        labels = _unnamed(_labels(vectors[-1]))
        return labels.without(("le",)) if name in functions.BUCKETS else labels
    if name == "label_replace":
        return replaced_label(_labels(arguments[0]), *_texts(arguments[1:]))
    if name == "label_join":
        return joined_label(_labels(arguments[0]), *_texts(arguments[1:]))
    return UNKNOWN


def _texts(arguments: list[Any]) -> list[str | None]:
    return [it.val if isinstance(it, StringLiteral) else None for it in arguments]


def _unnamed(labels: Carried) -> Carried:
    """What is left where the metric's name goes, or goes later (as in Prometheus 3)."""
    name = labels.of(NAME)
    return labels if name == ABSENT else labels.having({NAME: either(name, ABSENT)})


def _is_scalar(node: Any) -> bool:
    """Whether an expression is a number, or text, and no vector."""
    match node:
        case NumberLiteral() | StringLiteral():
            return True
        case ParenExpr() | UnaryExpr():
            return _is_scalar(node.expr)
        case BinaryExpr():
            return _is_scalar(node.lhs) and _is_scalar(node.rhs)
        case Call():
            return node.func.name in functions.SCALARS
    return False
