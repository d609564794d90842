"""Templates of notifiers: Jinja in a sandbox, for titles and for the text instead of the alerts.

A template comes from the configuration, values come from alerts. A value never meets a parser:
while the template runs a token is used instead, and only in the finished tree of blocks is the
token replaced. So no value can format, link or end anything.
"""

import re
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Annotated, Any, TypeVar
from urllib.parse import quote

import jinja2
from jinja2 import nodes, pass_context
from jinja2.exceptions import SecurityError
from jinja2.runtime import Context
from jinja2.sandbox import ImmutableSandboxedEnvironment
from jinja2.visitor import NodeTransformer
from pydantic import BeforeValidator, PlainSerializer

from alert_router.fields import is_web_url
from alert_router.markdown import Block, parse
from alert_router.markdown.tree import Rewrite
from alert_router.model import Alert
from alert_router.notification import Notification
from alert_router.notify import wording

MAX_SECONDS = 2.0
MAX_TURNS = 50_000  # of all loops together
MAX_RANGE = 10_000
MAX_SIZE = 64 * 1024  # characters of the text, values not counted
MAX_VALUES = 256 * 1024  # characters of all values shown
MAX_VALUE = 16 * 1024  # characters of a label's or annotation's value
MAX_TITLE = 300  # characters

# Nothing that makes a text of any length (`replace`, `center`, `indent`), and no access to files.
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
_REFUSED = (
    *(nodes.Include, nodes.Import, nodes.FromImport, nodes.Extends),
    *(nodes.Macro, nodes.CallBlock, nodes.FilterBlock, nodes.AssignBlock),
)

# Names that no template can use, since they are not identifiers.
_RUN = "this run"
_TURNS = "turns of a loop"

# Private use characters around a number: neither Markdown nor any alert gives them a meaning.
_OPEN, _CLOSE = "\ue000", "\ue001"
_TOKEN = re.compile(f"{_OPEN}([0-9]+){_CLOSE}")

T = TypeVar("T")


class TemplateError(Exception):
    """A template that cannot be compiled, or failed on a notification; the text says where and
    why, and holds no value of an alert."""


@dataclass(frozen=True, slots=True)
class Template:
    """A compiled template. Compiling raises TemplateError."""

    source: str
    _compiled: Any = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        environment = _Environment()
        try:
            tree = environment.parse(self.source)
            for refused in tree.find_all(_REFUSED):
                raise TemplateError(
                    f"line {refused.lineno}: include, import, extends, macro, call, and blocks of "
                    "filter or set are not available"
                )
            compiled = environment.from_string(_Counted().visit(tree))
        except jinja2.TemplateSyntaxError as error:
            raise TemplateError(f"line {error.lineno}: {error.message}") from None
        except jinja2.TemplateError as error:
            raise TemplateError(str(error)) from None
        except TemplateError:
            raise
        except (RecursionError, MemoryError):
            raise TemplateError("it is nested too deeply") from None
        except Exception as error:  # such as a number with too many digits
            raise TemplateError(f"it cannot be read: {error}") from None
        object.__setattr__(self, "_compiled", compiled)

    def line(self, notification: Notification) -> str:
        """The text as one plain line. Raises TemplateError."""

        def finish(text: str, values: list[str]) -> str:
            whole = " ".join(_with_values(text, values).split())
            return wording.one_line(whole, MAX_TITLE)

        return self._run(notification, finish)

    def blocks(self, notification: Notification) -> tuple[Block, ...]:
        """The text as Markdown blocks. Raises TemplateError."""

        def finish(text: str, values: list[str]) -> tuple[Block, ...]:
            rewrite = Rewrite(
                words=lambda words: " ".join(_with_values(words, values).splitlines()),
                code_text=lambda code: _with_values(code, values),
                url=lambda url: _url(url, values),
            )
            return tuple(rewrite.blocks(parse(text)))

        return self._run(notification, finish)

    def _run(self, notification: Notification, finish: Callable[[str, list[str]], T]) -> T:
        """Whatever goes wrong is the template's failure: the alert is sent without it."""
        run = _Run()
        try:
            text, size = [], 0
            for chunk in self._compiled.generate(context(notification) | {_RUN: run}):
                text.append(chunk)
                size += len(chunk)
                if size > MAX_SIZE:
                    raise TemplateError(f"more than {MAX_SIZE} characters")
            result = finish("".join(text), run.values)
        except TemplateError:
            raise
        except jinja2.TemplateError as error:
            reason = str(error).splitlines()[0][:200] if str(error) else type(error).__name__
            raise TemplateError(reason) from None
        except Exception as error:  # its text may hold a value
            raise TemplateError(type(error).__name__) from None
        if not result:
            raise TemplateError("the text is empty")
        return result


class _Run:
    """One run of a template: the values that it shows, and how much it may still take."""

    def __init__(self) -> None:
        self.values: list[str] = []
        self._values_left = MAX_VALUES
        self._turns_left = MAX_TURNS
        self._end = time.monotonic() + MAX_SECONDS

    def token(self, value: str) -> str:
        """The token that is used instead of a value."""
        self._values_left -= len(value)
        if self._values_left < 0:
            raise TemplateError(f"more than {MAX_VALUES} characters of values")
        self.values.append(value.replace(_OPEN, "").replace(_CLOSE, ""))
        return f"{_OPEN}{len(self.values) - 1}{_CLOSE}"

    def turns(self, items: Iterable[Any]) -> Iterator[Any]:
        """The items of a loop, counted."""
        for item in items:
            self._turns_left -= 1
            if self._turns_left < 0:
                raise TemplateError(f"more than {MAX_TURNS} turns of loops")
            if time.monotonic() > self._end:
                raise TemplateError(f"more than {MAX_SECONDS:g} s")
            yield item


class _Environment(ImmutableSandboxedEnvironment):
    """Only the filters and methods above. Nothing is calculated when a template is compiled."""

    intercepted_binops = frozenset(("*", "%", "**"))

    def __init__(self) -> None:
        super().__init__(
            undefined=jinja2.StrictUndefined, finalize=_finalize, autoescape=False, optimized=False
        )
        self.filters = {name: self.filters[name] for name in _FILTERS} | {_TURNS: _turns}
        self.globals = {"range": _range}

    def is_safe_attribute(self, obj: Any, attr: str, value: Any) -> bool:
        """Data, and the methods named above."""
        if callable(value):
            return attr in _METHODS and isinstance(obj, str | Mapping | list | tuple)
        return not attr.startswith("_")

    def wrap_str_format(self, value: Any) -> None:
        """`str.format` is not among the methods: a width in it makes a text of any length."""

    def call_binop(self, context: Any, operator: str, left: Any, right: Any) -> Any:
        """Of a text, these make one of any length."""
        if not all(isinstance(side, int | float) for side in (left, right)):
            raise SecurityError(f"{operator} is for numbers only")
        if operator == "**" or max(abs(left), abs(right)) > 1e15:
            raise SecurityError(f"numbers are too large for {operator}")
        return super().call_binop(context, operator, left, right)


class _Counted(NodeTransformer):
    def visit_For(self, node: nodes.For) -> nodes.For:  # noqa: N802 - Jinja's name
        self.generic_visit(node)
        node.iter = nodes.Filter(node.iter, _TURNS, [], [], None, None, lineno=node.lineno)
        return node


@pass_context
def _turns(context: Context, items: Iterable[Any]) -> Iterator[Any]:
    run: _Run = context[_RUN]
    return run.turns(items)


@pass_context
def _finalize(context: Context, value: Any) -> str:
    text = str(value)  # raises for what is undefined
    if callable(value):
        raise TypeError("a method is not text")
    run: _Run = context[_RUN]
    return run.token(text)


def _range(*arguments: int) -> range:
    numbers = range(*arguments)
    if len(numbers) > MAX_RANGE:
        raise TemplateError(f"a range of more than {MAX_RANGE} numbers")
    return numbers


def _with_values(text: str, values: list[str]) -> str:
    return _TOKEN.sub(lambda match: values[int(match[1])], text) if _OPEN in text else text


def _url(url: str, values: list[str]) -> str:
    """A URL with its values: a value that is the whole URL stays if a browser opens it, within a
    URL a value is percent-encoded."""
    first = _TOKEN.match(url)
    if first is not None:
        whole = _with_values(first[0], values)
        return whole if first.end() == len(url) and is_web_url(whole) else ""
    return _TOKEN.sub(
        lambda match: quote(_with_values(match[0], values), safe="", errors="replace"), url
    )


def context(notification: Notification) -> dict[str, Any]:
    """The names that a template can use: the notification as data, in Alertmanager's words."""
    group = notification.group
    runbooks = [
        {
            "id": part.id,
            "title": part.title,
            "url": part.url,
            "owner": part.owner,
            "last_updated": part.last_updated,
        }
        for part in notification.runbooks
    ]
    runbook_of = {
        alert.fingerprint: {name: runbook[name] for name in ("id", "title", "url")}
        for part, runbook in zip(notification.runbooks, runbooks, strict=True)
        for alert in part.alerts
    }
    alerts = [_alert(alert, runbook_of.get(alert.fingerprint)) for alert in group.alerts]
    return {
        "status": str(group.status),
        "severity": wording.grade(notification).word,
        "title": wording.title(notification),
        "receiver": notification.receiver,
        "group_labels": _cut(group.group_labels),
        "common_labels": _cut(group.common_labels),
        "route_labels": _cut(group.route_labels),
        "common_annotations": _cut(group.common_annotations),
        "external_url": group.external_url,
        "alerts": alerts,
        "firing": [alert for alert in alerts if alert["status"] == "firing"],
        "resolved": [alert for alert in alerts if alert["status"] == "resolved"],
        "truncated_alerts": group.truncated_alerts,
        "runbooks": runbooks,
    }


def _alert(alert: Alert, runbook: dict[str, str] | None) -> dict[str, Any]:
    return {
        "status": str(alert.status),
        "name": alert.name,
        "summary": wording.headline(alert),
        "labels": _cut(alert.labels),
        "annotations": _cut(alert.annotations),
        "starts_at": alert.starts_at,
        "ends_at": alert.ends_at,
        "lasted": wording.duration(alert.started, alert.ended),
        "generator_url": alert.generator_url,
        "fingerprint": alert.fingerprint,
        "runbook": runbook,
    }


def _cut(values: dict[str, str]) -> dict[str, str]:
    return {name: value[:MAX_VALUE] for name, value in values.items()}


# Go's templates: `{{ .Labels.x }}`, `{{ range .Alerts }}`, `{{ $x }}`, `{{ template "x" . }}`.
_OF_GO = re.compile(r"\{\{-?\s*(?:[.$]|(?:range|if|with|define|template|block|end|else)\b)")


def _compile(value: Any) -> Any:
    if isinstance(value, Template) or value is None:
        return value
    if not isinstance(value, str) or not value.strip():
        raise ValueError("expected the text of a template")
    try:
        return Template(value)
    except TemplateError as error:
        if _OF_GO.search(value):
            raise ValueError(
                "this is a template of Alertmanager: templates here are Jinja, such as"
                " {{ common_labels.alertname }}; docs/notifiers/templates.md has the names"
            ) from None
        raise ValueError(f"the template cannot be used: {error}") from None


TemplateField = Annotated[
    Template, BeforeValidator(_compile), PlainSerializer(lambda template: template.source)
]
