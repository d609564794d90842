"""What every notifier that speaks HTTP has: further headers, a proxy, TLS of its own.

What an answer means is `http`'s; the body is each notifier's.
"""

import re
import ssl
from collections.abc import Mapping
from dataclasses import replace
from functools import lru_cache
from pathlib import Path
from typing import Annotated, Self
from urllib.parse import urlsplit

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, model_validator

from alert_router.fields import Secret, SecretUnavailable
from alert_router.notify.answers import PLAIN, Dialect
from alert_router.notify.base import Failed, Notifier, Outcome, Reason, Remedy, Sending
from alert_router.notify.http import Way, post
from alert_router.notify.paths import RelativePath
from alert_router.notify.secrets import SecretField

_TOKEN = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")  # RFC 9110, 5.6.2
_OURS = frozenset(("connection", "content-length", "content-type", "host", "transfer-encoding"))


def _header_name(name: str) -> str:
    if not _TOKEN.fullmatch(name):
        raise ValueError("expected the name of a header: letters, digits and dashes")
    if name.lower() in _OURS or name.lower().startswith("webhook-"):
        raise ValueError("this header is set by the router itself")
    return name


HeaderName = Annotated[str, AfterValidator(_header_name)]


class Tls(BaseModel):
    """How a destination proves itself, and we to it; the words are Alertmanager's."""

    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True)

    ca_file: RelativePath | None = None
    cert_file: RelativePath | None = None
    key_file: RelativePath | None = None
    server_name: str | None = None
    insecure_skip_verify: bool = False

    @model_validator(mode="after")
    def _key_with_certificate(self) -> Self:
        if self.key_file and not self.cert_file:
            raise ValueError("`key_file` goes with a `cert_file`")
        return self

    def context(self) -> ssl.SSLContext:
        """The context, made anew when a file of it changes. Raises SecretUnavailable where one
        cannot be read."""
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


class HttpNotifier(Notifier):
    """A notifier whose destination is reached over HTTP."""

    headers: dict[HeaderName, SecretField] = Field(default_factory=dict)
    proxy: SecretField | None = None
    tls: Tls = Tls()

    @model_validator(mode="after")
    def _headers_once(self) -> Self:
        given = [name.lower() for name in self.headers]
        if len(set(given)) < len(given):
            raise ValueError("`headers`: a name is given twice")
        return self

    def secrets_missing(self) -> list[str]:
        """As every notifier's, and where an address that can be read is none."""
        missing = super().secrets_missing()
        for name in ("url", "proxy"):
            secret = getattr(self, name, None)
            if isinstance(secret, Secret) and not missing and not _is_address(secret.read()):
                missing.append(
                    f"`{name}` is no address: expected http:// or https://, and the name of a host"
                )
        return missing

    def host(self) -> str:
        """The proxy's, or else that of the destination's address."""
        for name in ("proxy", "url", "api_url"):
            given = getattr(self, name, None)
            try:
                if given:
                    return (
                        urlsplit(given.read() if isinstance(given, Secret) else given).hostname
                        or ""
                    )
            except (SecretUnavailable, ValueError):
                return ""
        return ""

    async def post(
        self,
        sending: Sending,
        url: Secret,
        body: bytes,
        *,
        headers: Mapping[str, str] | None = None,
        dialect: Dialect = PLAIN,
        method: str = "POST",
    ) -> Outcome:
        """Send the body, JSON unless `headers` say otherwise. Never raises for what happens
        there; a secret or certificate that cannot be read holds the destination."""
        try:
            own = {name: value.read() for name, value in self.headers.items()}
            way = Way(
                proxy=self.proxy.read() if self.proxy else None,
                tls=True if self.tls == _USUAL else self.tls.context(),
                server_name=self.tls.server_name,
            )
        except SecretUnavailable as error:
            return Failed(Reason.MISCONFIGURED, str(error), Remedy.HOLD)
        return await post(
            sending.session,
            url,
            body,
            headers={"Content-Type": "application/json"} | own | dict(headers or {}),
            limit=self.timeout,
            dialect=dialect,
            way=way,
            secrets=tuple(self.secrets()),
            method=method,
        )

    async def ask(
        self,
        sending: Sending,
        url: Secret,
        body: bytes,
        *,
        headers: Mapping[str, str] | None = None,
        dialect: Dialect = PLAIN,
        method: str = "POST",
    ) -> tuple[Outcome, bytes]:
        """As `post`, with the answer's body beside the outcome, empty where there was none."""
        answers = [b""]

        def agrees(answer: bytes) -> Outcome | str | None:
            answers.append(answer)
            return dialect.agrees(answer) if dialect.agrees else None

        def refused(status: int, answer: bytes) -> Outcome | None:
            answers.append(answer)
            return dialect.refused(status, answer) if dialect.refused else None

        heard = replace(dialect, agrees=agrees, refused=refused)
        outcome = await self.post(sending, url, body, headers=headers, dialect=heard, method=method)
        return outcome, answers[-1]


def _is_address(text: str) -> bool:
    try:
        parts = urlsplit(text)
    except ValueError:
        return False
    return parts.scheme.lower() in ("http", "https") and bool(parts.hostname)


_USUAL = Tls()
