"""Which labels the series of a PromQL expression can have, as far as the expression tells.

Each case follows Prometheus's engine (promql/engine.go, promql/functions.go). Whatever is not
understood for certain can have any label with any value.
"""

import re
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import reduce
from itertools import product
from typing import Any

import promql_parser as ast
import re2

from alert_router.matcher import Matcher, Op, RegexError, anchored, encodable, options

# The values that a label can have. "" means that the label is missing, which is the same to
# Prometheus; None means any value.
ValueSet = frozenset[str] | None

ABSENT: frozenset[str] = frozenset(("",))
NAME = "__name__"
_MAX_VALUES = 64  # of one label; with more it can have any value


@dataclass(frozen=True, slots=True)
class PossibleLabels:
    """The possible values of each label by name. Labels that are not in `named` have the values
    `others`: ABSENT or None."""

    named: Mapping[str, ValueSet]
    others: ValueSet = ABSENT

    def of(self, name: str) -> ValueSet:
        """The values that a label can have."""
        return self.named.get(name, self.others)

    def having(self, changes: Mapping[str, ValueSet]) -> "PossibleLabels":
        """A copy with the values of some labels replaced."""
        return PossibleLabels({**self.named, **changes}, self.others)

    def only(self, names: Iterable[str]) -> "PossibleLabels":
        """A copy with these labels and no others."""
        return PossibleLabels({name: self.of(name) for name in names})

    def without(self, names: Iterable[str]) -> "PossibleLabels":
        """A copy without these labels."""
        return self.having(dict.fromkeys(names, ABSENT))

    def names(self) -> frozenset[str] | None:
        """The names of all labels that can be present; None if any label can be."""
        if self.others is None:
            return None
        return frozenset(name for name, values in self.named.items() if values != ABSENT)


NO_LABELS = PossibleLabels({})
ANY_LABELS = PossibleLabels({}, None)


def one(value: str) -> ValueSet:
    """Exactly this value."""
    return frozenset((value,))


def either(*sets: ValueSet) -> ValueSet:
    """The union of value sets."""
    found: set[str] = set()
    for each in sets:
        if each is None:
            return None
        found |= each
    return frozenset(found) if len(found) <= _MAX_VALUES else None


def infer_labels(expression: Any) -> PossibleLabels:
    """The labels of every series that a parsed expression can return, without the metric name."""
    try:
        return _infer(expression).without((NAME,))
    except RecursionError:
        return ANY_LABELS.without((NAME,))


def _infer(node: Any) -> PossibleLabels:
    match node:
        case ast.VectorSelector():
            return _selected(node)
        case ast.MatrixSelector():
            return _selected(node.vector_selector)
        case ast.ParenExpr() | ast.SubqueryExpr():
            return _infer(node.expr)
        case ast.UnaryExpr():
            return _unnamed(_infer(node.expr))
        case ast.NumberLiteral() | ast.StringLiteral():
            return NO_LABELS
        case ast.AggregateExpr():
            return _aggregated(node)
        case ast.BinaryExpr():
            return _combined(node)
        case ast.Call():
            return _called(node)
    return ANY_LABELS


def _unnamed(labels: PossibleLabels) -> PossibleLabels:
    """The labels where the metric name is dropped, at once or, as in Prometheus 3, at the end."""
    name = labels.of(NAME)
    return labels if name == ABSENT else labels.having({NAME: either(name, ABSENT)})


def _is_scalar(node: Any) -> bool:
    match node:
        case ast.NumberLiteral() | ast.StringLiteral():
            return True
        case ast.ParenExpr() | ast.UnaryExpr():
            return _is_scalar(node.expr)
        case ast.BinaryExpr():
            return _is_scalar(node.lhs) and _is_scalar(node.rhs)
        case ast.Call():
            return node.func.name in ("pi", "scalar", "time")
    return False


# Selectors

_OPS = (
    (ast.MatchOp.Equal, Op.EQUAL),
    (ast.MatchOp.NotEqual, Op.NOT_EQUAL),
    (ast.MatchOp.Re, Op.REGEX),
    (ast.MatchOp.NotRe, Op.NOT_REGEX),
)


def _selected(selector: Any) -> PossibleLabels:
    alternatives = selector.matchers.or_matchers or [selector.matchers.matchers]
    labels = reduce(_union, map(_matched, alternatives))
    return labels.having({NAME: one(selector.name)}) if selector.name else labels


def _matched(nodes: Iterable[Any]) -> PossibleLabels:
    matchers = [matcher for matcher in map(_matcher, nodes) if matcher is not None]
    named: dict[str, ValueSet] = {}
    for matcher in matchers:
        found = _listed(matcher)
        if found is not None and named.get(matcher.name) is None:
            named[matcher.name] = found
    for matcher in matchers:  # of the values that one matcher lists, those that all let through
        values = named.get(matcher.name)
        if values is not None:
            # Whether a dot matches a line feed depends on the version of Prometheus.
            left = frozenset(v for v in values if "\n" in v or matcher.matches({matcher.name: v}))
            named[matcher.name] = left or values
    return PossibleLabels(named, None)


def _matcher(node: Any) -> Matcher | None:
    op = next(ours for theirs, ours in _OPS if theirs == node.op)
    try:
        return Matcher(node.name, op, node.value)
    except RegexError:  # Prometheus's engine, in Go, may accept it
        return None


def _listed(matcher: Matcher) -> ValueSet:
    """The values that a matcher accepts, if it lists them."""
    positive = matcher.op in (Op.EQUAL, Op.REGEX)
    if not positive or not matcher.parts or any(part.tail for part in matcher.parts):
        return None
    return either(*(one(part.text) for part in matcher.parts))


# Operators between vectors


def _combined(node: Any) -> PossibleLabels:
    left, right = _infer(node.lhs), _infer(node.rhs)
    if _is_scalar(node.lhs):
        return NO_LABELS if _is_scalar(node.rhs) else _unnamed(right)
    if _is_scalar(node.rhs):
        return _unnamed(left)
    return _unnamed(_of_vectors(node, left, right))


def _of_vectors(node: Any, left: PossibleLabels, right: PossibleLabels) -> PossibleLabels:
    operator = str(node.op).lower()
    modifier = node.modifier or None
    if operator == "or":
        return _union(left, right)
    if operator == "unless":
        return left
    fill = modifier.fill_values if modifier is not None else None
    if fill is not None and (fill.lhs is not None or fill.rhs is not None):
        return ANY_LABELS  # a side without a partner is kept
    if operator == "and":
        return _joined_with(modifier, left, right)
    if modifier is not None and modifier.card == ast.VectorMatchCardinality.ManyToOne:
        return _grouped(modifier, left, right)
    if modifier is not None and modifier.card == ast.VectorMatchCardinality.OneToMany:
        return _grouped(modifier, right, left)
    names, is_on = _matching(modifier)
    joined = _joined_with(modifier, left, right)
    return joined.only(names) if is_on else joined.without(names)


def _grouped(modifier: Any, many: PossibleLabels, few: PossibleLabels) -> PossibleLabels:
    """`group_left` and `group_right`: the labels of the "many" side and those copied over."""
    copied = {name: few.of(name) for name in modifier.group_labels or ()}
    return _joined_with(modifier, many, few).having(copied)


def _matching(modifier: Any) -> tuple[tuple[str, ...], bool]:
    """The labels of `on` (True) or of `ignoring` (False)."""
    matching = modifier.matching if modifier is not None else None
    if matching is None:
        return (), False
    return tuple(matching.labels), matching.type == ast.LabelModifierType.Include


def _joined_with(modifier: Any, left: PossibleLabels, right: PossibleLabels) -> PossibleLabels:
    """The series of the left side that have a partner on the right."""
    names, is_on = _matching(modifier)
    if is_on:
        return left.having({name: _both(left.of(name), right.of(name)) for name in names})
    ignored = {NAME, *names}
    named = {name: left.of(name) for name in ignored}
    for name in (*left.named, *right.named):
        if name not in ignored:
            named[name] = _both(left.of(name), right.of(name))
    return PossibleLabels(named, _both(left.others, right.others))


def _both(left: ValueSet, right: ValueSet) -> ValueSet:
    """The intersection; the left side if that is empty, since then there is no such series."""
    if left is None or right is None:
        return right if left is None else left
    return (left & right) or left


def _union(left: PossibleLabels, right: PossibleLabels) -> PossibleLabels:
    names = (*left.named, *right.named)
    named = {name: either(left.of(name), right.of(name)) for name in names}
    return PossibleLabels(named, either(left.others, right.others))


# Aggregations and functions

# The output series have the labels of the input series, without the metric name.
_KEEPING = """
    abs acos acosh asin asinh atan atanh ceil clamp clamp_max clamp_min cos cosh day_of_month
    day_of_week day_of_year days_in_month deg exp floor histogram_avg histogram_count
    histogram_stddev histogram_stdvar histogram_sum hour ln log10 log2 minute month rad round sgn
    sin sinh sort sort_by_label sort_by_label_desc sort_desc sqrt tan tanh timestamp year changes
    delta deriv double_exponential_smoothing holt_winters idelta increase irate predict_linear
    rate resets avg_over_time count_over_time first_over_time last_over_time mad_over_time
    max_over_time min_over_time present_over_time quantile_over_time stddev_over_time
    stdvar_over_time sum_over_time ts_of_first_over_time ts_of_last_over_time ts_of_max_over_time
    ts_of_min_over_time
"""
_KEEP_LABELS = frozenset(_KEEPING.split())
_DROP_LE = ("histogram_quantile", "histogram_fraction")
_PICK_SERIES = ("topk", "bottomk", "limitk", "limit_ratio")


def _aggregated(node: Any) -> PossibleLabels:
    labels = _infer(node.expr)
    operation = str(node.op).lower()
    if operation in _PICK_SERIES:
        return labels
    modifier = node.modifier
    if modifier is None:
        kept = NO_LABELS
    elif modifier.type == ast.AggModifierType.By:
        kept = labels.only(modifier.labels)
    else:
        kept = labels.without((*modifier.labels, NAME))
    if operation == "count_values":
        if not isinstance(node.param, ast.StringLiteral):
            return ANY_LABELS
        kept = kept.having({node.param.val: None})
    return kept


def _called(node: Any) -> PossibleLabels:
    name = node.func.name.lower()
    arguments = list(node.args)
    if name in ("pi", "scalar", "time", "vector"):
        return NO_LABELS
    if name in ("absent", "absent_over_time"):
        return _absent(arguments[0])
    if name in _KEEP_LABELS or name in _DROP_LE:
        vectors = [argument for argument in arguments if not _is_scalar(argument)]
        if not vectors:
            return NO_LABELS  # such as hour() of the evaluation time
        labels = _unnamed(_infer(vectors[-1]))
        return labels.without(("le",)) if name in _DROP_LE else labels
    if name == "label_replace":
        return _label_replace(_infer(arguments[0]), *map(_literal, arguments[1:]))
    if name == "label_join":
        return _label_join(_infer(arguments[0]), *map(_literal, arguments[1:]))
    return ANY_LABELS


def _literal(argument: Any) -> str | None:
    return argument.val if isinstance(argument, ast.StringLiteral) else None


def _absent(argument: Any) -> PossibleLabels:
    """`absent` has the labels that exactly one equality matcher names.

    Prometheus looks for them in a selector only. Whether it finds one within parentheses or with
    `@`, and the result of several matchers of one label, depend on its version.
    """
    plain = argument
    while isinstance(plain, ast.ParenExpr):
        plain = plain.expr
    selector = plain.vector_selector if isinstance(plain, ast.MatrixSelector) else plain
    if not isinstance(selector, ast.VectorSelector):
        return NO_LABELS
    matchers = selector.matchers.matchers
    times = Counter(matcher.name for matcher in matchers if matcher.name != NAME)
    named: dict[str, ValueSet] = dict.fromkeys(times, ABSENT)
    for matcher in matchers:
        if matcher.op == ast.MatchOp.Equal and matcher.name in named:
            named[matcher.name] = one(matcher.value)
    is_certain = plain is argument and selector.at is None
    return PossibleLabels(
        {
            name: values if is_certain and times[name] == 1 else either(values, ABSENT)
            for name, values in named.items()
        }
    )


_GROUP = re.compile(r"\$(?:\{(?P<braced>[0-9])\}|(?P<bare>[0-9]))")
_REGEX_MEMORY = 8 << 20  # bytes


def _label_replace(
    labels: PossibleLabels,
    target: str | None,
    replacement: str | None,
    source: str | None,
    pattern: str | None,
) -> PossibleLabels:
    """The result of `label_replace`; an argument that is not a literal is None."""
    if target is None:
        return ANY_LABELS
    if replacement is None or source is None or pattern is None:
        return labels.having({target: None})
    before = labels.of(target)
    values = labels.of(source) if source else ABSENT
    if values is None:
        unchanged = either(before, one(replacement))
        return labels.having({target: unchanged if "$" not in replacement else None})
    found = [_replaced(before, replacement, value, pattern) for value in values]
    return labels.having({target: either(*found)})


def _replaced(before: ValueSet, replacement: str, value: str, pattern: str) -> ValueSet:
    """The values of the target if the source has this value."""
    try:
        match = re2.compile(anchored(pattern), options(_REGEX_MEMORY)).match(encodable(value))
    except re2.error:
        return None
    if match is None:
        # A dot matches a line feed in Prometheus 3 but not in 2.
        return before if "\n" not in value else None
    if "$" not in replacement:
        return one(replacement)
    group = _GROUP.fullmatch(replacement)
    if group is None:
        return None
    number = int(group["braced"] or group["bare"])
    return one((match.group(number) or "") if number <= match.re.groups else "")


def _label_join(
    labels: PossibleLabels, target: str | None, separator: str | None, *sources: str | None
) -> PossibleLabels:
    """The result of `label_join`; an argument that is not a literal is None."""
    if target is None:
        return ANY_LABELS
    if separator is None or None in sources:
        return labels.having({target: None})
    known: list[frozenset[str]] = []
    combinations = 1
    for source in sources:
        values = labels.of(source or "")
        combinations *= len(values or ())
        if values is None or combinations > _MAX_VALUES:
            return labels.having({target: None})
        known.append(values)
    joined = frozenset(separator.join(texts) for texts in product(*known))
    return labels.having({target: joined})
