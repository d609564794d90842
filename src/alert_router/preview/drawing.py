"""The elements of a drawn message, which `text` writes to a terminal and `page` as HTML.

All text in them may be hostile: whoever writes it escapes it, and writes only `safe_link`s.
"""

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Literal

from alert_router.markdown import Inline, Text

_SAFE = re.compile(r"https?://|mailto:", re.IGNORECASE)

Style = Literal["", "head", "title", "small", "quote"]


@dataclass(frozen=True, slots=True)
class TextLine:
    """Spans of Markdown; newlines in their text are kept."""

    spans: tuple[Inline, ...]
    style: Style = ""


@dataclass(frozen=True, slots=True)
class CodeBlock:
    text: str


@dataclass(frozen=True, slots=True)
class Divider:
    pass


@dataclass(frozen=True, slots=True)
class Buttons:
    """Labels and URLs."""

    pairs: tuple[tuple[str, str], ...]


@dataclass(frozen=True, slots=True)
class Fields:
    """Names and values."""

    rows: tuple[tuple[str, "tuple[Element, ...]"], ...]


@dataclass(frozen=True, slots=True)
class Panel:
    """Elements beside a colored bar, or on a colored background (`filled`). The color is red,
    yellow, green, blue, grey or `#rrggbb`."""

    elements: "tuple[Element, ...]"
    color: str
    filled: bool = False


@dataclass(frozen=True, slots=True)
class Collapsible:
    """Elements below a title that opens and closes them."""

    title: str
    elements: "tuple[Element, ...]"
    opened: bool = False


@dataclass(frozen=True, slots=True)
class HtmlDocument:
    """An HTML document, such as an e-mail; `text` is its plain text part."""

    html: str
    text: str


Element = TextLine | CodeBlock | Divider | Buttons | Fields | Panel | Collapsible | HtmlDocument


def safe_link(url: object) -> str:
    """The URL if it is http, https or mailto, else an empty string."""
    return url if isinstance(url, str) and _SAFE.match(url) else ""


# What `drawing.html.jinja` needs besides `html_document` and `attributes`.
FILTERS = {"kind": lambda element: type(element).__name__, "safe_link": safe_link}


def line(text: object, style: Style = "") -> TextLine:
    """A line of plain text."""
    return TextLine((Text(str(text)),), style)


def code_block(text: object) -> CodeBlock:
    return CodeBlock(str(text).strip("\n"))


def buttons(pairs: Iterable[tuple[object, object]]) -> Iterator[Buttons]:
    """A row of buttons, if there are any."""
    found = tuple((str(label), str(url or "")) for label, url in pairs)
    if found:
        yield Buttons(found)
