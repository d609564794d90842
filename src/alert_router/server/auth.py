"""Who may use an endpoint: credentials, and no pages of other sites."""

import base64
import binascii
import hmac
from urllib.parse import urlsplit

import structlog
from aiohttp import web

from alert_router.config.model import Auth
from alert_router.fields import Secret, SecretUnavailable
from alert_router.server.errors import unavailable

log = structlog.get_logger(__name__)


def refusal(request: web.Request, auth: Auth | None, *endpoints: str) -> web.Response | None:
    """The answer to who may not use an endpoint by any of these names: 401. None to who may.

    A secret of ours that cannot be read lets nobody in, so that an intake that was to be guarded
    is never open by accident; but that is trouble of ours, and the answer 503, which
    Alertmanager tries again where it drops what a 401 was said to.
    """
    if auth is None or auth.protect.isdisjoint(endpoints):
        return None
    try:
        if _is_allowed(request, auth):
            return None
    except SecretUnavailable as error:
        log.error("the intake's credential cannot be read; nobody is let in", error=str(error))
        return unavailable("the credentials to compare with cannot be read")
    scheme = "Bearer" if auth.bearer_token is not None else 'Basic realm="alert-router"'
    return web.json_response(
        {"status": "unauthorized"}, status=401, headers={"WWW-Authenticate": scheme}
    )


def _is_allowed(request: web.Request, auth: Auth) -> bool:
    scheme, _, value = request.headers.get("Authorization", "").partition(" ")
    if auth.bearer_token is not None:
        return scheme.lower() == "bearer" and _equals(value.strip(), auth.bearer_token)
    if auth.password is None:
        return False
    username, password = basic_credentials(request)
    known = hmac.compare_digest(username.encode(), auth.username.encode())
    return _equals(password, auth.password) and known


def basic_credentials(request: web.Request) -> tuple[str, str]:
    """The user name and the password that a request has, unchecked; empty without any."""
    scheme, _, value = request.headers.get("Authorization", "").partition(" ")
    try:
        decoded = base64.b64decode(value.strip(), validate=True).decode("utf-8")
    except (binascii.Error, UnicodeDecodeError):
        return "", ""
    username, colon, password = decoded.partition(":")
    return (username, password) if scheme.lower() == "basic" and colon else ("", "")


def _equals(given: str, secret: Secret) -> bool:
    # Headers and the environment are bytes that may be no text: compared as they came.
    return hmac.compare_digest(
        given.encode("utf-8", "surrogateescape"), secret.read().encode("utf-8", "surrogateescape")
    )


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
