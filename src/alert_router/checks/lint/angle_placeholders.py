"""Words in angle brackets: to be filled in by hand in commands, dropped as HTML in prose."""

import re
from collections import Counter
from collections.abc import Iterator

from alert_router.checks.lint.source import RunbookSource
from alert_router.enrich.labels import DEFAULT_RULES, AlertLabels, key_of
from alert_router.enrich.placeholder import ANGLE, NO_VALUE
from alert_router.enrich.shell import command_ranges, shell_language
from alert_router.markdown import CodeSpan
from alert_router.model.problem import Problem

_TAG = re.compile(r"</?(?P<name>[A-Za-z][A-Za-z0-9-]*)(?:\s+[A-Za-z_:][\w.:-]*)*\s*/?>")
_HTML = """
    a abbr address article aside audio b base blockquote body br button canvas caption center cite
    code col colgroup data dd del details dfn div dl dt em embed fieldset figcaption figure font
    footer form h1 h2 h3 h4 h5 h6 head header hr html i iframe img input ins kbd label li link
    main map mark meta nav nobr ol optgroup option p path picture pre q rect s samp script section
    select small source span strike strong style sub summary sup svg table tbody td template
    textarea tfoot th thead time title tr track tt u ul var video wbr
"""
_HTML_ELEMENTS = frozenset(_HTML.split())
_DESCRIBED_LABEL = re.compile(r"(?:.*\b)?(?P<name>[A-Za-z_]\w*) label\b", re.IGNORECASE)
_AFFIX = re.compile(r"^(?:my|your|the)_|_(?:name|id)$")


def check(source: RunbookSource, labels: frozenset[str] | None) -> Iterator[Problem]:
    """Everything about the angle brackets of one runbook. `labels` are all labels that its alerts
    can have, None if that is not known."""
    yield from _by_hand(source, labels)
    yield from _dropped(source)


def _by_hand(source: RunbookSource, labels: frozenset[str] | None) -> Iterator[Problem]:
    """Each name that no label fills, once, where it is first."""
    filled = AlertLabels(dict.fromkeys(labels or (), ""))
    found = [
        (match, code)
        for code in source.codes
        if shell_language(code)
        for start, end in command_ranges(code)
        for match in ANGLE.finditer(code.text, start, end)
        if match["name"].lower() not in _HTML_ELEMENTS | NO_VALUE
        and filled.get(match["name"], True) is None
        and (labels is not None or key_of(match["name"]) not in DEFAULT_RULES.aliases)
    ]
    times = Counter(match[0] for match, _ in found)
    for match, code in found:
        if number := times.pop(match[0], 0):
            often = f" ({number} times)" if number > 1 else ""
            label = _label(match["name"])
            write = f"write `${label}`" if label else "write `$` and its name"
            yield source.problem(
                "runbook-placeholder-by-hand",
                f"`{match[0]}` must be filled in by hand{often}",
                *source.in_code(code, match.start()),
                hint=f"If the alert has a label for it, {write}.",
            )


def _label(words: str) -> str:
    """The likely name of a label that is described by these words; "" if they say too much."""
    if match := _DESCRIBED_LABEL.match(words):
        return match["name"].lower()
    name = re.sub(r"\W+", "_", words).strip("_").lower()
    return _AFFIX.sub("", name) if name.count("_") < 3 else ""


def _dropped(source: RunbookSource) -> Iterator[Problem]:
    for spot in source.spots(_TAG, ("<",)):
        tag, name = spot.match[0], spot.match["name"]
        if isinstance(spot.leaf, CodeSpan) or not spot.exact:
            continue
        if name.lower() in _HTML_ELEMENTS or f"</{name}" in source.text:
            continue
        if source.line_text(spot.line)[spot.column - 2 : spot.column - 1] == "\\":
            continue
        message = f"Markdown reads `{tag}` as HTML, so Git hosts do not show it"
        hint = f"Put it in backticks: `{tag}`."
        yield source.problem("runbook-dropped-text", message, spot.line, spot.column, hint=hint)
