"""The SQL of the operations, read from .sql files in which each statement has a name.

A statement is written so that every database runs it; where one cannot, its driver has a statement
of the same name.
"""

import re
from importlib.resources import files

_NAME = re.compile(r"^-- name: (\w+)$", re.MULTILINE)


def text_of(package: str, name: str) -> str:
    """The text of a file in a package."""
    return files(package).joinpath(name).read_text(encoding="utf-8")


def statements(package: str, name: str) -> dict[str, str]:
    """The statements of a file by the names in the comments before them, without comments and
    without the semicolons at their ends."""
    _, *parts = _NAME.split(text_of(package, name))
    bodies = (re.sub(r"--.*$", "", body, flags=re.MULTILINE).strip() for body in parts[1::2])
    return dict(zip(parts[::2], (body.removesuffix(";") for body in bodies), strict=True))


SHARED = statements(__package__, "statements.sql")
