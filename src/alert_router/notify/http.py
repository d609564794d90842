"""Sending over HTTP, and the one place that judges what a destination answered.

No redirect is followed, no answer is read beyond a limit, and no error holds a URL or a secret.
Deciding about retries is `deliver`'s.
"""

import asyncio
import math
import time
from collections.abc import Callable, Mapping
from datetime import UTC
from email.utils import parsedate_to_datetime

import aiohttp

from alert_router import __version__
from alert_router.notify.base import Delivered, Failed, Outcome, Reason, Remedy
from alert_router.secret import Secret, SecretUnavailable

_ANSWER_LIMIT = 64 * 1024  # bytes read of an answer
_EXCERPT = 200  # characters of it shown
_RETRY_AFTER_CAP = 3600.0  # seconds
USER_AGENT = f"alert-router/{__version__}"

# What a body says against a 2xx status; None if it agrees.
Check = Callable[[bytes], str | None]


async def post(
    session: aiohttp.ClientSession,
    url: Secret,
    body: bytes,
    *,
    headers: Mapping[str, str],
    limit: float,
    check: Check | None = None,
    secrets: tuple[Secret, ...] = (),
) -> Outcome:
    """POST the body to the URL and judge the answer. Never raises for what happens there.

    `limit` is seconds for the whole attempt; `secrets` are further ones to keep out of errors.
    """
    try:
        target = url.read()
        hidden = (target, *(secret.read() for secret in secrets))
    except SecretUnavailable as error:
        return Failed(Reason.MISCONFIGURED, str(error), Remedy.HOLD)
    try:
        async with asyncio.timeout(limit):
            return await _exchange(session, target, body, headers, check, hidden)
    except TimeoutError:
        return Failed(Reason.TIMEOUT, f"no answer within {limit:g} s", in_doubt=True)
    except aiohttp.InvalidURL:
        return Failed(Reason.MISCONFIGURED, "the URL is none", Remedy.HOLD)
    except aiohttp.ClientConnectorError as error:  # nothing has been sent
        why = type(error.os_error).__name__
        return Failed(Reason.CONNECTION, f"cannot connect: {error.os_error.strerror or why}")
    except (aiohttp.ClientError, OSError) as error:
        # aiohttp's texts hold the URL, which is a secret: only the kind of error is told.
        return Failed(
            Reason.CONNECTION, f"the connection broke: {type(error).__name__}", in_doubt=True
        )
    except ValueError as error:  # a header or URL that cannot be sent
        return Failed(Reason.MISCONFIGURED, f"cannot be sent: {type(error).__name__}", Remedy.HOLD)


async def _exchange(
    session: aiohttp.ClientSession,
    target: str,
    body: bytes,
    headers: Mapping[str, str],
    check: Check | None,
    hidden: tuple[str, ...],
) -> Outcome:
    async with session.post(
        target,
        data=body,
        headers={"User-Agent": USER_AGENT, **headers},
        allow_redirects=False,
    ) as answer:
        text = await answer.content.read(_ANSWER_LIMIT)
        while len(text) < _ANSWER_LIMIT and not answer.content.at_eof():
            text += await answer.content.read(_ANSWER_LIMIT - len(text))
        if not answer.content.at_eof():
            answer.close()  # the rest of it is nobody's business
        if 200 <= answer.status < 300:
            objection = check(text) if check else None
            if objection is None:
                return Delivered()
            return Failed(Reason.BAD_ANSWER, clean(objection, hidden), in_doubt=True)
        return judge(answer.status, answer.headers, text, hidden)


def judge(
    status: int, headers: Mapping[str, str], text: bytes, hidden: tuple[str, ...] = ()
) -> Failed:
    """What a status other than 2xx means.

    408, 425, 429 and 5xx are tried again. Of those only 502 and 504 are in doubt: they come from
    a proxy that does not know what became of the request behind it.
    """
    excerpt = clean(text.decode("utf-8", "replace"), hidden)
    message = f"HTTP {status}: {excerpt}" if excerpt else f"HTTP {status}"
    wait = retry_after(headers.get("Retry-After", ""), time.time())
    if status == 429:
        return Failed(Reason.RATE_LIMITED, message, retry_after=wait)
    if status in (408, 425) or status >= 500:
        doubt = status in (502, 504)
        return Failed(Reason.SERVER_ERROR, message, in_doubt=doubt, retry_after=wait)
    if status in (401, 403, 404, 410):
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
    if math.isnan(seconds) or seconds <= 0:
        return None
    return min(seconds, _RETRY_AFTER_CAP)


def clean(text: str, hidden: tuple[str, ...] = ()) -> str:
    """A destination's words for a message: one short line, printable, without secrets."""
    for secret in hidden:
        for part in (secret, secret.rpartition("://")[2]):
            if len(part) > 3:
                text = text.replace(part, "***")
    line = " ".join("".join(c if c.isprintable() else " " for c in text).split())
    return line if len(line) <= _EXCERPT else line[: _EXCERPT - 1] + "…"
