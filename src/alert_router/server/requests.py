"""Requests: who may make one, how much of its body is read, the answers that refuse, and the log
lines about what others send."""

import asyncio
import base64
import binascii
import hmac
import time
from collections.abc import Callable
from contextlib import AbstractContextManager
from typing import Any
from urllib.parse import urlsplit

import structlog
from aiohttp import web

from alert_router.config.model import Auth
from alert_router.fields import Secret, SecretUnavailable

log = structlog.get_logger(__name__)

_BINARY = "application/octet-stream"  # also what aiohttp says where there is no type
_RETRY_AFTER = "5"  # seconds; Alertmanager has a back-off of its own, others may heed it
_BURST = 10  # lines of a kind
_REFILL = 10.0  # seconds until one more


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


class Busy(Exception):
    """Other bodies take the room there is. Trying again later helps."""


class Share(AbstractContextManager["Share"]):
    """What one request holds of the budget, until the end of the block."""

    def __init__(self, budget: "Budget") -> None:
        self._budget = budget
        self._held = 0

    def add(self, size: int) -> None:
        """Hold so many more bytes. Raises Busy."""
        if self._budget.free < size:
            raise Busy
        self._budget.free -= size
        self._held += size

    def __exit__(self, *_: object) -> None:
        self._budget.free += self._held


class Budget:
    """Bytes of bodies that may be in memory at a time, from their first byte until they are stored.

    Nobody waits for it: who waited while holding a part could keep others from finishing.
    """

    def __init__(self, size: int) -> None:
        self.free = self._size = size

    def held(self) -> int:
        """Bytes that are in memory now."""
        return self._size - self.free

    def share(self) -> Share:
        """A share, to be used in a `with` block."""
        return Share(self)


async def read_body(request: web.Request, max_body: int, seconds: float, share: Share) -> bytes:
    """The body. Raises HTTPRequestEntityTooLarge, TimeoutError, RequestPayloadError or Busy."""
    if request.content_length is not None and request.content_length > max_body:
        raise web.HTTPRequestEntityTooLarge(max_body, request.content_length)
    content = request.content
    if content.is_eof() and request.content_length is not None:  # it came with the head
        whole = content.read_nowait(-1)
        if len(whole) > max_body:  # it was compressed
            raise web.HTTPRequestEntityTooLarge(max_body, len(whole))
        share.add(len(whole))
        return whole
    chunks, size = [], 0
    async with asyncio.timeout(seconds):
        async for chunk in content.iter_any():
            size += len(chunk)
            if size > max_body:  # no length was given, or it was compressed
                raise web.HTTPRequestEntityTooLarge(max_body, size)
            share.add(len(chunk))
            chunks.append(chunk)
    return b"".join(chunks)


def refuse(status: int, why: str, *, close: bool = False) -> web.Response:
    """An answer with the reason; the connection is closed after it if `close`."""
    body = {"status": "refused", "error": why}
    answer = web.json_response(body, status=status)
    if close:
        answer.force_close()
    return answer


def unavailable(why: str, *, close: bool = False) -> web.Response:
    """503, for trouble of ours that may pass: Alertmanager tries that again."""
    answer = refuse(503, why, close=close)
    answer.headers["Retry-After"] = _RETRY_AFTER
    return answer


def harden(answer: web.StreamResponse) -> None:
    """No guessing of types, and no version of anything for whoever looks for holes."""
    answer.headers["X-Content-Type-Options"] = "nosniff"
    answer.headers["Server"] = "alert-router"


class QuietLog:
    """Passes on so many lines of an event, then one in a while with how many there were."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._left: dict[str, tuple[float, float, int]] = {}

    def warning(self, event: str, **fields: Any) -> None:
        """A line of that level. The event is one of few constant texts."""
        self._say(log.warning, event, fields)

    def error(self, event: str, **fields: Any) -> None:
        """A line of that level."""
        self._say(log.error, event, fields)

    def _say(self, write: Callable[..., object], event: str, fields: dict[str, Any]) -> None:
        now = self._clock()
        left, then, suppressed = self._left.get(event, (float(_BURST), now, 0))
        left = min(float(_BURST), left + (now - then) / _REFILL)
        if left < 1:
            self._left[event] = left, now, suppressed + 1
            return
        self._left[event] = left - 1, now, 0
        if suppressed:
            fields = fields | {"suppressed": suppressed}
        write(event, **fields)
