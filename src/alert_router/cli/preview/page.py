"""Cards, one for each message, put into the page."""

from dataclasses import dataclass
from importlib.resources import files

import jinja2
from markupsafe import Markup

from alert_router.cli.preview.nodes import Look

# Styles alone: no script, no image, no font, no request, no form.
POLICY = "default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'; form-action 'none'"
_META = Markup('<meta http-equiv="Content-Security-Policy" content="{}">').format(POLICY)

_templates = jinja2.Environment(
    loader=jinja2.PackageLoader("alert_router.cli", "preview"),
    autoescape=True,
    undefined=jinja2.StrictUndefined,
    trim_blocks=True,
    lstrip_blocks=True,
)


@dataclass(frozen=True, slots=True)
class Card:
    """A message on the page; `look` is None where nothing would be sent, `unwanted` says why.
    `raw` is the payload as text, `size` how large it is, in words."""

    receiver: str
    notifier: str
    type: str
    look: Look | None = None
    raw: str = ""
    size: str = ""
    unwanted: str = ""


def page(title: str, cards: list[Card]) -> str:
    """The whole page: one file that needs nothing else."""
    # Ours, not a message's; `</style` is the only thing that could end it, and it is not in there.
    style = Markup(files(__package__).joinpath("page.css").read_text(encoding="utf-8"))  # noqa: S704
    return _templates.get_template("page.html.jinja").render(
        title=title, cards=cards, style=style, policy=POLICY, policy_meta=str(_META)
    )
