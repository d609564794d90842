"""Which requests a page of another site can make a browser send, and which are refused for it.

A form, or a script without leave, sends only the content types of forms, plain text or none.
"""

from urllib.parse import urlsplit

from aiohttp import web

_BINARY = "application/octet-stream"  # also what aiohttp says where there is no type


def from_other_site(request: web.Request, external_url: str) -> str | None:
    """Why a request is refused that a page of another site sent; None for all others. Only
    browsers send these headers."""
    if request.headers.get("Sec-Fetch-Site", "") in ("cross-site", "same-site"):
        return "the request comes from a page of another site"
    given = request.headers.get("Origin")
    if given is None:
        return None
    try:
        host = urlsplit(given).netloc
    except ValueError:
        host = ""
    if host and host in (request.headers.get("Host", ""), urlsplit(external_url).netloc):
        return None
    return "the request comes from a page of another site"


def not_json(request: web.Request) -> str | None:
    """Why a body of that type is refused; None for JSON and for what names no type."""
    kind = request.content_type.lower()
    if kind in ("application/json", _BINARY) or kind.endswith("+json"):
        return None
    return (
        "the body must be JSON, with `Content-Type: application/json` "
        "(curl: -H 'Content-Type: application/json')"
    )
