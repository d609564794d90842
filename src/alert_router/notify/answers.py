"""What a destination's answer over HTTP means: the one place that judges.

Sending, and what becomes of an attempt without an answer, is `http`'s; deciding about retries is
`deliver`'s.
"""

import math
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from datetime import UTC
from email.utils import parsedate_to_datetime

from alert_router.notify.base import Delivered, Failed, Outcome, Reason, Remedy
from alert_router.notify.redact import clean

ANSWER_LIMIT = 64 * 1024  # bytes read of an answer
_RETRY_AFTER_CAP = 3600.0  # seconds
_SINCE_1970 = 1e9  # from here on a number of seconds is a moment (2001), not a wait
# What these say is true of every message: the credential, the address or the method is wrong.
_WRONG_DESTINATION = frozenset((401, 402, 403, 404, 405, 406, 407, 410, 415, 426, 451))


@dataclass(frozen=True, slots=True)
class Dialect:
    """What a destination says beyond HTTP.

    `agrees` tells what the body of a 2xx answer means: None if it agrees, a sentence against it,
    or the outcome itself. `wait` reads the seconds to wait from the body of a 429 whose headers
    say none. `wrong_destination` tells of a 400 that is true of every message. `refused`
    tells what a status other than 2xx means where the body says more than the status: the
    outcome, or None to go by the status.
    """

    agrees: Callable[[bytes], Outcome | str | None] | None = None
    wait: Callable[[bytes], float | None] | None = None
    wrong_destination: Callable[[bytes], bool] | None = None
    refused: Callable[[int, bytes], Outcome | None] | None = None


PLAIN = Dialect()


@dataclass(frozen=True, slots=True)
class Answer:
    """What came back: `whole` unless it broke off or took too long; a body beyond the limit
    counts as whole."""

    status: int
    headers: Mapping[str, str]
    body: bytes
    whole: bool


def agreed(answer: Answer, dialect: Dialect, hidden: list[str]) -> Outcome:
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
        return replace(_cleaned(verdict, hidden), retry_after=wait)
    message = f"HTTP {answer.status}, but: {clean(verdict, hidden)}"
    return Failed(Reason.BAD_ANSWER, message, in_doubt=True)


def judge(
    status: int,
    headers: Mapping[str, str],
    body: bytes,
    hidden: list[str],
    dialect: Dialect = PLAIN,
) -> Outcome:
    """What a status other than 2xx means; `hidden` is kept out of the message.

    408, 425, 429 and 5xx are tried again. Of those only 502 and 504 are in doubt: they come from
    a proxy that does not know what became of the request behind it, while whoever answers any
    other has decided.
    """
    told = dialect.refused(status, body) if dialect.refused else None
    if told is not None:
        return told if isinstance(told, Delivered) else _cleaned(told, hidden)
    # The end of a body that was cut may be half a secret, which would not be recognised.
    text = body if len(body) < ANSWER_LIMIT else body[:-4096]
    excerpt = clean(text.decode("utf-8", "replace"), hidden)
    message = f"HTTP {status}: {excerpt}" if excerpt else f"HTTP {status}"
    wait = retry_after(headers.get("Retry-After", ""), time.time())
    if status == 429:
        if wait is None:
            wait = _reset(headers, time.time())
        if wait is None and dialect.wait is not None:
            wait = _seconds(dialect.wait(body))
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


def _cleaned(failed: Failed, hidden: list[str]) -> Failed:
    return replace(failed, message=clean(failed.message, hidden))


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


def _reset(headers: Mapping[str, str], now: float) -> float | None:
    """Seconds until a limit ends by the headers that stand in for Retry-After. No standard says
    what X-RateLimit-Reset counts: seconds from now (Mattermost), or since 1970 (Discord)."""
    for name in ("X-RateLimit-Reset-After", "X-RateLimit-Reset"):
        try:
            asked = float(headers.get(name, ""))
        except ValueError:
            continue
        wait = _seconds(asked - now if asked >= _SINCE_1970 else asked)
        if wait is not None:
            return wait
    return None


def _seconds(asked: float | None) -> float | None:
    """Seconds that may be waited: none for what is no time ahead, at most an hour."""
    if asked is None or math.isnan(asked) or asked <= 0:
        return None
    return min(asked, _RETRY_AFTER_CAP)
