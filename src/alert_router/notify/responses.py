"""What a destination's answer over HTTP means: the one place that judges."""

import math
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC
from email.utils import parsedate_to_datetime
from typing import Any

from pydantic_core import from_json

from alert_router.notify.base import Delivered, Failed, Outcome, Reason, Remedy, misconfigured
from alert_router.notify.redact import clean

ANSWER_LIMIT = 64 * 1024  # bytes read of an answer
_RETRY_AFTER_CAP = 3600.0  # seconds
_SINCE_1970 = 1e9  # from here on a number of seconds is a moment (2001), not a wait
# True of every message: the credential, the address or the method is wrong.
_WRONG_DESTINATION = frozenset((401, 402, 403, 404, 405, 406, 407, 410, 415, 426, 451))


@dataclass(frozen=True, slots=True)
class Answer:
    """What came back. `is_whole` is false where it broke off or took too long; a body beyond the
    limit counts as whole. Status 0 is no answer."""

    status: int = 0
    headers: Mapping[str, str] = field(default_factory=dict)
    body: bytes = b""
    is_whole: bool = True

    @property
    def text(self) -> str:
        """The body as text."""
        return self.body.decode("utf-8", "replace")

    @property
    def data(self) -> dict[str, Any]:
        """The JSON object in the body; empty for anything else."""
        try:
            data = from_json(self.body)
        except ValueError:
            return {}
        return data if isinstance(data, dict) else {}


@dataclass(frozen=True, slots=True)
class AnswerRules:
    """What a destination answers beyond HTTP.

    `confirms` says whether a 2xx answer confirms the delivery, or returns the outcome itself.
    `refused` returns the outcome of another status, or None to go by the status.
    `is_misconfigured` says whether a 400 is true of every message. `wait` returns the seconds to
    wait after a 429 whose headers do not say.
    """

    confirms: Callable[[Answer], Outcome | bool] | None = None
    refused: Callable[[Answer], Outcome | None] | None = None
    is_misconfigured: Callable[[Answer], bool] | None = None
    wait: Callable[[Answer], float | None] | None = None


def judge(answer: Answer, rules: AnswerRules, hidden: list[str]) -> Outcome:
    """The outcome of a request that was answered. `hidden` is kept out of its message."""
    if 200 <= answer.status < 300:
        return _confirmed(answer, rules, hidden)
    outcome = rules.refused(answer) if rules.refused else None
    if outcome is not None:
        return outcome if isinstance(outcome, Delivered) else _cleaned(outcome, hidden)
    return _by_status(answer, rules, hidden)


def _confirmed(answer: Answer, rules: AnswerRules, hidden: list[str]) -> Outcome:
    if rules.confirms is None:  # the body does not matter, so it may break off too
        return Delivered()
    if not answer.is_whole:
        message = f"HTTP {answer.status}, but its body broke off"
        return Failed(Reason.BAD_ANSWER, message, in_doubt=True)
    verdict = rules.confirms(answer)
    if verdict is True:
        return Delivered()
    if verdict is False:
        message = f"HTTP {answer.status}, but: {clean(answer.text or 'empty answer', hidden)}"
        return Failed(Reason.BAD_ANSWER, message, in_doubt=True)
    if isinstance(verdict, Delivered):
        return verdict
    wait = verdict.retry_after
    if wait is None and verdict.remedy in (Remedy.RETRY, Remedy.HOLD):
        wait = _retry_after(answer.headers)
    return replace(_cleaned(verdict, hidden), retry_after=wait)


def _by_status(answer: Answer, rules: AnswerRules, hidden: list[str]) -> Failed:
    """408, 425, 429 and 5xx are retried. Of those only 502 and 504 are in doubt: they come from a
    proxy that does not know what happened to the request behind it; any other sender decided."""
    status = answer.status
    # The end of a body that was cut may be half a secret, which would not be recognised.
    is_cut = len(answer.body) >= ANSWER_LIMIT
    excerpt = clean(
        replace(answer, body=answer.body[:-4096]).text if is_cut else answer.text, hidden
    )
    message = f"HTTP {status}: {excerpt}" if excerpt else f"HTTP {status}"
    wait = _retry_after(answer.headers)
    if status == 429:
        if wait is None:
            wait = _rate_limit_reset(answer.headers)
        if wait is None and rules.wait is not None:
            wait = _capped(rules.wait(answer))
        return Failed(Reason.RATE_LIMITED, message, retry_after=wait)
    if status in (408, 425) or status >= 500:
        doubt = status in (502, 504)
        return Failed(Reason.SERVER_ERROR, message, in_doubt=doubt, retry_after=wait)
    is_wrong = status == 400 and rules.is_misconfigured and rules.is_misconfigured(answer)
    if status in _WRONG_DESTINATION or is_wrong:
        return misconfigured(message)
    if 300 <= status < 400:
        return Failed(Reason.REDIRECTED, f"{message} (not followed)", Remedy.HOLD)
    reason = Reason.TOO_LARGE if status == 413 else Reason.REJECTED
    return Failed(reason, message, Remedy.SMALLER)


def _cleaned(failed: Failed, hidden: list[str]) -> Failed:
    return replace(failed, message=clean(failed.message, hidden))


def _retry_after(headers: Mapping[str, str]) -> float | None:
    """Seconds of the Retry-After header: a number of seconds or an HTTP date (RFC 9110, 10.2.3)."""
    value = headers.get("Retry-After", "")
    try:
        return _capped(float(value))
    except ValueError:
        pass
    try:
        moment = parsedate_to_datetime(value)
    except (ValueError, TypeError, IndexError, OverflowError):
        return None
    if moment.tzinfo is None:
        moment = moment.replace(tzinfo=UTC)
    return _capped(moment.timestamp() - time.time())


def _rate_limit_reset(headers: Mapping[str, str]) -> float | None:
    """Seconds until a limit ends, by the headers used instead of Retry-After. No standard says
    what X-RateLimit-Reset counts: seconds from now (Mattermost), or since 1970 (Discord)."""
    for name in ("X-RateLimit-Reset-After", "X-RateLimit-Reset"):
        try:
            seconds = float(headers.get(name, ""))
        except ValueError:
            continue
        wait = _capped(seconds - time.time() if seconds >= _SINCE_1970 else seconds)
        if wait is not None:
            return wait
    return None


def _capped(seconds: float | None) -> float | None:
    """Seconds to wait, an hour at most; None for no time ahead."""
    if seconds is None or math.isnan(seconds) or seconds <= 0:
        return None
    return min(seconds, _RETRY_AFTER_CAP)
