"""PromQL code blocks that Prometheus cannot parse, with placeholders filled by plain values."""

import re
from collections.abc import Iterator
from functools import lru_cache

from alert_router.checks.lint.source import RunbookSource
from alert_router.checks.promql import PromqlError, PromqlTooComplex, parse_promql
from alert_router.model.problem import Problem

_MAX_LENGTH = 20_000
_TOKEN = re.compile(
    r"""(?P<string>"(?:\\.|[^"\\\n])*"|'(?:\\.|[^'\\\n])*'|`[^`]*`)"""
    r"""|(?P<comment>\#[^\n]*)"""
    r"""|(?P<placeholder>\{\{[^{}\n]{0,100}\}\}|\$\{\w+(?::\w+)?\}|\$\w+|\[\[\w+\]\]"""
    r"""|(?<![<=])<[A-Za-z][\w .-]{0,60}>)""",
    re.DOTALL,
)
_BEFORE_DURATION = re.compile(r"(?:\[|\[[^\[\]]*:|\boffset)\s*-?\s*\Z", re.IGNORECASE)
_SEPARATOR = re.compile(r"\n[ \t]*(?:#[^\n]*)?(?=\n)|\A#[^\n]*(?=\n)")
_LINE = re.compile(r"\n")
_UNSPECIFIC = "invalid promql query"


def check(source: RunbookSource) -> Iterator[Problem]:
    """Everything about the PromQL of one runbook."""
    for code in source.parsable_codes:
        if code.language != "promql" or len(code.text) > _MAX_LENGTH:
            continue
        for offset, error in invalid_queries(code.text):
            # On one line, and without quotes that would end the message's own.
            reason = " ".join(error.split())[:200].replace("'", "`")
            yield source.problem(
                "runbook-promql-syntax",
                "invalid PromQL" + ("" if error == _UNSPECIFIC else f": {reason}"),
                *source.in_code(code, offset),
                hint="Try it in Prometheus, or label the code block `text` if it is not a query.",
            )


@lru_cache(maxsize=4096)
def invalid_queries(text: str) -> tuple[tuple[int, str], ...]:
    """The offset and the error of each query in a block that does not parse. A block may have
    several queries, separated by blank lines or comments, or one a line: it does if at least half
    of the parts are queries."""
    whole = _error(text)
    if whole is None:
        return ()
    for separator in (_SEPARATOR, _LINE):
        errors = [(at, _error(part)) for at, part in _split(text, separator)]
        invalid = tuple((at, error) for at, error in errors if error is not None)
        if 2 * len(invalid) <= len(errors):
            return invalid
    return ((len(text) - len(text.lstrip()), whole),)


def _split(text: str, separator: re.Pattern[str]) -> Iterator[tuple[int, str]]:
    """The parts that are not blank or a comment, with their offsets."""
    start = 0
    ends = [(match.start(), match.end()) for match in separator.finditer(text)]
    for end, following in [*ends, (len(text), 0)]:
        part = text[start:end]
        if part.strip() and not part.strip().startswith("#"):
            yield start + len(part) - len(part.lstrip()), part.strip()
        start = following


def _error(text: str) -> str | None:
    """Why a query does not parse; None if it does or nothing can be said."""
    if not re.sub(r"#[^\n]*", "", text).strip():
        return None
    errors = []
    for word, first in (("x", "x"), ("1", "1"), ("x", "1")):
        filled = _fill(text, word, first)
        try:
            parse_promql(filled)
        except PromqlTooComplex:
            return None
        except PromqlError as error:
            errors.append(str(error))
        else:
            return None
        if filled == text:
            break
    return errors[0]


def _fill(text: str, word: str, first: str) -> str:
    """The query with a word for each placeholder, another for the first argument of a call."""

    def filled(match: re.Match[str]) -> str:
        if match.lastgroup == "string":
            return match[0]
        if match.lastgroup == "comment":
            return ""
        if _BEFORE_DURATION.search(text, max(0, match.start() - 40), match.start()):
            return "5m"
        return first if text[: match.start()].rstrip().endswith("(") else word

    return _TOKEN.sub(filled, text)
