"""Sections that are missing, empty, repeated, out of order or without steps."""

import re
from collections.abc import Iterator, Sequence
from itertools import pairwise

from alert_router.checks.lint.conventions import SHOWN, SIDES, Conventions, names
from alert_router.checks.lint.source import RunbookSource
from alert_router.markdown import Heading, ListBlock, Paragraph, plain
from alert_router.model.problem import Problem
from alert_router.runbook import STANDARD_SECTIONS, Runbook, Section
from alert_router.runbook.alert_sections import is_alert_name
from alert_router.runbook.sections import key_of

_NOT_A_WORD = re.compile(r"[\W_]+")
_OF_REPOSITORY = frozenset(
    ("changelog", "code_of_conduct", "contributing", "governance", "license", "maintainers")
) | {"readme", "security", "support"}
_ATTRIBUTE = re.compile(r"\{\w[\w-]*\}")
_IS_OLD = re.compile(r"\b(?:deprecated|obsolete|retired|no longer (?:used|fires|exists))\b", re.I)


def check(source: RunbookSource, expected: Conventions) -> Iterator[Problem]:
    """Everything about the sections of one runbook."""
    yield from _missing(source, expected)
    yield from _empty(source)
    yield from _repeated(source)
    if expected.ordered:
        yield from _misordered(source)
    yield from _without_steps(source, expected)


def _missing(source: RunbookSource, expected: Conventions) -> Iterator[Problem]:
    present = names(source.runbook)
    is_runbook = expected.for_alerts and _is_for_alerts(source.runbook, present)
    if not expected.ordered and not is_runbook:
        return
    wanted = set(expected.sections)
    if present.isdisjoint(SIDES):
        wanted.update(SHOWN)
    if "Investigation" in present and not expected.ordered:
        present.add("Detection")  # sent in its place
    missing = [name for name in STANDARD_SECTIONS if name in wanted - present]
    if not missing:
        return
    if set(missing) & set(SHOWN):
        hint = "Firing notifications show Detection and Mitigation: add a heading `## Name`."
    elif expected.ordered:
        hint = "The standard has ten sections: add a heading `## Name` for each."
    else:
        hint = "Most runbooks of this collection have it: add a heading `## Name`."
    titles = ", ".join(expected.titles.get(name, name) for name in missing)
    message = f"missing section{'s' * (len(missing) > 1)}: {titles}"
    yield source.problem("runbook-missing-section", message, source.title_line, hint=hint)


def _is_for_alerts(runbook: Runbook, present: set[str]) -> bool:
    """Whether a page is certainly a runbook of one alert: its title has an alert's name, or it has
    two of meaning, diagnosis and mitigation. Other pages are not expected to have sections."""
    if runbook.by_alerts or runbook.metadata.get("alerts", "").lower() == "none":
        return False
    if (
        runbook.has_moved
        or _IS_OLD.search(runbook.title)
        or (not runbook.sections and _lead_is_old(runbook))
    ):
        return False
    if any(_ATTRIBUTE.search(plain(section.title)) for section in runbook.sections):
        return False  # a site's configuration has the headings
    title = key_of(runbook.title).replace(" ", "")
    name = runbook.id.rpartition("/")[2]
    if name.lower() in _OF_REPOSITORY:
        return False
    is_named = is_alert_name(name) and key_of(name).replace(" ", "") in title
    is_named = is_named or is_alert_name(runbook.title) or "alert" in runbook.metadata
    parts = ({"Overview", "Severity"}, {"Detection", "Investigation"}, {"Mitigation"})
    return is_named or sum(bool(present & part) for part in parts) > 1


def _lead_is_old(runbook: Runbook) -> bool:
    lead = runbook.lead.intro if runbook.lead else ()
    return any(isinstance(b, Paragraph) and _IS_OLD.search(plain(b.children)) for b in lead)


def _empty(source: RunbookSource) -> Iterator[Problem]:
    groups = _groups(source)
    for section in source.runbook.sections:
        # An empty heading without a known name may be a link, a group or a statement.
        is_known = section.name or section.reference
        if is_known and _says_nothing(section) and section.line not in groups:
            message = f"section {_title(section)} is empty"
            hint = 'Fill it in, or say why there is nothing: "Nothing to do here, because ...".'
            yield source.problem("runbook-empty-section", message, section.line, hint=hint)


def _says_nothing(section: Section) -> bool:
    return not section.intro and not section.steps


def _groups(source: RunbookSource) -> set[int]:
    """The lines of headings that only group the sections after them: those above the level of
    sections, and empty ones without a section's name before one that has one."""
    sections = source.runbook.sections
    headings = [block for block in source.runbook.blocks if isinstance(block, Heading)]
    levels = {heading.line: heading.level for heading in headings}
    usual = max((levels.get(section.line, 0) for section in sections), default=0)
    above = {section.line for section in sections if levels.get(section.line) != usual}
    return above | {
        first.line
        for first, second in pairwise(sections)
        if not first.name and second.name and _says_nothing(first)
    }


def _title(section: Section) -> str:
    return f"`{' '.join(plain(section.title).split())}`"


def _repeated(source: RunbookSource) -> Iterator[Problem]:
    seen: dict[str, Section] = {}
    groups = _groups(source)
    for section in source.runbook.sections:
        if section.line in groups:
            seen.clear()
        key = section.name and _NOT_A_WORD.sub(" ", plain(section.title)).strip().lower()
        if not key:
            continue
        first = seen.setdefault(key, section)
        if first is not section:
            message = f"{_title(section)} repeats the section on line {first.line}"
            hint = "Merge the two sections, or rename this one."
            yield source.problem("runbook-repeated-section", message, section.line, hint=hint)


def _misordered(source: RunbookSource) -> Iterator[Problem]:
    """The fewest sections that must be moved."""
    firsts: dict[str, Section] = {}
    for section in source.runbook.sections:
        if section.name:
            firsts.setdefault(section.name, section)
    order = [STANDARD_SECTIONS.index(name) for name in firsts]
    kept = _longest_rising(order)
    for position, section in zip(order, firsts.values(), strict=True):
        if position in kept:
            continue
        before = [STANDARD_SECTIONS[other] for other in sorted(kept) if other < position]
        where = f"after {before[-1]}" if before else "first"
        message = f"{_title(section)} is out of order: {section.name} comes {where}"
        hint = "Use the standard order, so that responders find each section quickly."
        yield source.problem("runbook-misordered-section", message, section.line, hint=hint)


def _longest_rising(order: Sequence[int]) -> list[int]:
    """The longest subsequence whose numbers rise."""
    chains: list[list[int]] = [[]]
    for position in order:
        before = [chain for chain in chains if not chain or chain[-1] < position]
        chains.append([*_longest(before), position])
    return _longest(chains)


def _longest(chains: Sequence[list[int]]) -> list[int]:
    return sorted(chains, key=len)[-1]


def _without_steps(source: RunbookSource, expected: Conventions) -> Iterator[Problem]:
    for name in expected.steps:
        section = source.runbook.section(name)
        if section and section.intro and not section.steps:
            if not expected.ordered and any(isinstance(b, ListBlock) for b in section.intro):
                continue
            message = f"{_title(section)} has no steps"
            hint = (
                "Number the steps (`1.`), or give each a heading `###`: short notifications show "
                "the titles of steps only."
            )
            yield source.problem("runbook-no-steps", message, section.line, hint=hint)
