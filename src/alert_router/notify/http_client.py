"""Sending over HTTP: no redirect is followed, no answer is read beyond a limit, and no error holds
a URL or a secret."""

import asyncio
import errno
import ssl
from collections.abc import Mapping
from dataclasses import dataclass
from urllib.parse import urlsplit

import aiohttp
from aiohttp.abc import AbstractStreamWriter
from multidict import CIMultiDict

from alert_router import __version__
from alert_router.notify.base import Failed, Reason, misconfigured
from alert_router.notify.redact import clean
from alert_router.notify.responses import ANSWER_LIMIT, Answer
from alert_router.tracing import span

_CHUNK = 256 * 1024  # bytes of a body written at once
USER_AGENT = f"alert-router/{__version__}"


@dataclass(frozen=True, slots=True)
class Request:
    """What to send where. `proxy` is a URL, perhaps with user and password; `tls` and
    `server_name` are the destination's own; `timeout` is seconds for the whole attempt."""

    method: str
    url: str
    headers: Mapping[str, str]
    body: bytes
    timeout: float
    proxy: str | None = None
    tls: ssl.SSLContext | bool = True
    server_name: str | None = None


class _Body(aiohttp.Payload):
    """A request's body that knows whether any of it may have left. A server that has seen the
    headers only has no request yet, so until then nothing is in doubt."""

    _value: bytes

    def __init__(self, value: bytes) -> None:
        super().__init__(value)
        self._size = len(value)
        self.begun = False

    async def write(self, writer: AbstractStreamWriter) -> None:
        self.begun = True
        for start in range(0, max(len(self._value), 1), _CHUNK):
            await writer.write(self._value[start : start + _CHUNK])

    def decode(self, encoding: str = "utf-8", errors: str = "strict") -> str:
        return self._value.decode(encoding, errors)


async def send(
    session: aiohttp.ClientSession, request: Request, hidden: list[str]
) -> Answer | Failed:
    """The answer, or why there is none; `hidden` is kept out of its message. Never raises for
    anything the destination does."""
    body = _Body(request.body)
    try:
        host = urlsplit(request.url).hostname or ""
        attributes = {"http.request.method": request.method, "server.address": host}
        with span("send", "client", attributes=attributes) as sending:
            answer = await _exchange(session, request, body, sending.traceparent)
            sending.answered(answer.status)
            return answer
    except (aiohttp.ClientError, OSError, ValueError) as error:  # TimeoutError is an OSError
        return _failed(error, body.begun, request.timeout, hidden)


async def _exchange(
    session: aiohttp.ClientSession, request: Request, body: _Body, traceparent: str
) -> Answer:
    deadline = asyncio.get_running_loop().time() + request.timeout
    # An answer is short and its size is limited, so a compressed one is not asked for.
    headers = CIMultiDict({"User-Agent": USER_AGENT, "Accept-Encoding": "identity"})
    headers.update(request.headers)
    if traceparent:
        headers["traceparent"] = traceparent
    async with asyncio.timeout_at(deadline):
        answer = await session.request(
            request.method,
            request.url,
            data=body,
            headers=headers,
            allow_redirects=False,
            auto_decompress=False,
            proxy=request.proxy,
            ssl=request.tls,
            server_hostname=request.server_name,
            timeout=aiohttp.ClientTimeout(total=None),  # the deadline above is the only one
        )
    read, is_whole = bytearray(), True
    try:
        async with asyncio.timeout_at(deadline):
            while len(read) < ANSWER_LIMIT and not answer.content.at_eof():
                read += await answer.content.read(ANSWER_LIMIT - len(read))
    except (aiohttp.ClientError, OSError):
        is_whole = False  # the status is known and says more than what broke afterwards
    finally:
        if answer.content.at_eof():
            answer.release()
        else:
            answer.close()  # the rest is not read
    return Answer(answer.status, answer.headers, bytes(read), is_whole)


def _failed(error: Exception, begun: bool, timeout: float, hidden: list[str]) -> Failed:
    """An attempt without an answer. aiohttp's own texts hold the URL, so none of them is shown."""
    if isinstance(error, TimeoutError):
        what = "answer" if begun else "connection"
        return Failed(Reason.TIMEOUT, f"no {what} within {timeout:g} s", in_doubt=begun)
    if isinstance(error, aiohttp.ClientHttpProxyError):
        message = f"the proxy refused: HTTP {error.status}"
        return Failed(Reason.CONNECTION, message, in_doubt=begun)
    if isinstance(error, aiohttp.ClientConnectorError):
        if error.os_error.errno == errno.EACCES:
            return misconfigured(
                clean(error.os_error.strerror or "the address is forbidden", hidden)
            )
        why = clean(error.strerror or type(error).__name__, hidden)
        return Failed(Reason.CONNECTION, f"cannot connect: {why}", in_doubt=begun)
    if isinstance(error, aiohttp.InvalidURL | aiohttp.NonHttpUrlClientError):
        return misconfigured("invalid URL: it must start with http:// or https:// and name a host")
    if isinstance(error, ValueError) and not isinstance(error, OSError | aiohttp.ClientError):
        return misconfigured(
            "cannot send the URL or a header: it has a character that is not allowed, or the URL "
            "names a user beside other authentication"
        )
    message = f"the connection broke: {type(error).__name__}"
    return Failed(Reason.CONNECTION, message, in_doubt=begun)
