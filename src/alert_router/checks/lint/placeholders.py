"""Placeholders that are misspelled, or whose label the runbook's alerts do not have."""

import re
from collections.abc import Iterator

from alert_router.checks.lint.source import RunbookSource
from alert_router.enrich.labels import DEFAULT_RULES, AlertLabels, key_of
from alert_router.enrich.placeholder import PLACEHOLDER, name_of, of_environment
from alert_router.enrich.promql import QUERY_LANGUAGES
from alert_router.enrich.shell import compile_fences, shell_language
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
