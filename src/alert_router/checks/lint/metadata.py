"""Metadata that is missing or invalid, and overdue reviews."""

import re
from collections.abc import Iterator
from datetime import date, timedelta

from alert_router.checks.lint.conventions import Conventions, fields, value_of
from alert_router.checks.lint.source import RunbookSource
from alert_router.model.problem import Problem, did_you_mean
from alert_router.model.severity import STANDARD
from alert_router.runbook.metadata import parse_date, parse_interval

# Words for several severities at once.
_SEVERAL = ("varies", "all", "various", "variable")
_SEVERITY_WORDS = (*(v for grade in STANDARD.grades for v in sorted(grade.values)), *_SEVERAL)
_LEVEL = re.compile(r"(?:p|s|sev|sev-|severity |priority |level |tier )?[0-5]", re.IGNORECASE)
_WORD = re.compile(r"(?:sev-?|severity |priority |level |tier )?\w+", re.IGNORECASE)
_NEVER = frozenset({"none", "never", "n/a", "-"})
_KEY = re.compile(
    r"""(?:^|\*\*|__|\|)\s*(?:[-*+]\s+)?(?:\|\s*)?(?:\*\*|__)?["']?(?P<key>[A-Za-z][\w .-]*)"""
)
_NOT_A_WORD = re.compile(r"[\W_]+")


def check(source: RunbookSource, expected: Conventions, today: date) -> Iterator[Problem]:
    """Everything about one runbook's metadata."""
    yield from _missing(source, expected)
    metadata = source.runbook.metadata
    for name, check_value in (("category", _category), ("severity", _severity), ("tags", _tags)):
        if value := value_of(metadata, name):
            yield from check_value(source, value)
    yield from _dates(source, today)


def _missing(source: RunbookSource, expected: Conventions) -> Iterator[Problem]:
    has_front_matter = source.line_text(1).rstrip() == "---"
    line = 1 if has_front_matter else source.title_line
    missing = [name for name in expected.fields if not value_of(source.runbook.metadata, name)]
    if source.runbook.title and not has_front_matter and "title" in missing:
        missing.remove("title")  # the heading is the title
    if not missing:
        return
    listed = ", ".join(missing)
    if fields(source.runbook):
        hint = "Notifications show the owner and the age; the index and reviews use the others."
        yield source.problem(
            "runbook-missing-metadata", f"missing metadata: {listed}", line, hint=hint
        )
    else:
        hint = "Start the file with front matter: `---`, lines of `name: value`, `---`."
        yield source.problem(
            "runbook-no-metadata", f"no metadata; expected: {listed}", line, hint=hint
        )


def _bad(source: RunbookSource, name: str, message: str, hint: str) -> Problem:
    line, column = _place_of(source, name)
    return source.problem("runbook-bad-metadata", f"{name}: {message}", line, column, hint=hint)


def _place_of(source: RunbookSource, name: str) -> tuple[int, int]:
    """The line and column of a field's name, in front matter, a bold line or a table."""
    end = source.runbook.sections[0].line if source.runbook.sections else len(source.lines)
    for number, line in enumerate(source.lines[: max(end, 1)], 1):
        for match in _KEY.finditer(line):
            if _NOT_A_WORD.sub("_", match["key"]).strip("_").lower() == name:
                return number, match.start("key") + 1
    return source.title_line, 0


def _category(source: RunbookSource, value: str) -> Iterator[Problem]:
    directories = source.runbook.id.split("/")[:-1]
    names = {_NOT_A_WORD.sub("", name).lower() for name in directories}
    if directories and _NOT_A_WORD.sub("", value).lower() not in names:
        message = f"`{value}` is not the directory of the runbook"
        hint = f"Write `{directories[-1]}`, or move the file."
        yield _bad(source, "category", message, hint)


def _severity(source: RunbookSource, value: str) -> Iterator[Problem]:
    words = [match[0].strip().lower() for match in _WORD.finditer(value)]
    if any(word in _SEVERITY_WORDS or _LEVEL.fullmatch(word) for word in words):
        return
    expected = "Write critical, warning or info, or a level such as P1."
    hint = did_you_mean(value, _SEVERITY_WORDS, expected)
    yield _bad(source, "severity", f"`{value}` is not a severity", hint)


def _tags(source: RunbookSource, value: str) -> Iterator[Problem]:
    seen: set[str] = set()
    for tag in (part.strip().lower() for part in value.split(",")):
        if tag in seen:
            yield _bad(source, "tags", f"duplicate tag `{tag}`", "Keep one of them.")
            return
        seen.add(tag)


def _dates(source: RunbookSource, today: date) -> Iterator[Problem]:
    written = value_of(source.runbook.metadata, "last_updated")
    updated = parse_date(written)
    if written and updated is None:
        hint = "Write it as 2026-01-31."
        yield _bad(source, "last_updated", f"`{written}` is not a date", hint)
    elif updated and updated > today:
        hint = "Write the date of the last change."
        yield _bad(source, "last_updated", f"`{written}` is in the future", hint)
    interval = value_of(source.runbook.metadata, "review_interval")
    days = parse_interval(interval) if interval else None
    if interval and days is None and interval.lower() not in _NEVER:
        hint = "Write it as 90d, 12w or 1y, or `none`."
        yield _bad(source, "review_interval", f"`{interval}` is not an interval", hint)
    if updated and updated <= today and days and updated + timedelta(days) < today:
        due = updated + timedelta(days)
        message = f"review was due on {due}: last updated {updated}, review interval {interval}"
        hint = "Review the runbook, fix what is outdated, and set `last_updated`."
        line, column = _place_of(source, "last_updated")
        yield source.problem("runbook-review-overdue", message, line, column, hint=hint)
