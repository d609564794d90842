"""Placeholders that cannot be filled: of a form that is none, or for a label that is not carried.

What a placeholder is, and where one is filled, is `enrich`'s.
"""

import re
from collections.abc import Iterator

from alert_router.checks.lint import codes
from alert_router.checks.lint.page import Page
from alert_router.enrich.placeholder import PLACEHOLDER, name_of, of_environment
from alert_router.enrich.promql import QUERY_LANGUAGES
from alert_router.enrich.shell import SHELL_LANGUAGES, compile_fences
from alert_router.markdown import Code
from alert_router.model.problem import Problem, did_you_mean

# What people write for `{{ $labels.pod }}`; the last group is the label.
_NEARLY = re.compile(
    r"(?!\{\{\s*\$labels\.\w+\s*\}\})"
    r"(?:\{\{-?\s*[$.]{0,2}(?:[Cc]ommon_?|[Gg]roup_?)?[Ll]abels?\.(?P<a>[A-Za-z_]\w*)\s*-?\}\}"
    r"|\{\{-?\s*(?:index\s+)?\$[Ll]abels?\s+\"(?P<b>\w+)\"\s*-?\}\}"
    r"|(?<![{\w$])(?<!\{ )\$\{?[Ll]abels?\.(?P<c>[A-Za-z_]\w*)\}?"
    r"|(?<!\{)\{\s*\$labels\.(?P<d>[A-Za-z_]\w*)\s*\}(?!\}))"
)
# A template's own language is written in these.
_TEMPLATES = frozenset(
    ("yaml", "yml", "go", "gotmpl", "gotemplate", "helm", "jinja", "json", "tpl")
)


def check(page: Page, carried: frozenset[str] | None, known: frozenset[str]) -> Iterator[Problem]:
    """Everything about the placeholders of one runbook. `carried`: every label that its alerts
    can have, None where that cannot be told; `known`: those of all alerts."""
    yield from _nearly(page)
    if carried is not None:
        yield from _not_carried(page, carried, known)


def _nearly(page: Page) -> Iterator[Problem]:
    for spot in page.spots(_NEARLY, "label"):
        yield _misspelt(page, spot.match, spot.line, spot.column)
    for code in page.codes:
        if code.language not in _TEMPLATES:
            for match in _NEARLY.finditer(code.text):
                yield _misspelt(page, match, *page.in_code(code, match.start()))


def _misspelt(page: Page, match: re.Match[str], line: int, column: int) -> Problem:
    name = next(group for group in match.groups() if group)
    return page.problem(
        codes.PLACEHOLDER,
        f"`{match[0]}` is never filled in",
        line,
        column,
        hint=f"did you mean `${name}` or `{{{{ $labels.{name} }}}}`?",
    )


def _not_carried(page: Page, carried: frozenset[str], known: frozenset[str]) -> Iterator[Problem]:
    folded = {label.casefold() for label in carried}
    told: set[str] = set()
    for name, written, line, column in (*_in_code(page), *_in_prose(page)):
        if name.casefold() in folded or name.startswith("__") or name in told:
            continue
        told.add(name)
        elsewhere = name.casefold() in {label.casefold() for label in known}
        why = "Its alerts carry: " + (", ".join(sorted(carried)) or "none") + "."
        if elsewhere:
            why = f"Other alerts carry it, those of this runbook do not. {why}"
        yield page.problem(
            codes.UNKNOWN_LABEL,
            f"`{written}`: no alert of this runbook carries the label `{name.lower()}`",
            line,
            column,
            hint=did_you_mean(name, sorted(carried), why),
        )


_Found = tuple[str, str, int, int]


def _in_code(page: Page) -> Iterator[_Found]:
    """The placeholders in commands and queries that are no variables of their own."""
    shell = [c for c in page.codes if c.language in SHELL_LANGUAGES]
    templates = compile_fences([(code.text, code.language) for code in shell])
    for code, template in zip(shell, templates, strict=True):
        for slot in template.slots:
            yield slot.name, slot.written, *page.in_code(code, slot.start)
    for code in page.codes:
        if code.language in QUERY_LANGUAGES:
            yield from _in_query(page, code)


def _in_query(page: Page, code: Code) -> Iterator[_Found]:
    for match in PLACEHOLDER.finditer(code.text):
        yield name_of(match), match[0], *page.in_code(code, match.start())


def _in_prose(page: Page) -> Iterator[_Found]:
    for spot in page.spots(PLACEHOLDER, "$"):
        name = name_of(spot.match)
        explicit = spot.match["explicit"] is not None
        # A variable in the prose is as a rule one of the commands', which are judged there.
        if explicit or (name.islower() and not of_environment(name)):
            yield name, spot.match[0], spot.line, spot.column
