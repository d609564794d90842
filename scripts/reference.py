"""Writes the generated references: `python -m scripts.reference`.

Types, defaults and limits come from the models, sentences from the docstrings below their fields.
"""

import ast
import inspect
import re
import sys
import textwrap
from collections.abc import Iterator
from enum import Enum
from functools import cache
from pathlib import Path
from types import UnionType
from typing import Annotated, Any, Literal, get_args, get_origin

from pydantic import BaseModel
from pydantic.fields import FieldInfo
from pydantic_core import PydanticUndefined

from alert_router.checks.routing_tests import CasesModel
from alert_router.cli.commands.send import HttpConfig
from alert_router.config.model import DEFAULTS, Config
from alert_router.config.routing import RoutingModel
from alert_router.config.web import WebConfig
from alert_router.markdown import slug
from alert_router.metrics import Metrics
from alert_router.notify.base import Notifier
from alert_router.notify.http import HttpNotifier
from alert_router.notify.registry import NOTIFIERS

DOCS = Path(__file__).parent.parent / "docs"

_WRITTEN = "<!-- Written by `make docs`: change the code in src/alert_router instead. -->"
# How a value is written, by the name of its type.
_WORDS = {
    "Address": "address",
    "Addresses": "address or list",
    "Any": "",
    "AnyNotifier": "notifier",
    "ApiUrl": "URL",
    "ChatId": "number or text",
    "Colour": "color",
    "DetailField": "`full`, `steps`, `titles` or `link`, or a mapping by severity",
    "Duration": "duration",
    "ExternalUrl": "URL",
    "HeaderValue": "text",
    "IPvAnyNetwork": "network",
    "LabelNames": "label or list",
    "ListenAddress": "`host:port`",
    "Lower": "text",
    "MatcherTexts": "matcher or list",
    "Matchers": "matcher or list",
    "Mentions": "text, list or mapping by severity",
    "Names": "text or list",
    "Paths": "path or list",
    "Priority": "priority",
    "RateField": "rate",
    "RelativePath": "path",
    "SecretField": "secret",
    "Size": "size",
    "StorageUrl": "URL",
    "Tag": "text",
    "TemplateField": "template",
    "Values": "text or list",
    "WebUrl": "URL",
    "bool": "boolean",
    "int": "number",
    "str": "text",
}
_UNITS = {
    "duration": ((86400, "d"), (3600, "h"), (60, "m"), (1, "s"), (0.001, "ms")),
    "size": ((1024**3, "GiB"), (1024**2, "MiB"), (1024, "KiB"), (1, "")),
}


@cache
def _source(model: type[BaseModel]) -> dict[str, tuple[ast.expr, str, Any]]:
    """For each field that the class itself declares: its annotation, its sentence or "", and the
    names that the annotation uses."""
    found: dict[str, tuple[ast.expr, str, Any]] = {}
    (tree,) = ast.parse(textwrap.dedent(inspect.getsource(model))).body
    assert isinstance(tree, ast.ClassDef)
    names = vars(sys.modules[model.__module__])
    for statement, after in zip(tree.body, [*tree.body[1:], None], strict=True):
        if isinstance(statement, ast.AnnAssign) and isinstance(statement.target, ast.Name):
            sentence = ""
            if isinstance(after, ast.Expr) and isinstance(after.value, ast.Constant):
                sentence = " ".join(str(after.value.value).split())
            found[statement.target.id] = (statement.annotation, sentence, names)
    return found


def _declared(model: type[BaseModel], name: str) -> tuple[ast.expr, str, Any]:
    """The annotation and the sentence of a field, from the class that has them. Raises LookupError
    where no class has a sentence."""
    for base in model.__mro__:
        if issubclass(base, BaseModel) and base is not BaseModel:
            found = _source(base).get(name)
            if found and found[1]:
                return found
    raise LookupError(f"{model.__name__}.{name} has no docstring")


def _choices(values: tuple[Any, ...]) -> str:
    *first, last = (f"`{value}`" for value in values)
    return f"{', '.join(first)} or {last}" if first else last


def _type(node: ast.expr, names: Any, sections: dict[type[BaseModel], str]) -> str:
    """The words for an annotation."""
    if isinstance(node, ast.BinOp):  # X | None
        return _type(node.left, names, sections)
    if isinstance(node, ast.Subscript):
        assert isinstance(node.value, ast.Name)
        inner = list(node.slice.elts) if isinstance(node.slice, ast.Tuple) else [node.slice]
        match node.value.id:
            case "Annotated":
                return _type(inner[0], names, sections)
            case "Literal":
                return _choices(tuple(ast.literal_eval(each) for each in inner))
            case "tuple" | "frozenset":
                words = _type(inner[0], names, sections)
                if "`" in words or words == "text":
                    return f"list of {words}"
                return "list of " + re.sub(r"^\[?\w+", r"\g<0>s", words)
            case _:
                return f"mapping to {_type(inner[1], names, sections)}"
    name = node.value if isinstance(node, ast.Constant) else getattr(node, "id", "")
    return _WORDS[name] if name in _WORDS else _named(names[name], sections)


def _named(kind: Any, sections: dict[type[BaseModel], str]) -> str:
    """The words for a type that the code names: choices, or a model with a section of its own."""
    if get_origin(kind) is Annotated:
        kind = get_args(kind)[0]
    if get_origin(kind) is Literal:
        return _choices(get_args(kind))
    if issubclass(kind, Enum):
        return _choices(tuple(each.value for each in kind))
    return f"[mapping](#{slug(sections[kind])})"


def _amount(value: float, words: str) -> str:
    """A number as it is written in a file."""
    for size, unit in _UNITS.get(words, ()):
        if value and (value / size).is_integer():
            return f"{value / size:.0f}{unit}"
    return f"{value:.0f}"


def _limits(field: FieldInfo, words: str) -> str:
    """What else a value must be, such as `, 1 to 256`."""
    found = {
        name: value
        for each in field.metadata
        for name in ("ge", "le", "max_length")
        if (value := getattr(each, name, None)) is not None
    }
    low, high = (found.get(name) for name in ("ge", "le"))
    if low is not None and high is not None:
        return f", {_amount(low, words)} to {_amount(high, words)}"
    if low is not None:
        return f", at least {_amount(low, words)}"
    if high is not None:
        return f", at most {_amount(high, words)}"
    if "max_length" in found:
        what = "characters" if words == "text" else "items"
        return f", at most {found['max_length']} {what}"
    return ""


def _default(value: Any, words: str) -> str:
    """A default as it is written in a file; empty where a section of its own has it."""
    if value is PydanticUndefined:
        return "required"
    if isinstance(value, BaseModel):
        return ""
    if isinstance(value, bool):
        return f"`{value}`".lower()
    if isinstance(value, int | float):
        return f"`{_amount(value, words)}`"
    if value is None or value in ("", (), {}):
        return "not set"
    if isinstance(value, Enum):
        return f"`{value.value}`"
    if isinstance(value, frozenset):
        value = sorted(value)
    if isinstance(value, tuple | list):
        return f"`[{', '.join(map(str, value))}]`"
    return f"`{value}`"


def _default_of(model: type[BaseModel], name: str, field: FieldInfo, words: str) -> str:
    if model is Config and field.is_required():
        return _default(DEFAULTS.get(name), words) if DEFAULTS.get(name) != {} else ""
    return _default(field.get_default(call_default_factory=True), words)


def _inside(annotation: Any) -> Iterator[type[BaseModel]]:
    """The models within the type of a field, not those of notifiers."""
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        if not issubclass(annotation, Notifier):
            yield annotation
    elif get_origin(annotation) is not None or isinstance(annotation, UnionType):
        for part in get_args(annotation):
            yield from _inside(part)


def tables(
    model: type[BaseModel],
    known: dict[type[BaseModel], str],
    *,
    within: str = "",
    level: str = "###",
    suffix: str = "",
    skip: frozenset[str] = frozenset(),
) -> str:
    """The table of a model, and below it those of the models within that are not `known`: the
    headings of the sections that the page has."""
    rows, below = [], {}
    for name, field in model.model_fields.items():
        if name in skip:
            continue
        key = field.alias or name
        for inner in _inside(field.annotation):
            if inner not in known:
                below[inner] = f"{within}.{key}".lstrip(".")
                known[inner] = f"`{below[inner]}`{suffix}"
        annotation, sentence, names = _declared(model, name)
        words = _type(annotation, names, known)
        cells = (
            f"`{key}`, `{key}_file`" if words == "secret" else f"`{key}`",
            words + _limits(field, words),
            _default_of(model, name, field, words),
            sentence,
        )
        rows.append(_row(*cells))
    text = "".join([_row("key", "type", "default", ""), "|---|---|---|---|\n", *rows])
    for inner, at in below.items():
        table = tables(inner, known, within=at, level=level, suffix=suffix)
        text += f"\n{level} {known[inner]}\n\n{table}"
    return text


def _row(*cells: str) -> str:
    return re.sub(r" +\|", " |", f"| {' | '.join(cells)} |\n")


def _notifier(type_: str, model: type[Notifier], known: dict[type[BaseModel], str]) -> str:
    """The keys of a notifier that not all have, or that have another default there."""
    base = HttpNotifier if issubclass(model, HttpNotifier) else Notifier
    same = frozenset(
        name
        for name, field in base.model_fields.items()
        if name == "type" or _plain(field) == _plain(model.model_fields[name])
    )
    kinds = "[every notifier](#every-notifier)"
    if base is HttpNotifier:
        kinds += " and [every notifier over HTTP](#every-notifier-over-http)"
    head = f"### `{type_}`\n\n[`{type_}`](notifiers/{type_}.md) has the keys of {kinds}"
    if same == frozenset(model.model_fields):
        return f"{head}.\n"
    return f"{head}, and:\n\n{tables(model, known, within=type_, level='####', skip=same)}"


def _plain(field: FieldInfo) -> object:
    return field.get_default(call_default_factory=True)


def configuration() -> str:
    """The page about every key of every file."""
    known: dict[type[BaseModel], str] = {}
    of_all = frozenset(Notifier.model_fields)
    main = tables(Config, known)
    over_http = tables(HttpNotifier, known, level="####", skip=of_all)
    notifiers = "\n".join(_notifier(type_, model, known) for type_, model in NOTIFIERS.items())
    return f"""# Configuration reference

{_WRITTEN}

Every key of every file. [Configuration](configuration.md) explains them, and how values such as
[secrets](configuration.md#secrets), durations and sizes are written.

## The main file

{main}
## Notifiers

Each item of a receiver's `notifiers`.

### Every notifier

{tables(Notifier, known)}
### Every notifier over HTTP

{over_http}
{notifiers}
## The routing file

{tables(RoutingModel, known, suffix=" of the routing file")}
## Files of routing test cases

{tables(CasesModel, known)}
## The web configuration

[Security](security.md#tls-certificates-and-passwords) explains this file.

{tables(WebConfig, known)}
## How commands reach a router

The file that [`send --http.config.file`](commands.md#send) names.

{tables(HttpConfig, known)}"""


class _Recorder(Metrics):
    """Notes what is declared."""

    def __init__(self) -> None:
        self.rows: list[tuple[str, str, str, str]] = []
        super().__init__()

    def _note(self, name: str, kind: str, help_: str, labels: tuple[str, ...]) -> None:
        names = ", ".join(f"`{label}`" for label in labels)
        self.rows.append((f"`alert_router_{name}`", kind, names, help_))

    def _counter(self, name: str, help_: str, *labels: str) -> Any:
        self._note(f"{name}_total", "counter", help_, labels)
        return super()._counter(name, help_, *labels)

    def _gauge(self, name: str, help_: str, *labels: str) -> Any:
        self._note(name, "gauge", help_, labels)
        return super()._gauge(name, help_, *labels)

    def _histogram(self, name: str, help_: str, buckets: Any, *labels: str) -> Any:
        self._note(name, "histogram", help_, labels)
        return super()._histogram(name, help_, buckets, *labels)


def metrics() -> str:
    """The page about every series."""
    rows = "".join(_row(*row) for row in _Recorder().rows)
    return f"""# Metrics

{_WRITTEN}

What `/metrics` exports, besides `process_*` and `python_gc_*` of the Prometheus client. No label
ever comes from an alert. [Operations](operations.md#metrics) says what the values of labels mean.

{_row("name", "type", "labels", "")}|---|---|---|---|
{rows}"""


PAGES = {"configuration-reference.md": configuration, "metrics.md": metrics}

if __name__ == "__main__":
    for name, page in PAGES.items():
        (DOCS / name).write_text(page(), encoding="utf-8")
