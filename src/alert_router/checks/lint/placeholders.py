"""What a reader would have to fill in: placeholders that are misspelled or whose label the
runbook's alerts do not have, words in angle brackets, and text that its author meant to replace.
"""

import re
from collections import Counter
from collections.abc import Iterator

from alert_router.checks.lint.source import RunbookSource
from alert_router.enrich.placeholders import (
    ANGLE,
    DEFAULT_RULES,
    NO_VALUE,
    PLACEHOLDER,
    AlertLabels,
    key_of,
    name_of,
    of_environment,
)
from alert_router.enrich.promql import QUERY_LANGUAGES
from alert_router.enrich.shell import command_ranges, compile_fences, shell_language
from alert_router.markdown import CodeSpan
from alert_router.model.problem import Problem, did_you_mean

# Misspellings of `{{ $labels.pod }}`; one of the groups is the label.
_MISSPELLED = re.compile(
    r"(?!\{\{-?\s*(?:\$labels|\.(?:Common|Group)?Labels)\.\w+\s*-?\}\})"
    r"(?:\{\{-?\s*[$.]{0,2}(?:[Cc]ommon_?|[Gg]roup_?)?[Ll]abels?\.(?P<a>[A-Za-z_]\w*)\s*-?\}\}"
    r"|\{\{-?\s*(?:index\s+)?\$[Ll]abels?\s+\"(?P<b>\w+)\"\s*-?\}\}"
    r"|(?<![{\w$])(?<!\{ )(?<!\{- )\$\{?[Ll]abels?\.(?P<c>[A-Za-z_]\w*)\}?"
    r"|(?<!\{)\{\s*\$labels\.(?P<d>[A-Za-z_]\w*)\s*\}(?!\}))"
)
# Languages in which such templates mean something else.
_TEMPLATE_LANGUAGES = frozenset(
    ("yaml", "yml", "go", "gotmpl", "gotemplate", "helm", "jinja", "json", "tpl")
)

_Found = tuple[str, bool, str, int, int]  # name, whether it is spelled, text, line, column


def check(
    source: RunbookSource, labels: frozenset[str] | None, known: frozenset[str]
) -> Iterator[Problem]:
    """Everything about the placeholders of one runbook. `labels` are all labels that its alerts
    can have, None if that is not known; `known` those of all alerts."""
    for spot in source.spots(_MISSPELLED, ("label",)):
        yield _misspelled(source, spot.match, spot.line, spot.column)
    for code in source.codes:
        if code.language not in _TEMPLATE_LANGUAGES:
            for match in _MISSPELLED.finditer(code.text):
                yield _misspelled(source, match, *source.in_code(code, match.start()))
    if labels is not None:
        yield from _unknown(source, labels, known)
    yield from _by_hand(source, labels)
    yield from _dropped(source)
    yield from _leftover(source)


def _misspelled(source: RunbookSource, match: re.Match[str], line: int, column: int) -> Problem:
    name = next(group for group in match.groups() if group)
    message = f"`{match[0]}` is not a placeholder: it is never filled in"
    hint = f"did you mean `${name}` or `{{{{ $labels.{name} }}}}`?"
    return source.problem("runbook-placeholder", message, line, column, hint=hint)


def _unknown(
    source: RunbookSource, labels: frozenset[str], known: frozenset[str]
) -> Iterator[Problem]:
    alert = AlertLabels(dict.fromkeys(labels, ""))
    known_folded = {label.casefold() for label in known}
    reported: set[str] = set()
    for name, spelled, text, line, column in (*_in_code(source), *_in_prose(source)):
        if alert.get(name, spelled) is not None or name.startswith("__") or name in reported:
            continue
        if spelled and key_of(name) not in DEFAULT_RULES.aliases:
            continue  # to be filled in by hand
        reported.add(name)
        listed = f"Its alerts have: {', '.join(sorted(labels)) or 'none'}."
        if name.casefold() in known_folded:
            listed = f"Other alerts have it, but not those of this runbook. {listed}"
        message = f"`{text}`: no alert of this runbook has the label `{name.lower()}`"
        hint = did_you_mean(name, sorted(labels), listed)
        yield source.problem("runbook-unknown-label", message, line, column, hint=hint)


def _in_code(source: RunbookSource) -> Iterator[_Found]:
    """The placeholders in commands and queries that are not variables set there."""
    shell = [(code, language) for code in source.codes if (language := shell_language(code))]
    templates = compile_fences([(code.text, code.language and name) for code, name in shell])
    for (code, _), template in zip(shell, templates, strict=True):
        for slot in template.slots:
            yield slot.name, slot.spelled, slot.written, *source.in_code(code, slot.start)
    for code in source.codes:
        if code.language in QUERY_LANGUAGES:
            for match in PLACEHOLDER.finditer(code.text):
                yield name_of(match), False, match[0], *source.in_code(code, match.start())


def _in_prose(source: RunbookSource) -> Iterator[_Found]:
    for spot in source.spots(PLACEHOLDER, ("$", "{{")):
        name = name_of(spot.match)
        explicit = spot.match["explicit"] is not None
        # A variable in prose is usually one of the commands', which are checked there.
        if explicit or (name.islower() and not of_environment(name)):
            yield name, False, spot.match[0], spot.line, spot.column


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


# Markers are in upper case: "todo" is a word in other languages, "xxx" may mean digits.
_MARKERS = re.compile(
    r"(?<![\w/.-])(?:TODO|FIXME|TBD|TBC|TBA|XXX)(?=\s*(?:[:;,(.)\]!?*]|\Z))(?!\.\w)"
    r"|\A(?:TODO|FIXME|TBD)\b(?![/-])"
    r"|(?i:\b(?:lorem ipsum|fill (?:this|me) in|placeholder text|coming soon|work in progress)\b"
    r"|(?:\A|(?<=[.:(] ))to be (?:written|filled in|completed|documented|added)\b(?=\s*(?:[.)]|\Z))"
    r"|\b(?:insert|put|enter|write) (?:your |any )?"
    r"(?:site|team|company|environment|organi[sz]ation)[- ]specific\b"
    r"|\binsert (?:your )?(?:text|description|content|details|link|command)s? here\b)"
    r"|\A\[(?:\.\.\.|…)\]\Z"
)
_SIGNS = (
    *(
        "todo",
        "fixme",
        "tbd",
        "tbc",
        "tba",
        "xxx",
        "lorem",
        "fill ",
        "placeholder text",
        "coming soon",
    ),
    *("work in progress", "to be ", "specific", "insert ", "[...]", "[…]"),
)
_IN_COMMENT = re.compile(
    r"(?:^|\s)(?:#|//|--)[^\n]*?\b(?P<word>TODO|FIXME|TBD|XXX)\b(?=[:\s(]|$)", re.MULTILINE
)


def _leftover(source: RunbookSource) -> Iterator[Problem]:
    """Markers in a runbook's prose and in the comments of its code."""
    for spot in source.spots(_MARKERS, _SIGNS):
        if not isinstance(spot.leaf, CodeSpan):
            yield _leftover_problem(source, spot.match[0], spot.line, spot.column)
    for code in source.codes:
        for match in _IN_COMMENT.finditer(code.text):
            yield _leftover_problem(
                source, match["word"], *source.in_code(code, match.start("word"))
            )


def _leftover_problem(source: RunbookSource, marker: str, line: int, column: int) -> Problem:
    message = f"leftover text `{marker}`"
    hint = "Replace it, or remove it."
    return source.problem("runbook-leftover", message, line, column, hint=hint)
