"""The SQL of the store, read once from the .sql files beside this module."""

import re
from importlib.resources import files

_NAME = re.compile(r"^-- name: (\w+)$", re.MULTILINE)


def _text(name: str) -> str:
    return files(__package__).joinpath(name).read_text(encoding="utf-8")


def _named(text: str) -> dict[str, str]:
    """The statements of a file by the names in the comments before them, comments left out."""
    _, *parts = _NAME.split(text)
    bodies = (re.sub(r"^--.*\n", "", body, flags=re.MULTILINE).strip() for body in parts[1::2])
    return dict(zip(parts[::2], bodies, strict=True))


_QUERIES = _named(_text("queries.sql"))

# One script for each version of the tables: the first makes them, each later one brings the
# tables of the version before it up to its own.
MIGRATIONS = (
    _text("schema.sql"),
    _text("schema-2.sql"),
    _text("schema-3.sql"),
    _text("schema-4.sql"),
    _text("schema-5.sql"),
)


def query(name: str) -> str:
    """The statement of that name in queries.sql. Raises KeyError, at import, for a wrong one."""
    return _QUERIES[name]
