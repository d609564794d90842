"""PromQL fences that Prometheus cannot parse.

Placeholders are filled with something inert first: what a query would be once it is filled.
"""

import re
from collections.abc import Iterator
from functools import lru_cache

import promql_parser

from alert_router.checks.lint import codes
from alert_router.checks.lint.page import Page
from alert_router.model.problem import Problem

_LONGEST = 20_000
_DEEPEST = 200
_TOKEN = re.compile(
    r"""(?P<string>"(?:\\.|[^"\\\n])*"|'(?:\\.|[^'\\\n])*'|`[^`]*`)"""
    r"""|(?P<comment>\#[^\n]*)"""
    r"""|(?P<place>\{\{[^{}\n]{0,100}\}\}|\$\{\w+(?::\w+)?\}|\$\w+|\[\[\w+\]\]"""
    r"""|(?<![<=])<[A-Za-z][\w .-]{0,60}>)""",
    re.DOTALL,
)
# Before these a duration is wanted.
_DURATION = re.compile(r"(?:\[|\[[^\[\]]*:|\boffset)\s*-?\s*\Z", re.IGNORECASE)
_BETWEEN = re.compile(r"\n[ \t]*(?:#[^\n]*)?(?=\n)|\A#[^\n]*(?=\n)")
_SAYS_NOTHING = "invalid promql query"


def check(page: Page) -> Iterator[Problem]:
    """Everything about the PromQL fences of one runbook."""
    for code in page.parsable:
        if code.language != "promql" or len(code.text) > _LONGEST:
            continue
        for offset, why in wrong(code.text):
            line, column = page.in_code(code, offset)
            said = "" if why == _SAYS_NOTHING else f": {_quoted(why)}"
            yield page.problem(
                codes.PROMQL_SYNTAX,
                f"this is no PromQL{said}",
                line,
                column,
                hint="Try it in Prometheus, or call the fence `text` if it is no query.",
            )


@lru_cache(maxsize=4096)
def wrong(text: str) -> tuple[tuple[int, str], ...]:
    """The queries of a fence that do not parse: offset and reason. Several may stand in one, set
    apart by blank lines or comments, or each on a line of its own: they do if at least half of
    the parts are queries."""
    whole = _complaint(text)
    if whole is None:
        return ()
    for pieces in (_chunks(text), _lines(text)):
        judged = [(at, _complaint(piece)) for at, piece in pieces]
        bad = tuple((at, why) for at, why in judged if why is not None)
        if 2 * len(bad) <= len(judged):
            return bad
    return ((len(text) - len(text.lstrip()), whole),)


def _chunks(text: str) -> Iterator[tuple[int, str]]:
    at = 0
    for match in _BETWEEN.finditer(text):
        yield from _piece(at, text[at : match.start()])
        at = match.end()
    yield from _piece(at, text[at:])


def _lines(text: str) -> Iterator[tuple[int, str]]:
    at = 0
    for line in text.split("\n"):
        yield from _piece(at, line)
        at += len(line) + 1


def _piece(at: int, text: str) -> Iterator[tuple[int, str]]:
    if text.strip() and not text.strip().startswith("#"):
        yield at + len(text) - len(text.lstrip()), text.strip()


def _complaint(text: str) -> str | None:
    """Why a query does not parse, None if it does or cannot be judged."""
    if not re.sub(r"#[^\n]*", "", text).strip() or _too_deep(text):
        return None
    reasons = []
    for word, first in (("x", "x"), ("1", "1"), ("x", "1")):
        filled = _fill(text, word, first)
        try:
            promql_parser.parse(filled)
        except ValueError as error:
            reasons.append(str(error))
        except BaseException as error:
            if type(error).__name__ != "PanicException":  # the parser's own failure proves nothing
                raise
            return None
        else:
            return None
        if filled == text:
            break
    return reasons[0]


def _fill(text: str, word: str, first: str) -> str:
    """The query with a word for each placeholder, another for the first argument of a call."""

    def filled(match: re.Match[str]) -> str:
        if match.lastgroup == "string":
            return match[0]
        if match.lastgroup == "comment":
            return ""
        if _DURATION.search(text, max(0, match.start() - 40), match.start()):
            return "5m"
        return first if text[: match.start()].rstrip().endswith("(") else word

    return _TOKEN.sub(filled, text)


def _too_deep(text: str) -> bool:
    return text.count("(") + text.count("-") + text.count("+") > _DEEPEST


def _quoted(why: str) -> str:
    """The parser's reason on one line, without what may be a value of the runbook's."""
    return " ".join(why.split())[:200].replace("'", "`")
