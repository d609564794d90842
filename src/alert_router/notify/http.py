"""Sending over HTTP, and the one place that judges what a destination answered.

No redirect is followed, no answer is read beyond a limit, and no error holds a URL or a secret.
Deciding about retries is `deliver`'s.
"""

import asyncio
import errno
import math
import ssl
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from datetime import UTC
from email.utils import parsedate_to_datetime

import aiohttp
from aiohttp.abc import AbstractStreamWriter
from multidict import CIMultiDict

from alert_router import __version__
from alert_router.notify.base import Delivered, Failed, Outcome, Reason, Remedy
from alert_router.notify.redact import clean
from alert_router.secret import Secret, SecretUnavailable

_ANSWER_LIMIT = 64 * 1024  # bytes read of an answer
_CHUNK = 256 * 1024  # bytes of a body written at once
_RETRY_AFTER_CAP = 3600.0  # seconds
# What these say is true of every message: the credential, the address or the method is wrong.
_WRONG_DESTINATION = frozenset((401, 402, 403, 404, 405, 406, 407, 410, 415, 426, 451))
USER_AGENT = f"alert-router/{__version__}"


@dataclass(frozen=True, slots=True)
class Dialect:
    """What a destination says beyond HTTP.

    `agrees` tells what the body of a 2xx answer means: None if it agrees, a sentence against it,
    or the outcome itself. `wait` reads the seconds to wait from the body of a refusal that has
    no Retry-After. `wrong_destination` tells of a 400 that is true of every message.
    """

    agrees: Callable[[bytes], Outcome | str | None] | None = None
    wait: Callable[[bytes], float | None] | None = None
    wrong_destination: Callable[[bytes], bool] | None = None


PLAIN = Dialect()


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


@dataclass(frozen=True, slots=True)
class _Answer:
    """What came back: `whole` unless it broke off or took too long; a body beyond the limit
    counts as whole."""

    status: int
    headers: Mapping[str, str]
    body: bytes
    whole: bool


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
    return _agreed(answer, dialect, hidden)


async def _exchange(
    session: aiohttp.ClientSession,
    method: str,
    target: str,
    data: _Body,
    headers: Mapping[str, str],
    limit: float,
    way: Way,
) -> _Answer:
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
            while len(text) < _ANSWER_LIMIT and not answer.content.at_eof():
                text += await answer.content.read(_ANSWER_LIMIT - len(text))
    except (aiohttp.ClientError, OSError):
        whole = False  # the status is known and says more than what broke afterwards
    finally:
        if answer.content.at_eof():
            answer.release()
        else:
            answer.close()  # the rest of it is nobody's business
    return _Answer(answer.status, answer.headers, bytes(text), whole)


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


def _agreed(answer: _Answer, dialect: Dialect, hidden: list[str]) -> Outcome:
    """A 2xx answer, if its body agrees. Where nobody asks the body, it may as well break off."""
    if dialect.agrees is None:
        return Delivered()
    if not answer.whole:
        message = f"HTTP {answer.status}, but its body broke off"
        return Failed(Reason.BAD_ANSWER, message, in_doubt=True)
    verdict = dialect.agrees(answer.body)
    if verdict is None:
        return Delivered()
    if isinstance(verdict, Delivered):
        return verdict
    if isinstance(verdict, Failed):
        wait = verdict.retry_after
        if verdict.remedy in (Remedy.RETRY, Remedy.HOLD) and wait is None:
            wait = retry_after(answer.headers.get("Retry-After", ""), time.time())
        return replace(verdict, message=clean(verdict.message, hidden), retry_after=wait)
    message = f"HTTP {answer.status}, but: {clean(verdict, hidden)}"
    return Failed(Reason.BAD_ANSWER, message, in_doubt=True)


def judge(
    status: int,
    headers: Mapping[str, str],
    body: bytes,
    hidden: list[str],
    dialect: Dialect = PLAIN,
) -> Failed:
    """What a status other than 2xx means; `hidden` is kept out of the message.

    408, 425, 429 and 5xx are tried again. Of those only 502 and 504 are in doubt: they come from
    a proxy that does not know what became of the request behind it, while whoever answers any
    other has decided.
    """
    # The end of a body that was cut may be half a secret, which would not be recognised.
    text = body if len(body) < _ANSWER_LIMIT else body[:-4096]
    excerpt = clean(text.decode("utf-8", "replace"), hidden)
    message = f"HTTP {status}: {excerpt}" if excerpt else f"HTTP {status}"
    wait = retry_after(headers.get("Retry-After", ""), time.time())
    if wait is None and dialect.wait is not None:
        wait = _seconds(dialect.wait(body))
    if status == 429:
        return Failed(Reason.RATE_LIMITED, message, retry_after=wait)
    if status in (408, 425) or status >= 500:
        doubt = status in (502, 504)
        return Failed(Reason.SERVER_ERROR, message, in_doubt=doubt, retry_after=wait)
    wrong = status == 400 and dialect.wrong_destination and dialect.wrong_destination(body)
    if status in _WRONG_DESTINATION or wrong:
        return Failed(Reason.MISCONFIGURED, message, Remedy.HOLD)
    if 300 <= status < 400:
        return Failed(Reason.REDIRECTED, f"{message} (not followed)", Remedy.HOLD)
    reason = Reason.TOO_LARGE if status == 413 else Reason.REJECTED
    return Failed(reason, message, Remedy.SMALLER)


def retry_after(value: str, now: float) -> float | None:
    """Seconds that a Retry-After header asks for, capped at an hour; None for what is no such
    thing. It is a number of seconds or an HTTP date (RFC 9110, 10.2.3)."""
    try:
        seconds = float(value)
    except ValueError:
        try:
            moment = parsedate_to_datetime(value)
        except (ValueError, TypeError, IndexError, OverflowError):
            return None
        if moment.tzinfo is None:
            moment = moment.replace(tzinfo=UTC)
        seconds = moment.timestamp() - now
    return _seconds(seconds)


def _seconds(asked: float | None) -> float | None:
    """Seconds that may be waited: none for what is no time ahead, at most an hour."""
    if asked is None or math.isnan(asked) or asked <= 0:
        return None
    return min(asked, _RETRY_AFTER_CAP)
