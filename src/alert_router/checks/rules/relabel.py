"""`label_replace` and `label_join` on labels of which not all is known."""

import re

import re2

from alert_router.checks.rules.carried import ABSENT, UNKNOWN, Carried, Values, either, joined, one
from alert_router.matcher import anchored, encodable, options

_GROUP = re.compile(r"\$(?:\{(?P<braced>[0-9])\}|(?P<bare>[0-9]))")
_MEMORY = 8 << 20


def replaced_label(
    labels: Carried,
    target: str | None,
    replacement: str | None,
    source: str | None,
    pattern: str | None,
) -> Carried:
    """The labels after `label_replace`; an argument that is no literal is None."""
    if target is None:
        return UNKNOWN
    if replacement is None or source is None or pattern is None:
        return labels.having({target: None})
    before = labels.of(target)
    values = labels.of(source) if source else ABSENT
    if values is None:
        untouched = either(before, one(replacement))
        return labels.having({target: untouched if "$" not in replacement else None})
    found = [_replaced(before, replacement, value, pattern) for value in values]
    return labels.having({target: either(*found)})


def _replaced(before: Values, replacement: str, value: str, pattern: str) -> Values:
    """The target where the source has this value."""
    try:
        match = re2.compile(anchored(pattern), options(_MEMORY)).match(encodable(value))
    except re2.error:
        return None
    if match is None:
        # A dot takes line feeds in Prometheus 3 and does not in 2.
        return before if "\n" not in value else None
    if "$" not in replacement:
        return one(replacement)
    whole = _GROUP.fullmatch(replacement)
    if whole is None:
        return None
    number = int(whole["braced"] or whole["bare"])
    return one((match.group(number) or "") if number <= match.re.groups else "")


def joined_label(
    labels: Carried, target: str | None, separator: str | None, *sources: str | None
) -> Carried:
    """The labels after `label_join`; an argument that is no literal is None."""
    if target is None:
        return UNKNOWN
    if separator is None or None in sources:
        return labels.having({target: None})
    parts = [labels.of(source) for source in sources if source is not None]
    return labels.having({target: joined(separator, parts)})
