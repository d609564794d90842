"""Regular expressions that are only literals and prefixes joined by `|`, such as `redis|kafka.*`:
they can be compared, and looked up in an index, without a regular expression engine.
"""

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass

# Characters that mean themselves wherever they stand, or any punctuation behind a backslash.
_PART = re.compile(r"(?P<literal>(?:[^\\.+*?()\[\]{}|^$]|\\[!-/:-@\[-`{-~])*)(?P<tail>(?:\.[*+])?)")
_GROUP = re.compile(r"\((?:\?:)?(?P<inner>[^()]*)\)(?P<tail>(?:\.[*+])?)")
_ESCAPED = re.compile(r"\\(.)")
_MOST = 1000


@dataclass(frozen=True, slots=True)
class Part:
    """A value that matches, or, with a tail of `.*` or `.+`, what values that match begin with."""

    text: str
    tail: str = ""


def parts(pattern: str) -> tuple[Part, ...]:
    """Parts of which a value must meet one to match; nothing if the expression is more."""
    grouped = _GROUP.fullmatch(pattern)
    inner, common = (grouped["inner"], grouped["tail"]) if grouped else (pattern, "")
    found: dict[Part, None] = {}
    for text in inner.split("|", _MOST):
        part = _PART.fullmatch(text)
        if part is None or (part["tail"] and common):
            return ()
        literal = _ESCAPED.sub(r"\1", part["literal"])
        tail = part["tail"] or common
        if tail and not literal:
            return ()  # begins with anything: there is nothing to look up
        found[Part(literal, tail)] = None
    return tuple(found) if len(found) <= _MOST else ()


def test_of(found: Sequence[Part]) -> Callable[[str], bool]:
    """Whether a value meets one of the parts."""
    exact = frozenset(part.text for part in found if not part.tail)
    begin = [(part.text, len(part.text) + (part.tail == ".+")) for part in found if part.tail]

    def test(value: str) -> bool:
        if value in exact:
            return True
        for text, least in begin:  # what a dot stands for is no line break
            if value.startswith(text) and len(value) >= least and "\n" not in value[len(text) :]:
                return True
        return False

    return test if begin else exact.__contains__
