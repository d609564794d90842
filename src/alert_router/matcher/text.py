"""What both grammars ask of a text: which characters are space, and that it is Unicode."""

import re

from alert_router.matcher.model import MatcherError

# What Go's unicode.IsSpace holds; Python's isspace also counts U+001C to U+001F.
SPACE = frozenset("\t\n\v\f\r \x85\xa0\u1680\u2028\u2029\u202f\u205f\u3000") | frozenset(
    map(chr, range(0x2000, 0x200B))
)
_SURROGATE = re.compile("[\ud800-\udfff]")


def check_unicode(text: str) -> None:
    """Raise MatcherError if the text has a lone surrogate: it came from bytes not UTF-8."""
    if found := _SURROGATE.search(text):
        raise MatcherError("this is not valid UTF-8", found.start(), found.end())
