"""Sending over HTTP: no redirect is followed, no answer is read beyond a limit, and no error holds
a URL or a secret. What an answer means is `answers`'; deciding about retries is `deliver`'s.
"""

import asyncio
import errno
import ssl
from collections.abc import Mapping
from dataclasses import dataclass

import aiohttp
from aiohttp.abc import AbstractStreamWriter
from multidict import CIMultiDict

from alert_router import __version__
from alert_router.fields import Secret, SecretUnavailable
from alert_router.notify.answers import ANSWER_LIMIT, PLAIN, Answer, Dialect, agreed, judge
from alert_router.notify.base import Failed, Outcome, Reason, Remedy
from alert_router.notify.redact import clean

_CHUNK = 256 * 1024  # bytes of a body written at once
USER_AGENT = f"alert-router/{__version__}"


@dataclass(frozen=True, slots=True)
class Way:
    """How a destination is reached: through a proxy (a URL, perhaps with user and password), and
    with a TLS context and name of its own."""

    proxy: str | None = None
    tls: ssl.SSLContext | bool = True
    server_name: str | None = None


DIRECT = Way()


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


async def post(
    session: aiohttp.ClientSession,
    url: Secret,
    body: bytes,
    *,
    headers: Mapping[str, str],
    limit: float,
    dialect: Dialect = PLAIN,
    way: Way = DIRECT,
    secrets: tuple[Secret, ...] = (),
    method: str = "POST",
) -> Outcome:
    """POST the body to the URL and judge the answer. Never raises for what happens there.

    `limit` is seconds for the whole attempt; `secrets` are further ones to keep out of errors.
    """
    try:
        target = url.read()
        hidden = [target, *(secret.read() for secret in secrets)]
    except SecretUnavailable as error:
        return Failed(Reason.MISCONFIGURED, str(error), Remedy.HOLD)
    hidden += headers.get("Authorization", "").split()[1:]
    data = _Body(body)
    try:
        answer = await _exchange(session, method, target, data, headers, limit, way)
    except (aiohttp.ClientError, OSError, ValueError) as error:  # TimeoutError is an OSError
        return _broken(error, data.begun, limit, hidden)
    if not 200 <= answer.status < 300:
        return judge(answer.status, answer.headers, answer.body, hidden, dialect)
    return agreed(answer, dialect, hidden)


async def _exchange(
    session: aiohttp.ClientSession,
    method: str,
    target: str,
    data: _Body,
    headers: Mapping[str, str],
    limit: float,
    way: Way,
) -> Answer:
    """The answer. Raises what aiohttp raises where there is none."""
    deadline = asyncio.get_running_loop().time() + limit
    async with asyncio.timeout_at(deadline):
        answer = await session.request(
            method,
            target,
            data=data,
            headers=_with_ours(headers),
            allow_redirects=False,
            auto_decompress=False,
            proxy=way.proxy,
            ssl=way.tls,
            server_hostname=way.server_name,
            timeout=aiohttp.ClientTimeout(total=None),  # the deadline above is the only one
        )
    text, whole = bytearray(), True
    try:
        async with asyncio.timeout_at(deadline):
            while len(text) < ANSWER_LIMIT and not answer.content.at_eof():
                text += await answer.content.read(ANSWER_LIMIT - len(text))
    except (aiohttp.ClientError, OSError):
        whole = False  # the status is known and says more than what broke afterwards
    finally:
        if answer.content.at_eof():
            answer.release()
        else:
            answer.close()  # the rest of it is nobody's business
    return Answer(answer.status, answer.headers, bytes(text), whole)


def _with_ours(headers: Mapping[str, str]) -> CIMultiDict[str]:
    """The headers, and ours where they have none of that name in whatever case."""
    # An answer is short and its size is limited, so a compressed one is not asked for.
    whole = CIMultiDict({"User-Agent": USER_AGENT, "Accept-Encoding": "identity"})
    whole.update(headers)
    return whole


def _broken(error: Exception, begun: bool, limit: float, hidden: list[str]) -> Failed:
    """An attempt without an answer. aiohttp's texts hold the URL, so none of them is told."""
    if isinstance(error, TimeoutError):
        message = f"no answer within {limit:g} s" if begun else f"no connection within {limit:g} s"
        return Failed(Reason.TIMEOUT, message, in_doubt=begun)
    if isinstance(error, aiohttp.ClientHttpProxyError):
        message = f"the proxy refused: HTTP {error.status}"
        return Failed(Reason.CONNECTION, message, in_doubt=begun)
    if isinstance(error, aiohttp.ClientConnectorError) and error.os_error.errno == errno.EACCES:
        message = clean(error.os_error.strerror or "the address is forbidden", hidden)
        return Failed(Reason.MISCONFIGURED, message, Remedy.HOLD, in_doubt=begun)
    if isinstance(error, aiohttp.ClientConnectorError):
        why = clean(error.strerror or type(error).__name__, hidden)
        return Failed(Reason.CONNECTION, f"cannot connect: {why}", in_doubt=begun)
    if isinstance(error, aiohttp.InvalidURL | aiohttp.NonHttpUrlClientError):
        message = "the URL is none: it must begin with http:// or https:// and name a host"
        return Failed(Reason.MISCONFIGURED, message, Remedy.HOLD)
    if isinstance(error, ValueError) and not isinstance(error, OSError | aiohttp.ClientError):
        message = (
            "the URL or a header cannot be sent: it holds a character that it must not, or the URL "
            "names a user beside other authentication"
        )
        return Failed(Reason.MISCONFIGURED, message, Remedy.HOLD, in_doubt=begun)
    message = f"the connection broke: {type(error).__name__}"
    return Failed(Reason.CONNECTION, message, in_doubt=begun)
