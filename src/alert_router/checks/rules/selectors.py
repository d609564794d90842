"""The labels that a selector's matchers make sure of, and those that `absent` makes of them."""

from collections import Counter
from collections.abc import Iterable
from functools import reduce
from typing import Any

from promql_parser import MatchOp, MatrixSelector, ParenExpr, VectorSelector

from alert_router.checks.rules.carried import (
    ABSENT,
    NAME,
    NOTHING,
    UNKNOWN,
    Carried,
    Values,
    either,
    one,
    union,
)
from alert_router.matcher import Matcher, Op, RegexError

_OPS = (
    (MatchOp.Equal, Op.EQUAL),
    (MatchOp.NotEqual, Op.NOT_EQUAL),
    (MatchOp.Re, Op.REGEX),
    (MatchOp.NotRe, Op.NOT_REGEX),
)


def selected_labels(selector: Any) -> Carried:
    """The labels of the series that a selector can select."""
    alternatives = selector.matchers.or_matchers or [selector.matchers.matchers]
    labels = reduce(union, (_matched(matchers) for matchers in alternatives))
    return labels.having({NAME: one(selector.name)}) if selector.name else labels


def _matched(matchers: Iterable[Any]) -> Carried:
    read = [matcher for matcher in map(_matcher, matchers) if matcher is not None]
    named: dict[str, Values] = {}
    for matcher in read:
        found = _values(matcher)
        if found is not None and named.get(matcher.name) is None:
            named[matcher.name] = found
    for matcher in read:  # what the others leave of what one of them lists
        values = named.get(matcher.name)
        if values is not None:
            # Whether a dot takes a line feed depends on Prometheus's version.
            left = frozenset(v for v in values if "\n" in v or matcher.matches({matcher.name: v}))
            named[matcher.name] = left or values
    return Carried(named, UNKNOWN.others)


def _matcher(node: Any) -> Matcher | None:
    op = next(ours for theirs, ours in _OPS if theirs == node.op)
    try:
        return Matcher(node.name, op, node.value)
    except RegexError:  # Prometheus's own, in Go, may take it
        return None


def _values(matcher: Matcher) -> Values:
    """The values that a matcher lets through, where it lists them."""
    wanted = matcher.op in (Op.EQUAL, Op.REGEX)
    if not wanted or not matcher.parts or any(part.tail for part in matcher.parts):
        return None
    return either(*(one(part.text) for part in matcher.parts))


def absence_labels(argument: Any) -> Carried:
    """What `absent` and `absent_over_time` give: the labels that one equality alone names.

    Prometheus looks for them in a selector and in nothing else; whether it sees one within
    parentheses or with `@`, and what several matchers of one label come to, depends on its version.
    """
    plain = argument
    while isinstance(plain, ParenExpr):
        plain = plain.expr
    selector = plain.vector_selector if isinstance(plain, MatrixSelector) else plain
    if not isinstance(selector, VectorSelector):
        return NOTHING
    matchers = selector.matchers.matchers
    times = Counter(matcher.name for matcher in matchers if matcher.name != NAME)
    named: dict[str, Values] = dict.fromkeys(times, ABSENT)
    for matcher in matchers:
        if matcher.op == MatchOp.Equal and matcher.name in named:
            named[matcher.name] = one(matcher.value)
    is_seen = plain is argument and selector.at is None
    return Carried(
        {
            name: values if is_seen and times[name] == 1 else either(values, ABSENT)
            for name, values in named.items()
        }
    )
