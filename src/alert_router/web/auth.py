"""Who may post: bearer or basic authentication, compared in constant time.

Secrets are read at each request, so that rotating a file needs nothing else.
"""

import base64
import binascii
import hmac

import structlog
from aiohttp import web

from alert_router.secret import Secret, SecretUnavailable
from alert_router.web.site import Credentials

log = structlog.get_logger(__name__)


def is_allowed(request: web.Request, credentials: Credentials) -> bool:
    """Whether the request carries what is asked for. A secret that cannot be read lets nobody
    in: an intake that was to be guarded is never open by accident."""
    if credentials.bearer is None and credentials.password is None:
        return True
    scheme, _, value = request.headers.get("Authorization", "").partition(" ")
    if credentials.bearer is not None:
        return scheme.lower() == "bearer" and _equals(value.strip(), credentials.bearer)
    if scheme.lower() != "basic" or credentials.password is None:
        return False
    try:
        decoded = base64.b64decode(value.strip(), validate=True).decode("utf-8")
    except (binascii.Error, UnicodeDecodeError):
        return False
    username, _, password = decoded.partition(":")
    known = hmac.compare_digest(username.encode(), credentials.username.encode())
    return _equals(password, credentials.password) and known


def unauthorized(credentials: Credentials) -> web.Response:
    """The answer to who is not allowed."""
    scheme = "Bearer" if credentials.bearer is not None else 'Basic realm="alert-router"'
    return web.json_response(
        {"status": "unauthorized"}, status=401, headers={"WWW-Authenticate": scheme}
    )


def _equals(given: str, secret: Secret) -> bool:
    try:
        expected = secret.read()
    except SecretUnavailable as error:
        log.error("the intake's credential cannot be read; nobody is let in", error=str(error))
        return False
    return hmac.compare_digest(given.encode("utf-8", "replace"), expected.encode())
