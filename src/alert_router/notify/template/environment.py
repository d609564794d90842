"""The Jinja of templates: a sandbox with few filters, in which no text grows without bound.

Templates come from the configuration, values from alerts: a value must not become part of a
template. What a template is given is `context`'s, how much it may take `bounds`'.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any

from jinja2 import StrictUndefined, nodes, pass_context
from jinja2.exceptions import SecurityError
from jinja2.filters import do_round, do_slice, make_attrgetter
from jinja2.runtime import Context
from jinja2.sandbox import ImmutableSandboxedEnvironment
from jinja2.visitor import NodeTransformer

from alert_router.notify.template.bounds import MAX_SIZE, Bounds, TooMuch, as_text

BOUNDS = "bounds of this run"  # in a template's context; no template can name it

_FILTERS = (
    *("abs", "capitalize", "count", "default", "d", "dictsort", "first", "float", "groupby"),
    *("int", "items", "join", "last", "length", "list", "lower", "map", "max", "min", "reject"),
    *("rejectattr", "reverse", "round", "select", "selectattr", "slice", "sort", "string", "sum"),
    *("title", "trim", "truncate", "unique", "upper", "urlencode", "wordcount"),
)
_METHODS = frozenset(
    (
        *("capitalize", "endswith", "find", "get", "isdigit", "items", "keys", "lower", "lstrip"),
        *("rstrip", "split", "splitlines", "startswith", "strip", "title", "upper", "values"),
    )
)
_ALONE = (
    *(nodes.Include, nodes.Import, nodes.FromImport, nodes.Extends),
    *(nodes.Macro, nodes.CallBlock, nodes.FilterBlock, nodes.AssignBlock),
)


_TURNS = "turns of a loop"  # a filter that no template can name
_MOST_RANGE = 10_000
_MOST_SLICES = 1_000
_MOST_DIGITS = 15


class Environment(ImmutableSandboxedEnvironment):
    """Only the filters above, only the methods above, no growing of texts by arithmetic. Nothing is
    calculated when a template is compiled: there nobody watches."""

    def __init__(self, finalize: Callable[..., Any]) -> None:
        super().__init__(
            undefined=StrictUndefined, finalize=finalize, autoescape=False, optimized=False
        )
        self.filters = {name: self.filters[name] for name in _FILTERS}
        self.filters |= {"join": _join, "string": as_text, "slice": _slice, "round": _round}
        self.filters[_TURNS] = _turns
        self.globals = {"range": _range}
        self.intercepted_binops = frozenset(("+", "*", "%", "**"))

    def is_safe_attribute(self, obj: Any, attr: str, value: Any) -> bool:
        """Data, and the methods named above."""
        if callable(value):
            return attr in _METHODS and isinstance(obj, str | Mapping | list | tuple)
        return not attr.startswith("_")

    def wrap_str_format(self, value: Any) -> None:
        """`str.format` is no method named above: a width in it makes a text of any length."""

    def call_binop(self, context: Any, operator: str, left: Any, right: Any) -> Any:
        """Numbers may be calculated with, within reason; of other things only sums are made, and
        only short ones."""
        if all(isinstance(side, int | float) for side in (left, right)):
            if operator == "**" or max(abs(left), abs(right)) > 1e15:
                raise SecurityError(f"numbers are too large for {operator}")
            return super().call_binop(context, operator, left, right)
        if operator != "+":
            raise SecurityError(f"{operator} is for numbers only")
        if len(left) + len(right) > MAX_SIZE:
            raise TooMuch(f"a text of more than {MAX_SIZE} characters")
        return left + right


@pass_context
def _join(context: Context, value: Any, d: str = "", attribute: str | int | None = None) -> str:
    """Jinja's `join`, within bounds."""
    items = (
        value if attribute is None else map(make_attrgetter(context.environment, attribute), value)
    )
    bounds: Bounds = context[BOUNDS]
    return bounds.joined(items, as_text(d))


@pass_context
def _turns(context: Context, items: Iterable[Any]) -> Iterator[Any]:
    bounds: Bounds = context[BOUNDS]
    return bounds.turns(items)


def _range(*arguments: int) -> range:
    """As Python's."""
    numbers = range(*arguments)
    if len(numbers) > _MOST_RANGE:
        raise TooMuch(f"a range of more than {_MOST_RANGE} numbers")
    return numbers


def _slice(value: Any, slices: int, fill_with: Any = None) -> Any:
    """Jinja's `slice`, into no more parts than anybody reads."""
    if slices > _MOST_SLICES:
        raise TooMuch(f"more than {_MOST_SLICES} slices")
    return do_slice(value, slices, fill_with)


def _round(value: float, precision: int = 0, method: Any = "common") -> float:
    """Jinja's `round`, which takes ten to the power of the precision."""
    if abs(precision) > _MOST_DIGITS:
        raise TooMuch(f"a precision of more than {_MOST_DIGITS} digits")
    return do_round(value, precision, method)


class _Bounded(NodeTransformer):
    """`a ~ b` as `[a, b] | join`, so that one bound is for both, and loops that are counted."""

    def visit_For(self, node: nodes.For) -> nodes.For:  # noqa: N802 - Jinja's name
        self.generic_visit(node)
        node.iter = nodes.Filter(node.iter, _TURNS, [], [], None, None, lineno=node.lineno)
        return node

    def visit_Concat(self, node: nodes.Concat) -> nodes.Filter:  # noqa: N802 - Jinja's name
        self.generic_visit(node)
        parts = nodes.List(node.nodes, lineno=node.lineno)
        return nodes.Filter(parts, "join", [], [], None, None, lineno=node.lineno)


def with_bounds(tree: nodes.Template) -> nodes.Template:
    """The tree with nothing in it that makes a text beyond them."""
    bounded: nodes.Template = _Bounded().visit(tree)
    return bounded


def refuse_unwanted(tree: nodes.Template) -> str | None:
    """A sentence about what a template may not do; None if it does nothing of it. Whatever could
    reach another file is refused, and whatever could double a text again and again."""
    for found in tree.find_all(_ALONE):
        return (
            f"line {found.lineno}: a template stands alone and has no blocks of text: no include, "
            "import, macro, call, filter or set with an end"
        )
    for assign in tree.find_all(nodes.Assign):
        if any(assign.find_all((nodes.Concat, nodes.Add))):
            return f"line {assign.lineno}: `set` takes no text made of others (`~`, `+`)"
    for loop in tree.find_all(nodes.For):
        if loop.recursive:
            return f"line {loop.lineno}: loops are not recursive"
    # A name for a list that holds a list twice doubles with each further name.
    for bound in _bound(tree):
        joined = [found.node for found in bound.find_all(nodes.Filter) if found.name == "join"]
        for literal in bound.find_all((nodes.List, nodes.Tuple, nodes.Dict)):
            if any(literal.find_all(nodes.Name)) and not any(it is literal for it in joined):
                return (
                    f"line {literal.lineno}: `set`, `with` and `for` take no list, tuple or "
                    "mapping of other values"
                )
    return None


def _bound(tree: nodes.Template) -> Iterator[nodes.Node]:
    """What is given a name in a template, each below a node, as `find_all` wants it."""
    given: list[Any] = []
    for assign in tree.find_all(nodes.Assign):
        given.append(assign.node)
    for block in tree.find_all(nodes.With):
        given += block.values
    for loop in tree.find_all(nodes.For):
        given.append(loop.iter)
    for value in given:
        yield nodes.Output([value], lineno=value.lineno)
