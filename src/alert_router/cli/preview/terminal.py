"""A look as lines for a terminal, or for a log where there is none: what a browser shows on the
page, in text.

Code stands alone on its lines, indented by four spaces, so that it can be copied.
"""

from collections.abc import Iterable, Iterator
from typing import assert_never

from rich.text import Text

from alert_router.cli.preview.nodes import (
    Box,
    Buttons,
    Fields,
    Fold,
    Frame,
    Line,
    Look,
    Node,
    Pre,
    Rule,
    Span,
)

_COLOURS = {"red": "red", "yellow": "yellow", "green": "green", "blue": "blue", "grey": "dim"}
_LINES = {"head": "bold", "title": "bold", "small": "dim", "quote": "italic"}
_WIDTH = 60  # of a rule


def drawn(look: Look) -> list[Text]:
    """The lines of a message."""
    about = [Text(look.about, "dim")] if look.about else []
    return [*about, *_nodes(look.nodes)]


def _nodes(nodes: Iterable[Node]) -> Iterator[Text]:
    for node in nodes:
        yield from _node(node)


def _node(node: Node) -> Iterator[Text]:
    match node:
        case Line(spans, look):
            yield from _line(spans, look)
        case Pre(text):
            yield from (Text(f"    {row}", "cyan") for row in text.split("\n"))
        case Rule():
            yield Text("─" * _WIDTH, "dim")
        case Buttons(pairs):
            for words, url in pairs:
                yield Text.assemble((f"[{words}]", "bold"), f" {url}")
        case Fields(rows):
            yield from _fields(rows)
        case Box(inner, colour):
            bar = Text("▌ ", _COLOURS.get(colour, colour))
            for one in inner:
                beside = Text() if isinstance(one, Pre) else bar  # no bar is to be copied
                yield from (Text.assemble(beside, line) for line in _node(one))
        case Fold(title, inner):
            yield Text(f"▾ {title}", "bold")
            yield from _nodes(inner)
        case Frame(_, text):
            yield from (Text(row) for row in text.split("\n"))
        case _:
            assert_never(node)


def _line(spans: Iterable[Span], look: str) -> Iterator[Text]:
    whole = Text(style=_LINES.get(look, ""))
    for span in spans:
        whole.append(span.text, _style(span))
        if span.url and span.url != span.text:
            whole.append(f" ({span.url})", "dim")
    rows = whole.split("\n", allow_blank=True)
    yield from (Text.assemble("> ", row) for row in rows) if look == "quote" else rows


def _style(span: Span) -> str:
    looks = {
        "bold": span.bold,
        "italic": span.italic,
        "strike": span.strike,
        "cyan": span.code,
        "underline": bool(span.url),
    }
    return " ".join(name for name, has in looks.items() if has)


def _fields(rows: Iterable[tuple[str, tuple[Node, ...]]]) -> Iterator[Text]:
    for name, nodes in rows:
        first, *rest = list(_nodes(nodes)) or [Text()]
        if rest or first.plain.startswith(" "):
            yield Text(f"{name}:", "bold")
            yield from (first, *rest)
        else:
            yield Text.assemble((f"{name}: ", "bold"), first)
