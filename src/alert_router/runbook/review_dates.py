"""When a runbook was last reviewed, and when its next review is due, from its metadata."""

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
    """The date at the start of a text, as 2026-01-31 or 2026/1/31, or None."""
    match = _DATE.match(text.strip())
    try:
        return date(*map(int, match.groups())) if match else None
    except ValueError:
        return None


def parse_interval(text: str) -> int | None:
    """An interval in whole days: `90d`, `90 days`, `quarterly`; None if it is not valid."""
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
    """`last_updated` plus `review_interval`; None if one of them is missing or not valid."""
    updated = parse_date(metadata.get("last_updated", ""))
    days = parse_interval(metadata.get("review_interval", ""))
    if updated is None or not days:
        return None
    try:
        return updated + timedelta(days)
    except OverflowError:
        return None
