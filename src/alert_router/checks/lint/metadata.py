"""Metadata that is missing or says what it cannot mean, and reviews that are overdue.

Where metadata may stand and how it is read is `runbook.metadata`'s.
"""

import re
from collections.abc import Iterator
from datetime import date, timedelta

from alert_router.checks.lint import codes
from alert_router.checks.lint.conventions import Conventions, fields, value_of
from alert_router.checks.lint.page import Page
from alert_router.model.problem import Problem, did_you_mean
from alert_router.runbook.review_dates import parse_date, parse_interval

SEVERITY_WORDS = (
    *("critical", "warning", "info", "informational", "information", "none", "page", "pager"),
    *("high", "medium", "moderate", "low", "major", "minor", "error", "ticket", "notice"),
    *("emergency", "urgent", "blocker", "disaster", "average", "fatal", "debug", "varies"),
    *("normal", "severe", "all", "various", "variable"),
)
_LEVEL = re.compile(r"(?:p|s|sev|sev-|severity |priority |level |tier )?[0-5]", re.IGNORECASE)
_WORD = re.compile(r"(?:sev-?|severity |priority |level |tier )?\w+", re.IGNORECASE)
_NEVER = frozenset({"none", "never", "n/a", "-"})
_KEY = re.compile(r"""\s*(?:[-*+]\s+)?(?:\|\s*)?(?:\*\*|__)?["']?(?P<key>[A-Za-z][\w .-]*)""")
_FOLD = re.compile(r"[\W_]+")


def check(page: Page, expected: Conventions, today: date) -> Iterator[Problem]:
    """Everything about one runbook's metadata."""
    yield from _missing(page, expected)
    metadata = page.runbook.metadata
    for name, judge in (("category", _category), ("severity", _severity), ("tags", _tags)):
        if value := value_of(metadata, name):
            yield from judge(page, value)
    yield from _dates(page, today)


def _missing(page: Page, expected: Conventions) -> Iterator[Problem]:
    has_front_matter = page.source(1).rstrip() == "---"
    line = 1 if has_front_matter else page.title_line
    lacking = [name for name in expected.fields if not value_of(page.runbook.metadata, name)]
    if page.runbook.title and not has_front_matter and "title" in lacking:
        lacking.remove("title")  # the heading is the title
    if not lacking:
        return
    if not fields(page.runbook):
        yield page.problem(
            codes.NO_METADATA,
            f"the runbook says nothing about itself: {', '.join(lacking)}",
            line,
            hint="Put front matter first: `---`, a line `name: value` each, `---`.",
        )
        return
    noun = "field is" if len(lacking) == 1 else "fields are"
    yield page.problem(
        codes.MISSING_METADATA,
        f"metadata: {'this' if len(lacking) == 1 else 'these'} {noun} missing: "
        f"{', '.join(lacking)}",
        line,
        hint="Messages show the owner and the age; the index and the reviews need the rest.",
    )


def _bad(page: Page, name: str, message: str, hint: str = "") -> Problem:
    line, column = place_of(page, name)
    return page.problem(codes.BAD_METADATA, f"{name}: {message}", line, column, hint=hint)


def place_of(page: Page, name: str) -> tuple[int, int]:
    """Line and column of a field's name, in front matter, a bold line or a table."""
    end = page.runbook.sections[0].line if page.runbook.sections else len(page.lines)
    for number, line in enumerate(page.lines[: max(end, 1)], 1):
        for match in re.finditer(r"(?:^|\*\*|__|\|)" + _KEY.pattern, line):
            if _FOLD.sub("_", match["key"]).strip("_").lower() == name:
                return number, match.start("key") + 1
    return page.title_line, 0


def _category(page: Page, value: str) -> Iterator[Problem]:
    directories = page.runbook.id.split("/")[:-1]
    if directories and _FOLD.sub("", value).lower() not in {
        _FOLD.sub("", name).lower() for name in directories
    }:
        yield _bad(
            page,
            "category",
            f"`{value}` is not the directory that the runbook is in",
            f"Write `{directories[-1]}`, or move the file.",
        )


def _severity(page: Page, value: str) -> Iterator[Problem]:
    words = [match[0].strip().lower() for match in _WORD.finditer(value)]
    if any(word in SEVERITY_WORDS or _LEVEL.fullmatch(word) for word in words):
        return
    expected = "Write critical, warning or info, or a level such as P1."
    hint = did_you_mean(value, SEVERITY_WORDS, expected)
    yield _bad(page, "severity", f"`{value}` is no severity", hint)


def _tags(page: Page, value: str) -> Iterator[Problem]:
    seen: set[str] = set()
    for tag in (part.strip().lower() for part in value.split(",")):
        if tag in seen:
            yield _bad(page, "tags", f"`{tag}` is there twice", "Keep one of them.")
            return
        seen.add(tag)


def _dates(page: Page, today: date) -> Iterator[Problem]:
    written = value_of(page.runbook.metadata, "last_updated")
    updated = parse_date(written)
    if written and updated is None:
        yield _bad(page, "last_updated", f"`{written}` is no date", "Write it as 2026-01-31.")
    elif updated and updated > today:
        yield _bad(
            page,
            "last_updated",
            f"`{written}` is in the future",
            "Write the day of the last change.",
        )
    interval = value_of(page.runbook.metadata, "review_interval")
    days = parse_interval(interval) if interval else None
    if interval and days is None and interval.lower() not in _NEVER:
        hint = "Write it as 90d, 12w or 1y, or `none`."
        yield _bad(page, "review_interval", f"`{interval}` is no interval", hint)
    if updated and updated <= today and days and updated + timedelta(days) < today:
        line, column = place_of(page, "last_updated")
        due = updated + timedelta(days)
        yield page.problem(
            codes.REVIEW_OVERDUE,
            f"the review was due on {due}: last updated {updated}, to be reviewed every {interval}",
            line,
            column,
            hint="Go through it, mend what is no longer true, and set `last_updated`.",
        )
