"""Drawings of messages as lines of text for the terminal, and as an HTML page with a card for each.

In the terminal, code is indented by four spaces and has nothing beside it, so that it can be
copied.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from importlib.resources import files
from typing import assert_never

import jinja2
from markupsafe import Markup
from rich.text import Text as RichText

from alert_router.cli.formats.terminal_markdown import inline_text
from alert_router.cli.output import clean_lines
from alert_router.markdown import Inline, visible
from alert_router.preview.drawing import (
    FILTERS,
    Buttons,
    CodeBlock,
    Collapsible,
    Divider,
    Drawing,
    Element,
    Fields,
    HtmlDocument,
    Panel,
    TextLine,
    safe_link,
)

_LINE_STYLES = {"head": "bold", "title": "bold", "small": "dim", "quote": "italic"}
_DIVIDER_WIDTH = 60


def text_lines(elements: Iterable[Element]) -> Iterator[RichText]:
    """The lines of a message."""
    for element in elements:
        yield from _element(element)


def _element(element: Element) -> Iterator[RichText]:
    match element:
        case TextLine(spans, style):
            rows = _line(spans, _LINE_STYLES.get(style, "")).split("\n", allow_blank=True)
            yield from (RichText.assemble("> ", row) for row in rows) if style == "quote" else rows
        case CodeBlock(text):
            yield from (_text(f"    {row}", "cyan") for row in text.split("\n"))
        case Divider():
            yield RichText("─" * _DIVIDER_WIDTH, "dim")
        case Buttons(pairs):
            for label, url in pairs:
                yield _text(f"[{label}]", "bold").append(f" {safe_link(url)}")
        case Fields(rows):
            yield from _fields(rows)
        case Panel(inner, color):
            bar = RichText("▌ ", "dim" if color == "grey" else color)
            for it in inner:
                beside = RichText() if isinstance(it, CodeBlock) else bar
                yield from (RichText.assemble(beside, line) for line in _element(it))
        case Collapsible(title, inner):
            yield _text(f"▾ {title}", "bold")
            yield from text_lines(inner)
        case HtmlDocument(_, text):
            yield from (_text(row) for row in text.split("\n"))
        case _:
            assert_never(element)


def _text(text: str, style: str = "") -> RichText:
    """The text with control characters escaped, in this style."""
    return RichText.assemble((clean_lines(text), style))


def _line(spans: Iterable[Inline], style: str) -> RichText:
    return inline_text(spans, style, escape=clean_lines, make_link=_with_url)


def _with_url(label: RichText, url: str) -> RichText:
    if safe_link(url):
        label.stylize("underline")
        if label.plain != url:
            label.append_text(_text(f" ({url})", "dim"))
    return label


def _fields(rows: Iterable[tuple[str, tuple[Element, ...]]]) -> Iterator[RichText]:
    for name, elements in rows:
        first, *rest = list(text_lines(elements)) or [RichText()]
        if rest or first.plain.startswith(" "):
            yield _text(f"{name}:", "bold")
            yield from (first, *rest)
        else:
            yield _text(f"{name}: ", "bold").append_text(first)


# Only styles: no script, image, font, request or form.
POLICY = "default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'; form-action 'none'"
_META = Markup('<meta http-equiv="Content-Security-Policy" content="{}">').format(POLICY)

_templates = jinja2.Environment(
    loader=jinja2.ChoiceLoader(
        [
            jinja2.PackageLoader("alert_router.cli", "formats"),
            jinja2.PackageLoader("alert_router", "preview"),
        ]
    ),
    autoescape=True,
    undefined=jinja2.StrictUndefined,
    trim_blocks=True,
    lstrip_blocks=True,
    # No output of the template contains control characters.
    finalize=lambda value: visible(value) if type(value) is str else value,
)


def _frame(document: HtmlDocument) -> Markup:
    frame = Markup('<iframe sandbox="" referrerpolicy="no-referrer" title="E-mail" srcdoc="{}">')
    return frame.format(str(_META) + document.html) + Markup("</iframe>")


def _attributes(panel: Panel) -> Markup:
    filled = " filled" if panel.filled else ""
    if panel.color.startswith("#"):
        return Markup('class="box{}" style="--tone: {}"').format(filled, panel.color)
    return Markup('class="box{} {}"').format(filled, panel.color)


_templates.filters |= FILTERS | {"html_document": _frame, "attributes": _attributes}


@dataclass(frozen=True, slots=True)
class Card:
    """A message on the page. Without a drawing nothing would be sent, and `skipped` says why.
    `raw` is the payload as text, `size` its size for people, and `designer` the name and the URL of
    the destination's design tool."""

    receiver: str
    notifier: str
    type: str
    drawing: Drawing | None = None
    raw: str = ""
    size: str = ""
    skipped: str = ""
    designer: tuple[str, str] | None = None


def page(title: str, cards: list[Card]) -> str:
    """The whole page, in one file that loads nothing."""
    # The style sheet is ours and contains no `</style`.
    style = Markup(files(__package__).joinpath("drawing.css").read_text(encoding="utf-8"))  # noqa: S704
    return _templates.get_template("drawing-page.html.jinja").render(
        title=title, cards=cards, style=style, policy=POLICY
    )
