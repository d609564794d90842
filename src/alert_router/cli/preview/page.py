"""Writes drawings as one HTML page, a card for each message."""

from dataclasses import dataclass
from importlib.resources import files

import jinja2
from markupsafe import Markup

from alert_router.markdown import visible
from alert_router.preview.destinations import Drawing
from alert_router.preview.drawing import FILTERS, HtmlDocument, Panel

# Only styles: no script, image, font, request or form.
POLICY = "default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'; form-action 'none'"
_META = Markup('<meta http-equiv="Content-Security-Policy" content="{}">').format(POLICY)

_templates = jinja2.Environment(
    loader=jinja2.ChoiceLoader(
        [
            jinja2.PackageLoader("alert_router.cli", "preview"),
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
    style = Markup(files(__package__).joinpath("page.css").read_text(encoding="utf-8"))  # noqa: S704
    return _templates.get_template("page.html.jinja").render(
        title=title, cards=cards, style=style, policy=POLICY
    )
