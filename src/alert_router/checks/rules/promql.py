"""PromQL as a tree, by promql-parser; a text that is none, or too deep for it, is an error.

What labels an expression yields is `yields`.
"""

import re
from typing import Any

import promql_parser

# Strings and comments, in which an operator is none.
_QUOTED = re.compile(
    r""""(?:[^"\\]|\\.)*"|'(?:[^'\\]|\\.)*'|`[^`]*`|\#[^\n]*""",
    re.DOTALL,
)
_NESTING = re.compile(r"[(\[{+*/%^<>=!-]|\b(?:and|or|unless|atan2)\b", re.IGNORECASE)
# Each of them may nest the tree by one level. The parser is recursive and ends the process where
# its stack does, at some 5,000 levels.
_MOST = 1_000


class PromqlError(ValueError):
    """A text that is no PromQL; the message says why."""


def parse_promql(text: str) -> Any:
    """The expression's tree, of promql_parser's classes. Raises PromqlError."""
    if len(_NESTING.findall(_QUOTED.sub("", text))) > _MOST:
        raise PromqlError(f"it has more than {_MOST:,} operators and brackets")
    try:
        return promql_parser.parse(text)
    except ValueError as error:
        raise PromqlError(str(error)) from None
