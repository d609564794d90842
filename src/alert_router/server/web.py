"""The web configuration in force: TLS, users and headers, read again when its files change."""

import asyncio
import base64
import binascii
import ssl
import tempfile
import time
from collections import OrderedDict
from hashlib import sha256
from ipaddress import ip_address
from pathlib import Path
from typing import Any

import bcrypt
from aiohttp import web

from alert_router.config import codes
from alert_router.config.model import Http
from alert_router.config.web import CIPHERS, TlsServer, WebConfig, WebFlags, read_web_config
from alert_router.model.problem import Place, Problem, ProblemsError
from alert_router.server.context import SITE
from alert_router.server.requests import harden
from alert_router.watch import fingerprint, has_changed_since

_OPEN = ("/-/healthy", "/-/ready")  # for probes, which have no password
_SIGNED = "/act/"  # for links in messages, whose signature is checked
_REMEMBERED = 128  # passwords that were refused
# Compared with where there is no such user, so that names cannot be found out by the time taken.
_NO_USER = b"$2b$10$hxGy4UaUGPkjvn3Ddws/deIt6JwxQKvS4MJhLb3rLVOl50pxsKHe2"
_VERSIONS = {"TLS12": ssl.TLSVersion.TLSv1_2, "TLS13": ssl.TLSVersion.TLSv1_3}
_IS_ADDRESS = "IP Address"


class _Tls(ssl.SSLContext):
    """Gives each new connection the settings that are in force then: a listening socket keeps the
    context that it was made with."""

    current: ssl.SSLContext

    def wrap_bio(self, *args: Any, **kwargs: Any) -> ssl.SSLObject:
        """As asyncio calls it for a connection."""
        return self.current.wrap_bio(*args, **kwargs)


class WebServer:
    """What the flags and the web configuration say about connections and requests."""

    def __init__(self, flags: WebFlags) -> None:
        self.flags = flags
        self.config = WebConfig()
        self.seen = b""  # the fingerprint of the `watched` files from when they were read
        self.tls: _Tls | None = None  # of the listening sockets; None: plain HTTP
        # Apart, so that wrong passwords, however many, do not have the right ones checked again.
        self._accepted: set[bytes] = set()
        self._refused: OrderedDict[bytes, None] = OrderedDict()
        self._checking = asyncio.Lock()
        self._is_new = True

    def reload(self, http: Http) -> None:
        """Read the files, or read them again. Raises ProblemsError; then what was in force
        stays."""
        path = self.flags.config_file
        if path is None:
            return
        began = time.time()
        config = read_web_config(path)
        place = Place(str(path))
        if config.basic_auth_users and http.auth is not None:
            message = "`basic_auth_users` and `http.auth` of the configuration exclude each other"
            raise ProblemsError([Problem(codes.INVALID_VALUE, message, place)])
        tls = None
        try:
            if config.tls_server_config is not None:
                tls = _context(config.tls_server_config)
        except (OSError, ValueError) as error:  # ssl.SSLError is an OSError
            message = f"`tls_server_config` cannot be used: {error}"
            raise ProblemsError([Problem(codes.INVALID_VALUE, message, place)]) from None
        if not self._is_new and (tls is None) != (self.tls is None):
            message = "`tls_server_config` cannot be added or removed without a restart"
            raise ProblemsError([Problem(codes.INVALID_VALUE, message, place)])
        if tls is not None:
            self.tls = self.tls or _Tls(ssl.PROTOCOL_TLS_SERVER)
            self.tls.current = tls
        self.config, self._is_new = config, False
        files = self.watched
        self.seen = b"" if has_changed_since(began, files) else fingerprint(files)
        self._accepted.clear()
        self._refused.clear()

    @property
    def is_guarded(self) -> bool:
        """Whether clients need a password or a certificate."""
        tls = self.config.tls_server_config
        return bool(self.config.basic_auth_users) or bool(tls and tls.requires_certificate)

    @property
    def watched(self) -> tuple[Path, ...]:
        """The files that it was read from."""
        if self.flags.config_file is None:
            return ()
        tls = self.config.tls_server_config
        return (self.flags.config_file, *(tls.files if tls else ()))

    def may_connect(self, certificate: dict[str, Any] | None) -> bool:
        """Whether a client with this certificate, as `getpeercert` gives it, may connect."""
        tls = self.config.tls_server_config
        if tls is None or tls.client_allowed_sans is None:
            return True
        allowed = {_plain_address(name) for name in tls.client_allowed_sans}
        names = (certificate or {}).get("subjectAltName", ())
        return any(
            (_plain_address(name) if kind == _IS_ADDRESS else name) in allowed
            for kind, name in names
        )

    def middleware(self) -> Any:
        """Asks for a user's password where there are users, and adds the headers."""

        @web.middleware
        async def guarded(request: web.Request, handler: Any) -> web.StreamResponse:
            if not self.config.basic_auth_users or self._is_open(request):
                return await handler(request)  # type: ignore[no-any-return]
            if await self._knows(request.headers.get("Authorization", "")):
                return await handler(request)  # type: ignore[no-any-return]
            if request.method in ("POST", "PUT"):
                request.app[SITE].metrics.webhooks.labels("unauthorized").inc()
            headers = {"WWW-Authenticate": 'Basic realm="alert-router"'}
            return web.json_response({"status": "unauthorized"}, status=401, headers=headers)

        return guarded

    async def add_headers(self, _: web.Request, answer: web.StreamResponse) -> None:
        """As aiohttp calls it before an answer is sent; a page's own headers stay."""
        harden(answer)
        for name, value in self.config.http_server_config.headers.items():
            if value:
                answer.headers.setdefault(name, value)

    def _is_open(self, request: web.Request) -> bool:
        path = request.path.removeprefix(self.flags.route_prefix)
        return path in _OPEN or path.startswith(_SIGNED)

    async def _knows(self, authorization: str) -> bool:
        scheme, _, value = authorization.partition(" ")
        if scheme.lower() != "basic":
            return False
        try:
            name, colon, password = base64.b64decode(value.strip(), validate=True).partition(b":")
            known = self.config.basic_auth_users.get(name.decode("utf-8"))
        except (binascii.Error, UnicodeDecodeError):
            return False
        if not colon:
            return False
        hashed = known.encode() if known is not None else _NO_USER
        password = password[:72]  # bcrypt itself reads no more
        key = sha256(hashed + b"\0" + sha256(name).digest() + password).digest()
        if key in self._accepted or key in self._refused:
            return key in self._accepted
        async with self._checking:  # one at a time: each takes a tenth of a second of a processor
            matches = await asyncio.to_thread(_matches, password, hashed)
        if matches and known is not None:
            self._accepted.add(key)
            return True
        self._refused[key] = None
        if len(self._refused) > _REMEMBERED:
            self._refused.popitem(last=False)
        return False


def _matches(password: bytes, hashed: bytes) -> bool:
    try:
        return bcrypt.checkpw(password, hashed)
    except ValueError:
        return False


def _plain_address(name: str) -> str:
    try:
        return str(ip_address(name.strip()))
    except ValueError:
        return name


def _context(tls: TlsServer) -> ssl.SSLContext:
    """The TLS settings. Raises OSError or ValueError if they cannot be used."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = _VERSIONS[tls.min_version]
    context.maximum_version = _VERSIONS[tls.max_version]
    context.set_alpn_protocols(["http/1.1"])
    if ciphers := [CIPHERS[name] for name in tls.cipher_suites if CIPHERS[name]]:
        context.set_ciphers(":".join(ciphers))
    if tls.prefer_server_cipher_suites:
        context.options |= ssl.OP_CIPHER_SERVER_PREFERENCE
    else:
        context.options &= ~ssl.OP_CIPHER_SERVER_PREFERENCE
    # Python reads a certificate from files only.
    with tempfile.TemporaryDirectory() as folder:
        cert = tls.cert_file or _written(folder, "cert.pem", tls.cert)
        key = tls.key_file or _written(folder, "key.pem", tls.key)
        context.load_cert_chain(cert, key, password=lambda: "")
    if tls.client_auth_type != "NoClientCert":
        authorities = tls.client_ca or (tls.client_ca_file or Path()).read_text(encoding="ascii")
        context.load_verify_locations(cadata=authorities)
        required = tls.requires_certificate
        context.verify_mode = ssl.CERT_REQUIRED if required else ssl.CERT_OPTIONAL
    return context


def _written(folder: str, name: str, text: str) -> Path:
    path = Path(folder, name)
    path.touch(mode=0o600)
    path.write_text(text)
    return path
