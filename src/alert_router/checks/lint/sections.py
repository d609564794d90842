"""Sections that are missing, empty, repeated or out of order, and those without steps.

Which headings stand for which section is `runbook.headings`'; which are expected, `conventions`'.
"""

import re
from collections.abc import Iterator, Sequence

from alert_router.checks.lint import codes
from alert_router.checks.lint.conventions import SHOWN, Conventions, names
from alert_router.checks.lint.page import Page
from alert_router.markdown import Heading, plain
from alert_router.model.problem import Problem
from alert_router.runbook import STANDARD_SECTIONS, Section

_FOLD = re.compile(r"[\W_]+")


def check(page: Page, expected: Conventions) -> Iterator[Problem]:
    """Everything about the sections of one runbook."""
    yield from _missing(page, expected)
    yield from _empty(page)
    yield from _repeated(page)
    if expected.ordered:
        yield from _misordered(page)
    yield from _without_steps(page, expected)


def _missing(page: Page, expected: Conventions) -> Iterator[Problem]:
    there = names(page.runbook)
    lacking = [name for name in expected.sections if name not in there]
    if not lacking:
        return
    one = len(lacking) == 1
    if set(lacking) & set(SHOWN):
        why = "A firing notification shows Detection and Mitigation; these it will not have."
    elif expected.ordered:
        why = "The standard has ten sections; add a heading `## Name` for each."
    else:
        why = "Most runbooks beside it have one; add a heading `## Name`."
    yield page.problem(
        codes.MISSING_SECTION,
        f"there is no section {lacking[0]}" if one else f"sections are missing: {_all(lacking)}",
        page.title_line,
        hint=why,
    )


def _all(words: Sequence[str]) -> str:
    return ", ".join(words)


def _empty(page: Page) -> Iterator[Problem]:
    headings = [block for block in page.runbook.blocks if isinstance(block, Heading)]
    levels = {heading.line: heading.level for heading in headings}
    usual = max((levels.get(section.line, 0) for section in page.runbook.sections), default=0)
    for section in page.runbook.sections:
        # A heading above the level of sections only groups them.
        if not section.intro and not section.steps and levels.get(section.line) == usual:
            yield page.problem(
                codes.EMPTY_SECTION,
                f"there is nothing under {_title(section)}",
                section.line,
                hint='Write it, or say why there is none: "Nothing to do here, because ...".',
            )


def _title(section: Section) -> str:
    return f"`{' '.join(plain(section.title).split())}`"


def _repeated(page: Page) -> Iterator[Problem]:
    seen: dict[str, Section] = {}
    for section in page.runbook.sections:
        key = section.name and _FOLD.sub(" ", plain(section.title)).strip().lower()
        if not key:
            continue
        first = seen.setdefault(key, section)
        if first is not section:
            yield page.problem(
                codes.REPEATED_SECTION,
                f"{_title(section)} is already a section, on line {first.line}",
                section.line,
                hint="Join the two, or give this one another heading.",
            )


def _misordered(page: Page) -> Iterator[Problem]:
    """The fewest sections that would have to move."""
    firsts: dict[str, Section] = {}
    for section in page.runbook.sections:
        if section.name:
            firsts.setdefault(section.name, section)
    order = [STANDARD_SECTIONS.index(name) for name in firsts]
    kept = _longest_rising(order)
    for position, section in zip(order, firsts.values(), strict=True):
        if position in kept:
            continue
        before = [STANDARD_SECTIONS[other] for other in sorted(kept) if other < position]
        where = f"after {before[-1]}" if before else "first"
        yield page.problem(
            codes.MISORDERED_SECTION,
            f"{_title(section)} is out of order: {section.name} comes {where}",
            section.line,
            hint="Every runbook in the same order is one thing less to search at night.",
        )


def _longest_rising(order: Sequence[int]) -> set[int]:
    best: list[list[int]] = []
    for position in order:
        before = [chain for chain in best if chain[-1] < position]
        best.append([*_longest(before), position])
    return set(_longest(best))


def _longest(chains: Sequence[list[int]]) -> list[int]:
    return sorted(chains, key=len)[-1] if chains else []


def _without_steps(page: Page, expected: Conventions) -> Iterator[Problem]:
    for name in expected.steps:
        section = page.runbook.section(name)
        if section and section.intro and not section.steps:
            yield page.problem(
                codes.NO_STEPS,
                f"{_title(section)} has no steps",
                section.line,
                hint="Number what is to be done (`1.`), or give each step a heading `###`: where "
                "a message has little room, the titles of the steps are what is left.",
            )
