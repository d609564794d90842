"""What `--web.*` flags and the file of `--web.config.file` say: the format of Prometheus' exporter
toolkit, without what Python's TLS or this server cannot do.
"""

import re
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Annotated, Any, Literal, Self

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, model_validator

from alert_router.config.load import Loaded
from alert_router.config.validate import in_order, validate
from alert_router.fields import Listen, RelativePath
from alert_router.model.problem import ProblemsError
from alert_router.yaml_source import read


@dataclass(frozen=True, slots=True)
class WebFlags:
    """The command line's word about the HTTP server; what is not given is the configuration's.

    `route_prefix` is "" or begins with a slash and does not end with one.
    """

    listen: tuple[Listen, ...] = ()
    external_url: str = ""
    route_prefix: str = ""
    config_file: Path | None = None

    def applied(self, loaded: Loaded) -> Loaded:
        """The configuration with what the flags replace."""
        changes: dict[str, Any] = {}
        if self.listen:
            changes["listen"] = self.listen[0]
        if self.external_url:
            changes["external_url"] = self.external_url
        if not changes:
            return loaded
        http = loaded.config.http.model_copy(update=changes)
        return replace(loaded, config=loaded.config.model_copy(update={"http": http}))


def parse_route_prefix(text: str) -> str:
    """`/alerts`, `alerts/` or `/` as "/alerts", "/alerts" and "". Raises ValueError."""
    inner = text.strip("/")
    if not re.fullmatch(r"(?:[A-Za-z0-9._~-]+(?:/[A-Za-z0-9._~-]+)*)?", inner):
        raise ValueError("expected a path such as /alerts, of letters, digits and . _ ~ -")
    return f"/{inner}" if inner else ""


# As Go and IANA call them, and OpenSSL. TLS 1.3 has its own, which cannot be chosen in either.
CIPHERS = {
    "TLS_ECDHE_ECDSA_WITH_AES_128_CBC_SHA": "ECDHE-ECDSA-AES128-SHA",
    "TLS_ECDHE_ECDSA_WITH_AES_256_CBC_SHA": "ECDHE-ECDSA-AES256-SHA",
    "TLS_ECDHE_RSA_WITH_AES_128_CBC_SHA": "ECDHE-RSA-AES128-SHA",
    "TLS_ECDHE_RSA_WITH_AES_256_CBC_SHA": "ECDHE-RSA-AES256-SHA",
    "TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256": "ECDHE-ECDSA-AES128-GCM-SHA256",
    "TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384": "ECDHE-ECDSA-AES256-GCM-SHA384",
    "TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256": "ECDHE-RSA-AES128-GCM-SHA256",
    "TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384": "ECDHE-RSA-AES256-GCM-SHA384",
    "TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256": "ECDHE-ECDSA-CHACHA20-POLY1305",
    "TLS_ECDHE_RSA_WITH_CHACHA20_POLY1305_SHA256": "ECDHE-RSA-CHACHA20-POLY1305",
    "TLS_AES_128_GCM_SHA256": "",
    "TLS_AES_256_GCM_SHA384": "",
    "TLS_CHACHA20_POLY1305_SHA256": "",
}
_BCRYPT = re.compile(r"\$2[aby]\$(?:0[4-9]|1[0-9]|2[0-9]|3[01])\$[./A-Za-z0-9]{53}")
_HEADERS: dict[str, tuple[str, ...]] = {
    "Strict-Transport-Security": (),
    "X-Content-Type-Options": ("nosniff",),
    "X-Frame-Options": ("deny", "sameorigin"),
    "X-XSS-Protection": (),
    "Content-Security-Policy": (),
}
_CANNOT = {
    "RequestClientCert": "asks for a certificate and does not verify it",
    "RequireAnyClientCert": "accepts a certificate of anybody",
    "RequireClientCert": "accepts a certificate of anybody",
}


def _no_curves(value: object) -> object:
    if value:
        raise ValueError("cannot be set: Python offers no choice of curves; remove it")
    return value


def _client_auth(value: object) -> object:
    if isinstance(value, str) and value in _CANNOT:
        raise ValueError(f"`{value}` {_CANNOT[value]}: use RequireAndVerifyClientCert")
    return value or "NoClientCert"


def _version(value: object) -> object:
    if value in ("TLS10", "TLS11"):
        raise ValueError("expected TLS12 or TLS13: earlier versions are insecure")
    return value


def _cipher(name: str) -> str:
    if name not in CIPHERS:
        raise ValueError("expected one of Go's secure cipher suites, such as "
                         "TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256")  # fmt: skip
    return name


def _no_http2(value: object) -> object:
    if str(value).lower() == "true":
        raise ValueError("HTTP/2 is not supported: remove it, or set it to false")
    return value


def _header(headers: dict[str, str]) -> dict[str, str]:
    for name, value in headers.items():
        if name not in _HEADERS:
            raise ValueError(f"expected headers among {', '.join(_HEADERS)}")
        if value and _HEADERS[name] and value not in _HEADERS[name]:
            raise ValueError(f"expected {' or '.join(_HEADERS[name])} as {name}")
        if not value.isascii() or not value.isprintable():
            raise ValueError(f"expected printable ASCII as {name}")
    return headers


def _hash(value: object) -> object:
    if not isinstance(value, str) or not _BCRYPT.fullmatch(value):
        raise ValueError("expected a bcrypt hash, as `htpasswd -nBC 10 USER` prints it")
    return value


def _no_rate_limit(value: object) -> object:
    if value and str(value.get("interval") if isinstance(value, dict) else value) not in (
        "0",
        "0s",
    ):
        raise ValueError("cannot be set: Alertmanager drops what is answered 429; remove it")
    return None


Version = Annotated[Literal["TLS12", "TLS13"], BeforeValidator(_version)]


class _Model(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class TlsServer(_Model):
    """Certificates, and who may connect. `cert`, `key` and `client_ca` are PEM text."""

    cert: str = ""
    """The certificate, as PEM text."""
    key: str = Field("", repr=False)
    """Its key, as PEM text."""
    client_ca: str = ""
    """The authority of clients' certificates, as PEM text."""
    cert_file: RelativePath | None = None
    """The file with the certificate."""
    key_file: RelativePath | None = None
    """The file with its key."""
    client_ca_file: RelativePath | None = None
    """The file with the authority of clients' certificates."""
    client_auth_type: Annotated[
        Literal["NoClientCert", "VerifyClientCertIfGiven", "RequireAndVerifyClientCert"],
        BeforeValidator(_client_auth),
    ] = "NoClientCert"
    """Whether clients must present a certificate."""
    client_allowed_sans: tuple[str, ...] | None = None
    """Names of which a client's certificate must have one."""
    min_version: Version = "TLS12"
    """The lowest version of TLS."""
    max_version: Version = "TLS13"
    """The highest version of TLS."""
    cipher_suites: tuple[Annotated[str, AfterValidator(_cipher)], ...] = ()
    """Cipher suites of TLS 1.2 by Go's names; OpenSSL's defaults if not set."""
    prefer_server_cipher_suites: bool = True
    """Whether the server chooses among the cipher suites."""
    curve_preferences: Annotated[Any, BeforeValidator(_no_curves)] = None
    """Refused: Python offers no choice of curves."""

    @model_validator(mode="after")
    def _complete(self) -> Self:
        for name in ("cert", "key"):
            if bool(getattr(self, name)) == (getattr(self, f"{name}_file") is not None):
                raise ValueError(f"give one of `{name}_file` and `{name}`")
        if self.client_ca and self.client_ca_file:
            raise ValueError("give one of `client_ca_file` and `client_ca`")
        has_ca = bool(self.client_ca or self.client_ca_file)
        if has_ca != (self.client_auth_type != "NoClientCert"):
            raise ValueError("`client_ca_file` and `client_auth_type` need each other")
        if self.client_allowed_sans is not None and not self.requires_certificate:
            raise ValueError("`client_allowed_sans` needs RequireAndVerifyClientCert")
        if self.min_version > self.max_version:
            raise ValueError("`min_version` is above `max_version`")
        return self

    @property
    def requires_certificate(self) -> bool:
        """Whether nobody connects without a certificate."""
        return self.client_auth_type == "RequireAndVerifyClientCert"

    @property
    def files(self) -> tuple[Path, ...]:
        """The files that it names."""
        named = (self.cert_file, self.key_file, self.client_ca_file)
        return tuple(path for path in named if path is not None)


class HttpServer(_Model):
    """Headers of all answers that do not have them already."""

    http2: Annotated[Any, BeforeValidator(_no_http2)] = None
    """`true` is refused: the server speaks HTTP/1.1."""
    headers: Annotated[dict[str, str], AfterValidator(_header)] = Field(default_factory=dict)
    """Headers of all answers that do not have them already."""


class WebConfig(_Model):
    """The whole file. Users are names with bcrypt hashes."""

    tls_server_config: TlsServer | None = None
    """TLS; without it the server speaks plain HTTP."""
    http_server_config: HttpServer = HttpServer()
    """Answers of the server."""
    basic_auth_users: dict[str, Annotated[str, BeforeValidator(_hash)]] = Field(
        default_factory=dict, repr=False
    )
    """Users with bcrypt hashes of their passwords."""
    rate_limit: Annotated[Any, BeforeValidator(_no_rate_limit)] = None
    """Refused: Alertmanager drops what is answered 429."""


def read_web_config(path: Path) -> WebConfig:
    """The web configuration in a file. Raises ProblemsError with everything that is wrong."""
    document = read(path, missing="`--web.config.file` names it")
    config, problems = validate(document, WebConfig)
    if config is None or document.problems:
        raise ProblemsError(in_order([*document.problems, *problems]))
    return config
