"""Values as people write them: sizes, addresses, paths and store URLs.

Each is a type for a model's field, whose ValueErrors say what was expected.
"""

import re
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any
from urllib.parse import parse_qsl, urlencode, urlsplit, urlunsplit

from pydantic import AfterValidator, BeforeValidator

from alert_router.fields import base_of
from alert_router.outbox.model import Storage

_SIZE = re.compile(r"(\d{1,15}) ?(B|KiB|MiB|GiB)?", re.ASCII)
_UNITS = {None: 1, "B": 1, "KiB": 1024, "MiB": 1024**2, "GiB": 1024**3}
_LISTEN = re.compile(
    r"(?:\[(?P<v6>[0-9A-Fa-f:.%\w]+)\]|(?P<host>[\w.-]*)):(?P<port>\d{1,5})", re.ASCII
)


def parse_size(text: str) -> int:
    """A number of bytes: `10MiB`, `512KiB`, `4096`. Raises ValueError."""
    found = _SIZE.fullmatch(text)
    if not found:
        raise ValueError("expected a size such as 10MiB, 512KiB or a number of bytes")
    return int(found[1]) * _UNITS[found[2]]


@dataclass(frozen=True, slots=True)
class Listen:
    """Where the HTTP server listens. Port 0 lets the system choose one."""

    host: str
    port: int

    def __str__(self) -> str:
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"


def parse_listen(text: str) -> Listen:
    """`host:port`, `[::]:port`, or `:port` for all addresses, of IPv4 and IPv6 where there is
    IPv6. Raises ValueError."""
    found = _LISTEN.fullmatch(text)
    if not found or int(found["port"]) > 65535:
        raise ValueError("expected host:port, such as 0.0.0.0:9095, [::]:9095 or :9095")
    return Listen(found["v6"] or found["host"] or "", int(found["port"]))


def parse_storage(text: str, base: Path) -> Storage:
    """A store's URL as SQLAlchemy writes it, `sqlite:///relative.db` below `base` or
    `sqlite:////absolute.db`, or PostgreSQL's as libpq takes it. Raises ValueError."""
    scheme, _, rest = text.partition(":")
    if scheme in ("postgresql", "postgres"):
        return _parse_postgres(text, base)
    if scheme != "sqlite" or not rest.startswith("///"):
        raise ValueError(
            "expected sqlite:///FILE (relative to this file), sqlite:////FILE (absolute) or "
            "postgresql://HOST/DATABASE"
        )
    path = rest[3:]
    if path in ("", ":memory:") or path.startswith("file:"):
        raise ValueError("the store must be a file: what is accepted has to outlive the process")
    if "?" in path:
        raise ValueError("the store's URL takes no parameters: remove what follows the `?`")
    return Storage(base / path)


def _parse_postgres(text: str, base: Path) -> Storage:
    parts = urlsplit(text)
    if not parts.netloc.rpartition("@")[2] or not parts.path.strip("/"):
        raise ValueError("expected a host and a database: postgresql://HOST/DATABASE")
    own = {"password_file": "", "spool": "alert-router-spool.db", "unsafe": "0"}
    parameters = dict(parse_qsl(parts.query, keep_blank_values=True))
    own |= {name: parameters.pop(name) for name in tuple(parameters) if name in own}
    if own["unsafe"] not in ("0", "1") or not own["spool"]:
        raise ValueError("expected unsafe=0 or unsafe=1, and the name of a file as spool")
    return Storage(
        base / own["spool"],
        urlunsplit(parts._replace(query=urlencode(parameters))),
        base / own["password_file"] if own["password_file"] else None,
        own["unsafe"] == "1",
    )


def parse_external_url(text: str) -> str:
    """An http or https URL without query, without its last slash; "" stays. ValueError."""
    if not text:
        return ""
    parts = urlsplit(text)
    is_good = parts.scheme in ("http", "https") and bool(parts.hostname)
    if not is_good or parts.query or parts.fragment or re.search(r"[\s\x00-\x20]", text):
        raise ValueError("expected a URL such as https://alerts.example.org")
    if "@" in parts.netloc:
        raise ValueError("the URL is shown in every message: take the user and password out")
    _ = parts.port  # raises ValueError beyond 65535
    return text.rstrip("/")


def _text(value: Any) -> str:
    if not isinstance(value, str):
        raise ValueError("expected text")
    return value


Size = Annotated[int, BeforeValidator(lambda v: v if isinstance(v, int) else parse_size(_text(v)))]
ListenAddress = Annotated[
    Listen, BeforeValidator(lambda v: v if isinstance(v, Listen) else parse_listen(_text(v)))
]
StorageUrl = Annotated[
    Storage,
    BeforeValidator(
        lambda v, info: v if isinstance(v, Storage) else parse_storage(_text(v), base_of(info))
    ),
]
ExternalUrl = Annotated[str, AfterValidator(parse_external_url)]
