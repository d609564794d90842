"""The Jinja of templates: a sandbox with few filters, bounded in steps and in size.

Templates come from the configuration, values from alerts: a value must neither become part of a
template nor make it grow without bound. What a template is given is `context`'s.
"""

from collections.abc import Callable, Mapping
from types import CodeType, FrameType
from typing import Any

from jinja2 import StrictUndefined, nodes
from jinja2.exceptions import SecurityError
from jinja2.sandbox import ImmutableSandboxedEnvironment

MAX_STEPS = 50_000  # lines of a compiled template that are run
MAX_SIZE = 64 * 1024  # characters of what a template makes, and of any text within it

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


class TooMuch(Exception):
    """A template that runs too long or makes too much."""


class Environment(ImmutableSandboxedEnvironment):
    """Only the filters above, only the methods above, no growing of texts by arithmetic."""

    def __init__(self, finalize: Callable[..., Any]) -> None:
        super().__init__(undefined=StrictUndefined, finalize=finalize, autoescape=False)
        self.filters = {name: self.filters[name] for name in _FILTERS}
        self.globals = {"range": self.globals["range"]}
        self.intercepted_binops = frozenset(("+", "*", "%", "**"))

    def is_safe_attribute(self, obj: Any, attr: str, value: Any) -> bool:
        """Data, and the methods named above."""
        if callable(value):
            return attr in _METHODS and isinstance(obj, str | Mapping | list | tuple)
        return not attr.startswith("_")

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
    return None


class Steps:
    """Counts the lines that a template's code runs, and ends it after MAX_STEPS."""

    def __init__(self) -> None:
        self._left = MAX_STEPS

    def __call__(self, frame: FrameType, event: str, _argument: Any) -> "Steps | None":
        """As sys.settrace wants it: looks only into code that was compiled from a template."""
        if not _of_template(frame.f_code):
            return None
        if event == "line":
            self._left -= 1
            if self._left < 0:
                raise TooMuch(f"more than {MAX_STEPS} steps")
        return self


def _of_template(code: CodeType) -> bool:
    return code.co_filename == "<template>"
