"""Regular expressions that are only literals joined by `|`: they can be looked up in an index."""

import re

# Characters that mean themselves wherever they stand, or any punctuation behind a backslash.
_LITERAL = re.compile(r"(?:[^\\.+*?()\[\]{}|^$]|\\[!-/:-@\[-`{-~])*")
_GROUP = re.compile(r"\((?:\?:)?(?P<inner>[^()]*)\)")
_ESCAPED = re.compile(r"\\(.)")
_MOST = 1000


def literals(pattern: str) -> tuple[str, ...] | None:
    """The values the expression matches, if they are a few literals; None if it is more."""
    grouped = _GROUP.fullmatch(pattern)
    parts = (grouped["inner"] if grouped else pattern).split("|")
    if len(parts) > _MOST or not all(_LITERAL.fullmatch(part) for part in parts):
        return None
    return tuple(dict.fromkeys(_ESCAPED.sub(r"\1", part) for part in parts))
