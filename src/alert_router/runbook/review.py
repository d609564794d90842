"""When a runbook was last gone through, and when it is due again, from its metadata.

Whether an overdue review is a problem is for the lint.
"""

import re
from collections.abc import Mapping
from datetime import date, timedelta

from alert_router.fields import parse_duration

_DATE = re.compile(r"(\d{4})[-/](\d{1,2})[-/](\d{1,2})(?!\d)")
_ADVERBS = {
    "daily": 1,
    "weekly": 7,
    "biweekly": 14,
    "monthly": 30,
    "quarterly": 90,
    "biannually": 182,
    "semiannually": 182,
    "yearly": 365,
    "annually": 365,
    "annual": 365,
}
_COUNTED = re.compile(r"(?:every )?(\d{1,4})[ -]?(day|week|month|year)s?", re.IGNORECASE)
_DAYS = {"day": 1, "week": 7, "month": 30, "year": 365}
_MOST_DAYS = 36_500


def parse_date(text: str) -> date | None:
    """The date that a text begins with, as 2026-01-31 or 2026/1/31; None if it does not."""
    match = _DATE.match(text.strip())
    try:
        return date(*map(int, match.groups())) if match else None
    except ValueError:
        return None


def parse_interval(text: str) -> int | None:
    """The whole days of an interval: `90d`, `90 days`, `quarterly`; None for what is none."""
    text = text.strip().lower()
    if text in _ADVERBS:
        return _ADVERBS[text]
    if match := _COUNTED.fullmatch(text):
        return min(int(match[1]) * _DAYS[match[2]], _MOST_DAYS)
    try:
        return min(int(parse_duration(text) // 86_400), _MOST_DAYS)
    except ValueError:
        return None


def next_review(metadata: Mapping[str, str]) -> date | None:
    """When the runbook is due: `last_updated` and `review_interval` later; None where one of
    them is missing or says nothing."""
    updated = parse_date(metadata.get("last_updated", ""))
    days = parse_interval(metadata.get("review_interval", ""))
    if updated is None or not days:
        return None
    try:
        return updated + timedelta(days)
    except OverflowError:
        return None
