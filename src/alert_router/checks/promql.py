"""Parses PromQL with promql-parser, within bounds that keep its recursion safe."""

import re
from typing import Any

import promql_parser

_QUOTED_OR_COMMENT = re.compile(
    r""""(?:[^"\\]|\\.)*"|'(?:[^'\\]|\\.)*'|`[^`]*`|\#[^\n]*""", re.DOTALL
)
_NESTING = re.compile(r"[(\[{+*/%^<>=!-]|\b(?:and|or|unless|atan2)\b", re.IGNORECASE)
# Each operator or bracket may nest the tree by one level. The parser is recursive and ends the
# process when its stack overflows, at about 5,000 levels.
_MAX_NESTING = 1_000


class PromqlError(ValueError):
    """The text is not valid PromQL; the message says why."""


class PromqlTooComplex(PromqlError):
    """The text may be valid, but the parser cannot take it."""


def parse_promql(text: str) -> Any:
    """The expression's tree, of promql_parser's classes. Raises PromqlError."""
    if len(_NESTING.findall(_QUOTED_OR_COMMENT.sub("", text))) > _MAX_NESTING:
        raise PromqlTooComplex(f"it has more than {_MAX_NESTING:,} operators and brackets")
    try:
        return promql_parser.parse(text)
    except ValueError as error:
        raise PromqlError(str(error)) from None
    except BaseException as error:
        if type(error).__name__ != "PanicException":  # a Rust panic is not an Exception
            raise
        raise PromqlTooComplex("the parser failed on it") from None
