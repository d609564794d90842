"""Durations as people write them, in Prometheus' syntax; in the program they are seconds."""

import re
from typing import Annotated

from pydantic import BeforeValidator

# As Prometheus has them (prometheus/common, model/time.go): units in order, none twice.
_DURATION = re.compile(
    r"(?=\d)(?:(\d{1,9})y)?(?:(\d{1,9})w)?(?:(\d{1,9})d)?(?:(\d{1,9})h)?(?:(\d{1,9})m)?"
    r"(?:(\d{1,9})s)?(?:(\d{1,9})ms)?",
    re.ASCII,
)
_MILLISECONDS = (31_536_000_000, 604_800_000, 86_400_000, 3_600_000, 60_000, 1000, 1)
_LONGEST = 10 * _MILLISECONDS[0]


def parse_duration(text: str) -> float:
    """The seconds of a duration in Prometheus' syntax: `5m`, `1h30m`, `1d`, `0`. ValueError."""
    if text == "0":
        return 0.0
    if re.fullmatch(r"[0-9.]+", text):
        raise ValueError(f"a duration needs its unit: write {text}s, {text}m or {text}h")
    found = _DURATION.fullmatch(text)
    if not found:
        raise ValueError("expected a duration such as 30s, 5m, 1h30m or 7d")
    total = sum(int(n) * size for n, size in zip(found.groups("0"), _MILLISECONDS, strict=True))
    if total > _LONGEST:
        raise ValueError("a duration cannot be longer than 10 years")
    return total / 1000


def _seconds(value: object) -> float:
    if isinstance(value, int | float):
        return value
    if not isinstance(value, str):
        raise ValueError("expected a duration such as 30s, 5m, 1h30m or 7d")
    return parse_duration(value)


# Seconds; what comes from a file is text and must carry its unit.
Duration = Annotated[float, BeforeValidator(_seconds)]
