"""A template of a notifier's: words of ours with values of alerts in them.

A value never meets a parser: while the template runs a token stands for it, and only in the
finished tree of blocks is the token replaced. So no value can format, link or end anything.
"""

import re
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, TypeVar
from urllib.parse import quote

import jinja2

from alert_router.markdown import Block, parse
from alert_router.markdown.rewrite import Rewrite
from alert_router.notification import Notification
from alert_router.notify.links import is_web
from alert_router.notify.template.bounds import (
    MAX_SIZE,
    Bounds,
    TooMuch,
    as_text,
)
from alert_router.notify.template.context import context
from alert_router.notify.template.environment import (
    BOUNDS,
    Environment,
    refuse_unwanted,
    with_bounds,
)

# Private use characters around a number: neither Markdown nor any alert means something by them.
_OPEN, _CLOSE = "\ue000", "\ue001"
_TOKEN = re.compile(f"{_OPEN}([0-9]+){_CLOSE}")
_MAX_TITLE = 300  # characters


Made = TypeVar("Made")


class TemplateError(Exception):
    """A template that cannot be compiled, or failed on a notification; the text says where and
    why, and holds no value of an alert."""


@dataclass(frozen=True, slots=True)
class Template:
    """A template, compiled. Compiling raises TemplateError."""

    source: str
    _compiled: Any = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        environment = Environment(_finalize)
        try:
            tree = environment.parse(self.source)
            unwanted = refuse_unwanted(tree)
            if unwanted:
                raise TemplateError(unwanted)
            compiled = environment.from_string(with_bounds(tree))
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
        """What it says, as one line of plain text. Raises TemplateError."""
        return _guarded(self._line, notification)

    def _line(self, notification: Notification) -> str:
        text, values = self._run(notification)
        whole = " ".join(_put(text, values).split())
        if not whole:
            raise TemplateError("it says nothing")
        return whole if len(whole) <= _MAX_TITLE else whole[: _MAX_TITLE - 1] + "…"

    def blocks(self, notification: Notification) -> tuple[Block, ...]:
        """What it says, as Markdown's blocks. Raises TemplateError."""
        return _guarded(self._blocks, notification)

    def _blocks(self, notification: Notification) -> tuple[Block, ...]:
        text, values = self._run(notification)
        found = parse(text)
        if not found:
            raise TemplateError("it says nothing")

        return Rewrite(
            text=lambda words: " ".join(_put(words, values).splitlines()),
            code=lambda code: _put(code, values),
            url=lambda url: _address(url, values),
        ).blocks(found)

    def _run(self, notification: Notification) -> tuple[str, list[str]]:
        values: list[str] = []
        data = context(notification) | {_VALUES: values}
        return _bounded(self._compiled, data), values


def _guarded(run: Callable[[Notification], Made], notification: Notification) -> Made:
    """What a run makes. Whatever goes wrong in it is the template's: the alert goes out."""
    try:
        return run(notification)
    except TemplateError:
        raise
    except (jinja2.TemplateError, TooMuch) as error:
        raise TemplateError(_reason(error)) from None
    except Exception as error:  # its text may hold a value
        raise TemplateError(type(error).__name__) from None


_VALUES = "values of this run"  # no template can name it


@jinja2.pass_context
def _finalize(context: jinja2.runtime.Context, value: Any) -> str:
    """The token that stands for a value until nothing is parsed any more."""
    text = as_text(value)  # raises for what is undefined
    if callable(value):
        raise TypeError("a method is no text")
    values: list[str] = context[_VALUES]
    bounds: Bounds = context[BOUNDS]
    values.append(bounds.shown(text.replace(_OPEN, "").replace(_CLOSE, "")))
    return f"{_OPEN}{len(values) - 1}{_CLOSE}"


def _bounded(compiled: jinja2.Template, data: dict[str, Any]) -> str:
    """What a template makes, within its bounds."""
    out: list[str] = []
    size = 0
    for chunk in compiled.generate(data | {BOUNDS: Bounds()}):
        size += len(chunk)
        if size > MAX_SIZE:
            raise TooMuch(f"more than {MAX_SIZE} characters")
        out.append(chunk)
    return "".join(out)


def _put(text: str, values: list[str]) -> str:
    """The text with its values in place of their tokens."""
    return _TOKEN.sub(lambda match: values[int(match[1])], text) if _OPEN in text else text


def _address(written: str, values: list[str]) -> str:
    """An address with its values: one that is a value from its beginning stays if a browser
    goes there, within others a value is percent-encoded."""
    whole = _TOKEN.match(written)
    if whole is not None:
        address = _put(whole[0], values)
        return address if whole.end() == len(written) and is_web(address) else ""
    return _TOKEN.sub(
        lambda match: quote(_put(match[0], values), safe="", errors="replace"), written
    )


def _reason(error: Exception) -> str:
    return str(error).splitlines()[0][:200] if str(error) else type(error).__name__
