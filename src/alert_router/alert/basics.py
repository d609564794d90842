"""What alerts are made of: status, times, the fingerprint of labels, and the payload's error."""

from collections.abc import Mapping
from datetime import UTC, datetime
from enum import StrEnum

Labels = Mapping[str, str]

_FNV_OFFSET = 14695981039346656037
_FNV_PRIME = 1099511628211
_MASK = 2**64 - 1


class PayloadError(ValueError):
    """A body that is no alert group. `expected` and `found` are sentences for its sender."""

    def __init__(self, expected: str, found: str) -> None:
        self.expected = expected
        self.found = found
        super().__init__(f"expected {expected}; found {found}")


class Status(StrEnum):
    """Of an alert, and of a group: a group fires while any of its alerts does."""

    FIRING = "firing"
    RESOLVED = "resolved"


def fingerprint(labels: Labels) -> str:
    """The 16 hex digits by which Prometheus and Alertmanager know a label set.

    FNV-1a over the sorted names and values, each ended by 0xFF
    (prometheus/common, model/fingerprinting.go).
    """
    total = _FNV_OFFSET
    for name in sorted(labels):
        for part in (name, labels[name]):
            for byte in (*part.encode("utf-8", "replace"), 255):
                total = ((total ^ byte) * _FNV_PRIME) & _MASK
    return f"{total:016x}"


def parse_time(text: str) -> datetime | None:
    """An RFC 3339 time, UTC; None for Alertmanager's zero time, 1970, or what is no time."""
    try:
        moment = datetime.fromisoformat(text)
        if moment.tzinfo is None:
            moment = moment.replace(tzinfo=UTC)
        moment = moment.astimezone(UTC)
    except (ValueError, OverflowError):  # a year-0001 time with an offset overflows
        return None
    return moment if moment.year > 1970 else None
