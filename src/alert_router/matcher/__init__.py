"""Alertmanager's matchers: parse, print, match.

Both its grammars, in its default mode: UTF-8 first, classic where that fails, and classic where
both accept and disagree (prometheus/alertmanager, matcher/compat).
"""

from collections.abc import Callable
from typing import TypeVar

from alert_router.matcher.classic import parse_classic, parse_classic_one
from alert_router.matcher.model import (
    Matcher,
    MatcherError,
    Op,
    Part,
    RegexError,
    anchored,
    encodable,
    options,
)
from alert_router.matcher.utf8 import parse_utf8

__all__ = [
    "Matcher",
    "MatcherError",
    "Op",
    "Part",
    "RegexError",
    "anchored",
    "encodable",
    "options",
    "parse_classic",
    "parse_matcher",
    "parse_matchers",
    "parse_utf8",
]

T = TypeVar("T")


def parse_matchers(text: str) -> tuple[Matcher, ...]:
    """The matchers in a text such as `severity="critical", team=~"a|b"`, braces optional.

    Raises MatcherError with the place of the fault.
    """
    return _agreed(text, parse_utf8, parse_classic)


def parse_matcher(text: str) -> Matcher:
    """The one matcher in a text, without braces. Raises MatcherError.

    As in Alertmanager, a text that is not one matcher in the UTF-8 grammar may be one in the
    classic grammar, where commas are part of the value.
    """
    if text.startswith("{"):
        raise MatcherError("unexpected open brace", 0, 1)
    if text.endswith("}"):
        raise MatcherError("unexpected close brace", len(text) - 1, len(text))
    return _agreed(text, _one_utf8, parse_classic_one)


def _one_utf8(text: str) -> Matcher:
    matchers = parse_utf8(text)
    if len(matchers) != 1:
        raise MatcherError(f"expected 1 matcher, found {len(matchers)}", 0, len(text))
    return matchers[0]


def _agreed(text: str, modern: Callable[[str], T], classic: Callable[[str], T]) -> T:
    """The result of the two grammars together."""
    try:
        found = modern(text)
    except MatcherError as error:
        try:
            return classic(text)
        except RegexError as why:
            # The classic grammar reached the expression, so that is the fault.
            raise (error if isinstance(error, RegexError) else why) from None
        except MatcherError:
            raise error from None  # it has the exact place
    try:
        return classic(text)  # the same, or it wins
    except MatcherError:
        return found
