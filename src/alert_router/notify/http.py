"""What every notifier over HTTP has: its keys, how it sends, and what an answer means.

No redirect is followed, no answer is read beyond a limit, and no error holds a URL or a secret.
Answers are judged here and nowhere else.
"""

import asyncio
import base64
import errno
import math
import re
import ssl
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from datetime import UTC
from email.utils import parsedate_to_datetime
from functools import lru_cache
from pathlib import Path
from typing import Annotated, Any, ClassVar, Self
from urllib.parse import urlencode, urlsplit

import aiohttp
from aiohttp.abc import AbstractStreamWriter
from multidict import CIMultiDict
from pydantic import AfterValidator, BaseModel, ConfigDict, Field, model_validator
from pydantic_core import from_json, to_json

from alert_router import __version__
from alert_router.fields import RelativePath, Secret, SecretField, SecretUnavailable
from alert_router.notify.base import (
    Delivered,
    Failed,
    Notifier,
    Outcome,
    Reason,
    Remedy,
    Sending,
    misconfigured,
)
from alert_router.redaction import clean
from alert_router.tracing import span

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


_TOKEN = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")  # RFC 9110, 5.6.2
_RESERVED = frozenset(("connection", "content-length", "content-type", "host", "transfer-encoding"))


def _header_name(name: str) -> str:
    if not _TOKEN.fullmatch(name):
        raise ValueError("expected the name of a header: letters, digits and dashes")
    if name.lower() in _RESERVED or name.lower().startswith("webhook-"):
        raise ValueError("this header is set by the router itself")
    return name


HeaderName = Annotated[str, AfterValidator(_header_name)]


class Tls(BaseModel):
    """How a destination and the router prove themselves; the keys are Alertmanager's."""

    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True)

    ca_file: RelativePath | None = None
    """Certificates of the authorities that are trusted; the system's if not set."""
    cert_file: RelativePath | None = None
    """The certificate that the router presents."""
    key_file: RelativePath | None = None
    """Its key."""
    server_name: str | None = None
    """The name that the server's certificate must have."""
    insecure_skip_verify: bool = False
    """Whether any certificate is accepted."""

    @model_validator(mode="after")
    def _key_with_certificate(self) -> Self:
        if self.key_file and not self.cert_file:
            raise ValueError("`key_file` goes with a `cert_file`")
        return self

    def context(self) -> ssl.SSLContext:
        """The context, made again when one of its files changes. Raises SecretUnavailable where
        one cannot be read."""
        files = (self.ca_file, self.cert_file, self.key_file)
        return _context(files, tuple(map(_stamp, files)), not self.insecure_skip_verify)

    def unusable(self) -> list[str]:
        """Messages about files that cannot be read or used now; empty if there are none."""
        if self == _DEFAULT_TLS:
            return []
        try:
            self.context()
        except SecretUnavailable as error:
            return [str(error)]
        return []


def _stamp(path: Path | None) -> tuple[int, int] | None:
    if path is None:
        return None
    try:
        status = path.stat()
    except OSError as error:
        raise SecretUnavailable(f"cannot read {path}: {error.strerror}") from None
    return status.st_mtime_ns, status.st_size


@lru_cache(maxsize=64)
def _context(
    files: tuple[Path | None, Path | None, Path | None], stamps: object, verify: bool
) -> ssl.SSLContext:
    authority, certificate, key = files
    reading = authority
    try:
        context = ssl.create_default_context(cafile=authority)
        if not verify:
            context.check_hostname = False
            context.verify_mode = ssl.CERT_NONE
        if certificate is not None:
            reading = certificate
            context.load_cert_chain(certificate, key)
    except (OSError, ssl.SSLError) as error:
        reason = getattr(error, "strerror", None) or type(error).__name__
        raise SecretUnavailable(f"cannot use {reading}: {reason}") from None
    return context


_DEFAULT_TLS = Tls()
INVALID_URL = "invalid URL: expected http:// or https://, and a host"


class HttpNotifier(Notifier):
    """A notifier whose destination is reached over HTTP; `rules` judge its answers."""

    rules: ClassVar[AnswerRules] = AnswerRules()

    headers: dict[HeaderName, SecretField] = Field(default_factory=dict)
    """Further headers; their values are secrets."""
    proxy: SecretField | None = None
    """An HTTP proxy, such as `http://proxy:3128`."""
    tls: Tls = _DEFAULT_TLS
    """Certificates for this destination."""

    @model_validator(mode="after")
    def _headers_once(self) -> Self:
        given = [name.lower() for name in self.headers]
        if len(set(given)) < len(given):
            raise ValueError("`headers`: a name is given twice")
        return self

    def secrets_missing(self) -> list[str]:
        """As every notifier's, and messages about files of `tls` that cannot be used, and URLs in
        files and variables that are invalid."""
        missing = [*super().secrets_missing(), *self.tls.unusable()]
        for name, secret in self._urls():
            with suppress(SecretUnavailable):
                if secret.plain is None and not _has_host(secret.read()):
                    missing.append(f"`{name}`: {INVALID_URL}")
        return missing

    def invalid_urls(self) -> Sequence[str]:
        """As every notifier's."""
        return [name for name, secret in self._urls() if not _has_host(secret.plain or "http://x")]

    def _urls(self) -> Iterator[tuple[str, Secret]]:
        for name in ("url", "proxy"):
            secret = getattr(self, name, None)
            if isinstance(secret, Secret):
                yield name, secret

    def host(self) -> str:
        """The proxy's host, or else that of the destination's URL."""
        for name in ("proxy", "url", "api_url"):
            given = getattr(self, name, None)
            if given:
                try:
                    url = given.read() if isinstance(given, Secret) else given
                    return urlsplit(url).hostname or ""
                except (SecretUnavailable, ValueError):
                    return ""
        return ""

    def connection(self) -> dict[str, Any]:
        """How to connect, as aiohttp takes it: proxy and certificates. Raises
        SecretUnavailable."""
        return {
            "proxy": self.proxy.read() if self.proxy else None,
            "ssl": True if self.tls == _DEFAULT_TLS else self.tls.context(),
            "server_hostname": self.tls.server_name,
        }

    async def post(
        self,
        sending: Sending,
        url: str,
        body: bytes | dict[str, Any],
        *,
        headers: Mapping[str, str] | None = None,
        rules: AnswerRules | None = None,
    ) -> Outcome:
        """Post a JSON body, and judge the answer. Raises SecretUnavailable alone."""
        outcome, _ = await self.request(sending, url, body, headers=headers, rules=rules)
        return outcome

    async def request(
        self,
        sending: Sending,
        url: str,
        body: bytes | dict[str, Any],
        *,
        headers: Mapping[str, str] | None = None,
        rules: AnswerRules | None = None,
        method: str = "POST",
    ) -> tuple[Outcome, Answer]:
        """As `post`, with the answer beside the outcome; its status is 0 where there was none."""
        connection = self.connection()
        own = {name: value.read() for name, value in self.headers.items()}
        every = {"Content-Type": "application/json"} | own | dict(headers or {})
        request = Request(
            method,
            url,
            every,
            body if isinstance(body, bytes) else to_json(body),
            self.timeout,
            proxy=connection["proxy"],
            tls=connection["ssl"],
            server_name=connection["server_hostname"],
        )
        hidden = [url, *(part for secret in self.secrets() for part in secret.parts())]
        hidden += every.get("Authorization", "").split()[1:]
        answer = await send(sending.session, request, hidden)
        if isinstance(answer, Failed):
            return answer, Answer()
        return judge(answer, rules or self.rules, hidden), answer


def _has_host(url: str) -> bool:
    try:
        parts = urlsplit(url)
    except ValueError:
        return False
    return parts.scheme.lower() in ("http", "https") and bool(parts.hostname)


def with_query(url: str, ours: Mapping[str, str], replaced: frozenset[str], path: str = "") -> str:
    """A secret URL with `path` and our parameters added; its own of the `replaced` names go."""
    place, _, query = url.partition("#")[0].partition("?")
    kept = [pair for pair in query.split("&") if pair and pair.partition("=")[0] not in replaced]
    whole = "&".join([*kept, *([urlencode(ours)] if ours else [])])
    place = f"{place.rstrip('/')}{path}" if path else place
    return f"{place}?{whole}" if whole else place


def check_authorization(
    key: str,
    token: Secret | None,
    username: str,
    password: Secret | None,
    headers: Mapping[str, object],
) -> None:
    """ValueError where a token, a user with a password and further headers exclude each other;
    `key` is the token's in the configuration."""
    given = (token.plain or token.text or "") if token else ""
    if given.lower().startswith("bearer "):
        raise ValueError(f"`{key}`: write the token alone, without the word Bearer")
    if token and password:
        raise ValueError(f"give `{key}` or `username` and `password`, not both")
    if bool(username) != bool(password):
        raise ValueError("`username` and `password` go together")
    if ":" in username:
        raise ValueError("a `username` of basic authentication cannot contain a colon")
    if (token or password) and "authorization" in map(str.lower, headers):
        raise ValueError("`headers`: Authorization is already set by the other keys")


def authorization(token: Secret | None, username: str, password: Secret | None) -> dict[str, str]:
    """The header (RFC 6750; RFC 7617), none where there is neither. Raises SecretUnavailable."""
    if token:
        return {"Authorization": f"Bearer {token.read()}"}
    if password:
        pair = f"{username}:{password.read()}".encode()
        return {"Authorization": f"Basic {base64.b64encode(pair).decode()}"}
    return {}
