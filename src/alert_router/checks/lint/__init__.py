"""The runbook linter: what is wrong, outdated, dangerous or missing in runbooks."""

from collections.abc import Iterator, Mapping
from dataclasses import replace
from datetime import date

from alert_router.checks.codes import LINT as SEVERITIES
from alert_router.checks.lint import (
    destructive,
    links,
    metadata,
    placeholders,
    promql,
    secrets,
    sections,
    shell,
)
from alert_router.checks.lint.conventions import Conventions, conventions
from alert_router.checks.lint.source import RunbookSource
from alert_router.model.problem import Problem
from alert_router.runbook import Catalogue, UnusableFile, read

__all__ = ["SEVERITIES", "lint"]


def lint(
    catalogue: Catalogue,
    *,
    today: date,
    labels_by_runbook: Mapping[str, frozenset[str] | None] | None = None,
) -> tuple[Problem, ...]:
    """Every problem of the catalogue's runbooks, including those found when it was read, in the
    order of files and lines.

    `labels_by_runbook` has, by runbook id, every label that the runbook's alerts can have; None
    if that is not known. Labels of runbooks that are not in it are not checked.
    """
    labels = labels_by_runbook or {}
    sources = [source for id in sorted(catalogue.runbooks) if (source := _read(catalogue, id))]
    expected = conventions(source.runbook for source in sources)
    tree = links.FileTree(catalogue.root, sources)
    known = frozenset(label for found in labels.values() if found for label in found)
    by_file = {str(source.path): source for source in sources}
    problems = [_with_source(problem, by_file) for problem in catalogue.problems]
    problems += shell.check(sources)
    found_secrets = {file: secrets.find(source) for file, source in by_file.items()}
    for file, source in by_file.items():
        problems += secrets.check(source, found_secrets[file])
        its_labels = labels.get(source.runbook.id)
        problems += _check(source, expected, tree, today, its_labels, known)
    masked = dict.fromkeys(
        secrets.masked(problem, found_secrets.get(problem.place.file, ())) for problem in problems
    )
    return tuple(sorted(masked, key=lambda problem: (problem.place, problem.code)))


def _check(
    source: RunbookSource,
    expected: Conventions,
    tree: links.FileTree,
    today: date,
    labels: frozenset[str] | None,
    known: frozenset[str],
) -> Iterator[Problem]:
    yield from sections.check(source, expected)
    yield from metadata.check(source, expected, today)
    yield from promql.check(source)
    yield from links.check(source, tree)
    yield from placeholders.check(source, labels, known)
    yield from destructive.check(source)


def _read(catalogue: Catalogue, id: str) -> RunbookSource | None:
    """The runbook with its text; None if its file has been deleted since it was read."""
    path = catalogue.file(id)
    try:
        text = read(path).decode(errors="replace")
    except UnusableFile:
        return None
    return RunbookSource.of(catalogue.runbooks[id], path, text)


def _with_source(problem: Problem, by_file: Mapping[str, RunbookSource]) -> Problem:
    """A problem found when the runbook was read, with a column and the text of its line."""
    source = by_file.get(problem.place.file)
    if source is None or problem.source or not source.line_text(problem.place.line).strip():
        return problem
    column = problem.place.column or source.first_word(problem.place.line)
    place = replace(problem.place, column=column)
    return replace(problem, place=place, source=source.line_text(problem.place.line).rstrip())
