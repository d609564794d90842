"""URLs of links: placeholders filled in path and query, percent-encoded; relative ones resolved.

So a value cannot set the host or scheme, nor add a parameter or path segment.
"""

import re
from collections.abc import Set
from urllib.parse import quote, urljoin, urlsplit, urlunsplit

from alert_router.enrich.labels import AlertLabels
from alert_router.enrich.placeholder import LONGEST, PLACEHOLDER, is_kept, lookup_name, name_of

# Scheme and host, path, query, fragment (RFC 3986, appendix B), where a scheme has a host.
_URL = re.compile(
    r"(?P<origin>(?:[A-Za-z][A-Za-z0-9+.-]*:)?//[^/?#]*)?(?P<path>[^?#]*)(?P<query>\?[^#]*)?",
    re.DOTALL,
)
_RELATIVE = re.compile(r"(?![A-Za-z][A-Za-z0-9+.-]*:|//)[^\[\]]")  # urlsplit rejects brackets
_OPAQUE = re.compile(r"[^/?#]*:")  # a scheme without a host, such as mailto


def fill_url(url: str, labels: AlertLabels, own: Set[str] = frozenset()) -> str:
    """The URL for an alert. Placeholders that cannot be filled stay as written, and so do `own`,
    the runbook's variables."""
    match = _URL.match(url) if PLACEHOLDER.search(url) else None
    if match is None or (match["origin"] is None and _OPAQUE.match(url)):
        return url
    return (
        (match["origin"] or "")
        + _fill(match["path"], labels, own, path=True)
        + _fill(match["query"] or "", labels, own, path=False)
        + url[match.end() :]
    )


def from_page(url: str, page: str) -> str:
    """A relative URL resolved against the runbook's page; others stay unchanged. A link to a
    Markdown file becomes a link to that runbook's page."""
    parts = urlsplit(url) if page and _RELATIVE.match(url) else None
    if parts is None:
        return url
    path = parts.path.removesuffix(".md")
    return urljoin(page, urlunsplit(("", "", path, parts.query, parts.fragment)))


def _fill(text: str, labels: AlertLabels, own: Set[str], *, path: bool) -> str:
    def value_of(placeholder: re.Match[str]) -> str:
        name = lookup_name(name_of(placeholder), placeholder[0])
        value = None if is_kept(placeholder, own) else labels.get(name)
        if value is None or len(value) > LONGEST:
            return placeholder[0]
        if path and not value.strip("."):
            return placeholder[0]  # an empty segment or dots would lead elsewhere
        try:
            return quote(value, safe="")
        except UnicodeEncodeError:  # a lone surrogate
            return placeholder[0]

    return PLACEHOLDER.sub(value_of, text)
