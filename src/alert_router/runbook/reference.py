"""From what an alert says about its runbook to runbooks' ids.

An annotation is a URL or a path that somebody else's tools made; which of several candidates
is meant, if any, is not guessed here.
"""

import re
from collections.abc import Iterable
from urllib.parse import unquote, urlsplit

LONGEST = 2_000  # characters of a reference or an alert's name; longer ones name no runbook

_EXTENSION = re.compile(r"\.(?:md|mdx|markdown|html?|adoc|rst|txt)$", re.IGNORECASE)
_NOT_ALPHANUMERIC = re.compile(r"[\W_]+")


def segments(reference: str) -> list[str]:
    """The segments of a reference's path, without fragment, query, slashes and extension."""
    if len(reference) > LONGEST:
        return []
    try:
        path = urlsplit(reference.strip()).path
    except ValueError:  # such as `http://[`
        return []
    parts = [part for part in unquote(path).split("/") if part not in ("", ".", "..")]
    if parts:
        parts[-1] = _EXTENSION.sub("", parts[-1])
    return parts


def folded(name: str) -> str:
    """A name without case and punctuation: `KubePodCrash-Looping` is `kubepodcrashlooping`.
    Empty if it is too long to be one."""
    if len(name) > LONGEST:
        return ""
    return _NOT_ALPHANUMERIC.sub("", name).casefold()


def index(ids: Iterable[str]) -> dict[str, tuple[str, ...]]:
    """Ids by the folded last segment, in order."""
    out: dict[str, tuple[str, ...]] = {}
    for id in sorted(ids):
        key = folded(id.rpartition("/")[2])
        if key:
            out[key] = (*out.get(key, ()), id)
    return out
