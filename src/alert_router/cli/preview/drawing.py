"""The elements of a drawn message, which `text` writes to a terminal and `page` as HTML.

All text is plain and may be hostile: whoever writes it escapes it. Only http, https and mailto
links are kept.
"""

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Literal

from alert_router.markdown import visible

_LINK = re.compile(r"https?://|mailto:", re.IGNORECASE)

Style = Literal["", "head", "title", "small", "quote"]


@dataclass(frozen=True, slots=True)
class Span:
    """Text of a line that has one format."""

    text: str
    bold: bool = False
    italic: bool = False
    strike: bool = False
    code: bool = False
    url: str = ""


@dataclass(frozen=True, slots=True)
class TextLine:
    """Spans; newlines in them are kept."""

    spans: tuple[Span, ...]
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


def link(url: object) -> str:
    """The URL if a browser may open it, else an empty string."""
    return url if isinstance(url, str) and _LINK.match(url) else ""


def span(text: object, *, bold: bool = False, code: bool = False) -> Span:
    """Text with control characters escaped."""
    return Span(visible(str(text)), bold=bold, code=code)


def line(text: object, style: Style = "") -> TextLine:
    """A line of plain text."""
    return TextLine((span(text),), style)


def code_block(text: object) -> CodeBlock:
    """Code with control characters escaped."""
    return CodeBlock(visible(str(text)).strip("\n"))


def buttons(pairs: Iterable[tuple[object, object]]) -> Iterator[Buttons]:
    """A row of buttons, if there are any."""
    found = tuple((visible(str(label)), link(url)) for label, url in pairs)
    if found:
        yield Buttons(found)
