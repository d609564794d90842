"""What a message looks like, in a few kinds of nodes: a look makes them of a payload, the page
and the terminal show them.

All text is plain and hostile; whoever shows it escapes it. Only `http`, `https` and `mailto`
links lead anywhere.
"""

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Literal

from alert_router.markdown import visible

_ADDRESS = re.compile(r"https?://|mailto:", re.IGNORECASE)

Colour = Literal["", "red", "yellow", "green", "blue", "grey"]


@dataclass(frozen=True, slots=True)
class Span:
    """Some words of a line."""

    text: str
    bold: bool = False
    italic: bool = False
    strike: bool = False
    code: bool = False
    url: str = ""


@dataclass(frozen=True, slots=True)
class Line:
    """Spans, with line feeds kept. `look`: `head` is the message's first line, `small` beside
    the point, `quote` cited."""

    spans: tuple[Span, ...]
    look: Literal["", "head", "title", "small", "quote"] = ""
    kind: Literal["line"] = "line"


@dataclass(frozen=True, slots=True)
class Pre:
    """A code block."""

    text: str
    kind: Literal["pre"] = "pre"


@dataclass(frozen=True, slots=True)
class Rule:
    """A line across."""

    kind: Literal["rule"] = "rule"


@dataclass(frozen=True, slots=True)
class Buttons:
    """What can be pressed: words and addresses."""

    pairs: tuple[tuple[str, str], ...]
    kind: Literal["buttons"] = "buttons"


@dataclass(frozen=True, slots=True)
class Fields:
    """Names and what stands at them."""

    rows: tuple[tuple[str, "tuple[Node, ...]"], ...]
    kind: Literal["fields"] = "fields"


@dataclass(frozen=True, slots=True)
class Box:
    """Nodes with a coloured bar, or a coloured ground (`filled`); the colour by name or as
    `#rrggbb`."""

    nodes: "tuple[Node, ...]"
    colour: Colour | str = ""
    filled: bool = False
    kind: Literal["box"] = "box"


@dataclass(frozen=True, slots=True)
class Fold:
    """Nodes under a title that opens and closes them."""

    title: str
    nodes: "tuple[Node, ...]"
    opened: bool = True
    kind: Literal["fold"] = "fold"


@dataclass(frozen=True, slots=True)
class Frame:
    """A whole HTML document of its own, as a mail is; `text` is what a terminal shows for it."""

    html: str
    text: str = ""
    kind: Literal["frame"] = "frame"


Node = Line | Pre | Rule | Buttons | Fields | Box | Fold | Frame


@dataclass(frozen=True, slots=True)
class Look:
    """A message as its destination would show it: `theme` is whose, `about` a word to who reads
    it here."""

    nodes: tuple[Node, ...]
    theme: str = "data"
    about: str = ""


def address(url: object) -> str:
    """The address if a browser may go there, else nothing."""
    return url if isinstance(url, str) and _ADDRESS.match(url) else ""


def span(text: object, *, bold: bool = False, code: bool = False) -> Span:
    """Words in which no character is obeyed."""
    return Span(visible(str(text)), bold=bold, code=code)


def line(text: object, look: Literal["", "head", "title", "small", "quote"] = "") -> Line:
    """A line of plain words."""
    return Line((span(text),), look)


def pre(text: object) -> Pre:
    """Code as it is."""
    return Pre(visible(str(text)).strip("\n"))


def buttons(pairs: Iterable[tuple[object, object]]) -> Sequence[Node]:
    """Buttons, if there are any."""
    found = tuple((visible(str(words)), address(url)) for words, url in pairs)
    return [Buttons(found)] if found else []
