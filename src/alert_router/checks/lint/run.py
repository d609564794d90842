"""All checks over all runbooks of a catalogue.

What a check looks for is in the module that it is called after; how problems are shown and counted
is for the command.
"""

from collections.abc import Iterator, Mapping
from dataclasses import replace
from datetime import date
from pathlib import Path

from alert_router.checks.lint import (
    angles,
    destructive,
    leftovers,
    links,
    metadata,
    placeholders,
    promql,
    secrets,
    sections,
    shell,
    unsafe,
)
from alert_router.checks.lint.conventions import Conventions, conventions
from alert_router.checks.lint.page import Page
from alert_router.model.problem import Problem
from alert_router.runbook import Catalogue, UnusableFile, read

Labels = Mapping[str, frozenset[str] | None]


def lint(
    catalogue: Catalogue, *, today: date, labels_by_runbook: Labels | None = None
) -> tuple[Problem, ...]:
    """Every problem of the catalogue's runbooks, those that reading them found included, in the
    order of files and lines.

    `labels_by_runbook` has, by runbook id, every label that the alerts mapped to it can carry, None
    where that cannot be told; of runbooks that are not in it no label is judged.
    """
    labels = labels_by_runbook or {}
    pages = [page for id in sorted(catalogue.runbooks) if (page := _page(catalogue, id))]
    expected = conventions(page.runbook for page in pages)
    tree = links.Tree(catalogue.root, pages)
    known = frozenset(label for found in labels.values() if found for label in found)
    by_file = {str(page.path): page for page in pages}
    problems = [_placed(problem, by_file) for problem in catalogue.problems]
    problems += shell.check(pages)
    hidden = {str(page.path): secrets.find(page) for page in pages}
    for page in pages:
        problems += secrets.check(page, hidden[str(page.path)])
        problems += _page_by_page(page, expected, tree, today)
        problems += placeholders.check(page, labels.get(page.runbook.id), known)
    shown = dict.fromkeys(
        secrets.masked(problem, hidden.get(problem.place.file, ())) for problem in problems
    )
    return tuple(sorted(shown, key=lambda problem: (problem.place, problem.code)))


def _page_by_page(
    page: Page, expected: Conventions, tree: links.Tree, today: date
) -> Iterator[Problem]:
    yield from sections.check(page, expected)
    yield from metadata.check(page, expected, today)
    yield from promql.check(page)
    yield from links.check(page, tree)
    yield from angles.check(page)
    yield from leftovers.check(page)
    yield from destructive.check(page)
    yield from unsafe.check(page)


def _page(catalogue: Catalogue, id: str) -> Page | None:
    """The runbook with its text; None if it is gone since it was read."""
    path = Path(catalogue.root, f"{id}.md")
    try:
        text = read(path).decode(errors="replace")
    except UnusableFile:
        return None
    return Page.of(catalogue.runbooks[id], path, text)


def _placed(problem: Problem, by_file: Mapping[str, Page]) -> Problem:
    """What reading found, with the column and the line's text."""
    page = by_file.get(problem.place.file)
    if page is None or problem.source or not page.source(problem.place.line).strip():
        return problem
    column = problem.place.column or page.first_word(problem.place.line)
    place = replace(problem.place, column=column)
    return replace(problem, place=place, source=page.source(problem.place.line).rstrip())
