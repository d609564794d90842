"""Words in angle brackets: in a command to be filled in by hand, in prose dropped as HTML.

Placeholders that an alert fills are `placeholders`'.
"""

import re
from collections import Counter
from collections.abc import Iterator

from alert_router.checks.lint import codes
from alert_router.checks.lint.fences import ANGLE, commands
from alert_router.checks.lint.page import Page
from alert_router.enrich.shell import SHELL_LANGUAGES
from alert_router.markdown import CodeSpan
from alert_router.model.problem import Problem

_TAG = re.compile(r"</?(?P<name>[A-Za-z][A-Za-z0-9-]*)(?:\s+[A-Za-z_:][\w.:-]*)*\s*/?>")
_HTML = (
    "a abbr address article aside audio b base blockquote body br button canvas caption center "
    "cite code col colgroup data dd del details dfn div dl dt em embed fieldset figcaption figure "
    "font footer form h1 h2 h3 h4 h5 h6 head header hr html i iframe img input ins kbd label li "
    "link main map mark meta nav nobr ol optgroup option p path picture pre q rect s samp script "
    "section select small source span strike strong style sub summary sup svg table tbody td "
    "template textarea tfoot th thead time title tr track tt u ul var video wbr center"
)
_ELEMENTS = frozenset(_HTML.split())
_OF_A_LABEL = re.compile(r"(?:.*\b)?(?P<name>[A-Za-z_]\w*) label\b", re.IGNORECASE)
_NOT_ITS_NAME = re.compile(r"^(?:my|your|the)_|_(?:name|id)$")


def check(page: Page) -> Iterator[Problem]:
    """Everything about the angle brackets of one runbook."""
    yield from _by_hand(page)
    yield from _dropped(page)


def _by_hand(page: Page) -> Iterator[Problem]:
    """Each name once, where it stands first."""
    found = [
        (match, code)
        for code in page.codes
        if code.language in SHELL_LANGUAGES
        for start, end in commands(code)
        for match in ANGLE.finditer(code.text, start, end)
        if match["name"].lower() not in _ELEMENTS
    ]
    times = Counter(match[0] for match, _ in found)
    for match, code in found:
        number = times.pop(match[0], 0)
        if number:
            often = f", {number} times" if number > 1 else ""
            yield page.problem(
                codes.PLACEHOLDER_BY_HAND,
                f"`{match[0]}` is to be filled in by hand{often}",
                *page.in_code(code, match.start()),
                hint=_hint(match["name"]),
            )


def _hint(words: str) -> str:
    if name := _label(words):
        return f"If the alert has it as a label, write `${name}`."
    return "If the alert has it as a label, write that label's name after a `$`."


def _label(words: str) -> str:
    """What the label may be called that somebody describes so, "" if that says too much."""
    if match := _OF_A_LABEL.match(words):
        return match["name"].lower()
    name = re.sub(r"\W+", "_", words).strip("_").lower()
    return _NOT_ITS_NAME.sub("", name) if name.count("_") < 3 else ""


def _dropped(page: Page) -> Iterator[Problem]:
    for spot in page.spots(_TAG, "<"):
        tag = spot.match[0]
        if isinstance(spot.leaf, CodeSpan) or not spot.exact:
            continue
        if spot.match["name"].lower() in _ELEMENTS or f"</{spot.match['name']}" in page.text:
            continue
        if page.source(spot.line)[spot.column - 2 : spot.column - 1] == "\\":
            continue
        yield page.problem(
            codes.DROPPED_TEXT,
            f"Markdown takes `{tag}` for HTML: on a Git host it is not seen",
            spot.line,
            spot.column,
            hint=f"Put it between backticks: `{tag}`.",
        )
