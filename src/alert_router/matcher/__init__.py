"""Alertmanager's matchers: parse, print, match.

Both its grammars, in its default mode: UTF-8 first, classic where that fails, and classic where
both accept and disagree (prometheus/alertmanager, matcher/compat). Which matchers belong
together, and what follows from a match, is `route`'s.
"""

from alert_router.matcher.classic import parse_classic
from alert_router.matcher.model import Matcher, MatcherError, Op, anchored, compile_regex
from alert_router.matcher.utf8 import parse_utf8

__all__ = [
    "Matcher",
    "MatcherError",
    "Op",
    "anchored",
    "compile_regex",
    "parse_classic",
    "parse_matcher",
    "parse_matchers",
    "parse_utf8",
]


def parse_matchers(text: str) -> tuple[Matcher, ...]:
    """The matchers in a text such as `severity="critical", team=~"a|b"` or the same in braces.

    Raises MatcherError with the place of what is wrong; where neither grammar accepts the text,
    with what the UTF-8 grammar has to say, since that one tells places.
    """
    try:
        modern = parse_utf8(text)
    except MatcherError as error:
        try:
            return parse_classic(text)
        except MatcherError:
            raise error from None
    try:
        classic = parse_classic(text)
    except MatcherError:
        return modern
    return modern if modern == classic else classic


def parse_matcher(text: str) -> Matcher:
    """The one matcher in a text, without braces. Raises MatcherError."""
    for place in (0, len(text) - 1):
        if text and text[place] in "{}":
            raise MatcherError("unexpected open or close brace", place)
    matchers = parse_matchers(text)
    if len(matchers) != 1:
        raise MatcherError(f"expected 1 matcher, found {len(matchers)}")
    return matchers[0]
