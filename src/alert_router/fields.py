"""How settings are written: durations, text of a given form, and secrets.

A secret never appears in any text, and is read from its file or variable only when it is used.
"""

import os
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

from pydantic import BeforeValidator

# As Prometheus has them (prometheus/common, model/time.go): units in order, each at most once.
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


def written(pattern: str, expected: str) -> BeforeValidator:
    """Text, or a number, that matches the whole pattern. ValueError: "expected ..."."""
    compiled = re.compile(pattern)

    def check(value: object) -> object:
        if not isinstance(value, str | int) or not compiled.fullmatch(str(value)):
            raise ValueError(f"expected {expected}")
        return value

    return BeforeValidator(check)


class SecretUnavailable(Exception):
    """The secret cannot be had now; the message names the file or variable, never a value."""


@dataclass(frozen=True, slots=True, repr=False)
class Secret:
    """A reference to a secret: a file (read at each use, so that a rotated secret is picked up),
    an environment variable, or a plain value. Exactly one of the three is set."""

    file: Path | None = None
    env: str | None = None
    plain: str | None = None

    def read(self) -> str:
        """The value, without surrounding white space. Raises SecretUnavailable."""
        if self.file is not None:
            return self._from_file(self.file)
        if self.env is not None:
            value = os.environ.get(self.env, "").strip()
            if not value:
                raise SecretUnavailable(f"environment variable {self.env} is not set or empty")
            return value
        assert self.plain is not None
        return self.plain

    @staticmethod
    def _from_file(path: Path) -> str:
        try:
            value = path.read_text(encoding="utf-8").strip()
        except OSError as error:
            raise SecretUnavailable(f"cannot read {path}: {error.strerror}") from error
        except UnicodeDecodeError:
            raise SecretUnavailable(f"{path} is not UTF-8 text") from None
        if not value:
            raise SecretUnavailable(f"{path} is empty")
        return value

    def __repr__(self) -> str:
        if self.file is not None:
            return f"Secret(file={self.file})"
        if self.env is not None:
            return f"Secret(env={self.env})"
        return "Secret(plain)"

    __str__ = __repr__
