"""Regular expressions that are only literals and prefixes joined by `|`, such as `redis|kafka.*`:
they can be looked up instead of run.
"""

import re
from dataclasses import dataclass

# Characters that mean themselves wherever they stand, or any punctuation behind a backslash.
_PART = re.compile(r"(?P<literal>(?:[^\\.+*?()\[\]{}|^$]|\\[!-/:-@\[-`{-~])*)(?P<open>(?:\.[*+])?)")
_GROUP = re.compile(r"\((?:\?:)?(?P<inner>[^()]*)\)(?P<open>(?:\.[*+])?)")
_ESCAPED = re.compile(r"\\(.)")
_MOST = 1000


@dataclass(frozen=True, slots=True)
class Part:
    """A value that matches, or, where it is open, what values that match begin with."""

    text: str
    is_open: bool


def parts(pattern: str) -> tuple[Part, ...] | None:
    """Parts of which every value that matches meets one; None if the expression is more.

    An open part may be met by values that do not match, such as ones with a line break.
    """
    grouped = _GROUP.fullmatch(pattern)
    inner, is_open = (grouped["inner"], bool(grouped["open"])) if grouped else (pattern, False)
    found: dict[Part, None] = {}
    for text in inner.split("|", _MOST):
        part = _PART.fullmatch(text)
        if part is None:
            return None
        literal = _ESCAPED.sub(r"\1", part["literal"])
        open_here = is_open or bool(part["open"])
        if open_here and not literal:
            return None  # begins with anything: there is nothing to look up
        found[Part(literal, open_here)] = None
    return tuple(found) if len(found) <= _MOST else None
