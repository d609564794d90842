"""What every notifier over HTTP has: further headers, a proxy, its own TLS, authentication."""

import base64
import re
import ssl
from collections.abc import Mapping
from functools import lru_cache
from pathlib import Path
from typing import Annotated, Any, ClassVar, Self
from urllib.parse import urlencode, urlsplit

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, model_validator
from pydantic_core import to_json

from alert_router.fields import RelativePath, Secret, SecretField, SecretUnavailable
from alert_router.notify.base import Failed, Notifier, Outcome, Sending
from alert_router.notify.http_client import Request, send
from alert_router.notify.responses import Answer, AnswerRules, judge

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
        """As every notifier's, and messages about URLs that can be read but are invalid."""
        missing = super().secrets_missing()
        for name in ("url", "proxy"):
            secret = getattr(self, name, None)
            if isinstance(secret, Secret) and not missing and not _has_host(secret.read()):
                missing.append(f"`{name}`: invalid URL: expected http:// or https://, and a host")
        return missing

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
