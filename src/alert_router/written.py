"""Settings that are written in a certain way, with words for people who wrote another.

What the way is, and its words, are for whoever has the setting.
"""

import re

from pydantic import BeforeValidator


def written(pattern: str, expected: str) -> BeforeValidator:
    """Text, or a number, that matches the whole pattern. ValueError: "expected ..."."""
    compiled = re.compile(pattern)

    def check(value: object) -> object:
        if not isinstance(value, str | int) or not compiled.fullmatch(str(value)):
            raise ValueError(f"expected {expected}")
        return value

    return BeforeValidator(check)
