"""How settings are written: durations, rates, sizes, addresses, URLs, paths, text of a given form,
and secrets.

A secret never appears in any text, and is read from its file or variable only when it is used.
"""

import os
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from types import UnionType
from typing import Annotated, Any, Union, get_args, get_origin
from urllib.parse import urlsplit

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    PlainSerializer,
    ValidationInfo,
    model_validator,
)

# As Prometheus has them (prometheus/common, model/time.go): units in order, each at most once.
_DURATION = re.compile(
    r"(?=\d)(?:(\d{1,9})y)?(?:(\d{1,9})w)?(?:(\d{1,9})d)?(?:(\d{1,9})h)?(?:(\d{1,9})m)?"
    r"(?:(\d{1,9})s)?(?:(\d{1,9})ms)?",
    re.ASCII,
)
_MILLISECONDS = (31_536_000_000, 604_800_000, 86_400_000, 3_600_000, 60_000, 1000, 1)
_LONGEST = 10 * _MILLISECONDS[0]
_SIZE = re.compile(r"(\d{1,15}) ?(B|KiB|MiB|GiB)?", re.ASCII)
_UNITS = {None: 1, "B": 1, "KiB": 1024, "MiB": 1024**2, "GiB": 1024**3}
_LISTEN = re.compile(
    r"(?:\[(?P<v6>[0-9A-Fa-f:.%\w]+)\]|(?P<host>[\w.-]*)):(?P<port>\d{1,5})", re.ASCII
)


def parse_duration(text: str) -> float:
    """The seconds of a duration in Prometheus' syntax: `5m`, `1h30m`, `1d`, `0`. ValueError."""
    if text == "0":
        return 0.0
    if re.fullmatch(r"[0-9.]+", text):
        raise ValueError(f"a duration needs its unit: write {text}s, {text}m or {text}h")
    found = _DURATION.fullmatch(text)
    if not found:
        raise ValueError("expected a duration such as 30s, 5m, 1h30m or 7d")
    total = sum(int(n) * size for n, size in zip(found.groups("0"), _MILLISECONDS, strict=True))
    if total > _LONGEST:
        raise ValueError("a duration cannot be longer than 10 years")
    return total / 1000


def as_text(value: Any) -> str:
    """The value if it is text. Raises ValueError."""
    if not isinstance(value, str):
        raise ValueError("expected text")
    return value


def _seconds(value: object) -> float:
    if isinstance(value, int | float):
        return value
    if not isinstance(value, str):
        raise ValueError("expected a duration such as 30s, 5m, 1h30m or 7d")
    return parse_duration(value)


# Seconds; what comes from a file is text and must carry its unit.
Duration = Annotated[float, BeforeValidator(_seconds)]


def written(pattern: str, expected: str) -> BeforeValidator:
    """Text, or a number, that matches the whole pattern. ValueError: "expected ..."."""
    compiled = re.compile(pattern)

    def check(value: object) -> object:
        if not isinstance(value, str | int) or not compiled.fullmatch(str(value)):
            raise ValueError(f"expected {expected}")
        return value

    return BeforeValidator(check)


_RATE = re.compile(r"([1-9][0-9]{0,5})/(s|m|h)")
_RATE_SECONDS = {"s": 1.0, "m": 60.0, "h": 3600.0}


@dataclass(frozen=True, slots=True)
class Rate:
    """At most `messages` in `seconds`."""

    messages: int
    seconds: float

    def __str__(self) -> str:
        unit = next(unit for unit, size in _RATE_SECONDS.items() if size == self.seconds)
        return f"{self.messages}/{unit}"


def parse_rate(text: str) -> Rate:
    """The rate that a text gives: `1/s`, `20/m`, `100/h`. ValueError."""
    found = _RATE.fullmatch(text)
    if found is None:
        raise ValueError("expected a rate such as 1/s, 20/m or 100/h")
    return Rate(int(found[1]), _RATE_SECONDS[found[2]])


RateField = Annotated[
    Rate,
    BeforeValidator(lambda value: parse_rate(value) if isinstance(value, str) else value),
    PlainSerializer(str),
]


def parse_size(text: str) -> int:
    """A number of bytes: `10MiB`, `512KiB`, `4096`. Raises ValueError."""
    found = _SIZE.fullmatch(text)
    if not found:
        raise ValueError("expected a size such as 10MiB, 512KiB or a number of bytes")
    return int(found[1]) * _UNITS[found[2]]


Size = Annotated[
    int, BeforeValidator(lambda v: v if isinstance(v, int) else parse_size(as_text(v)))
]


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


ListenAddress = Annotated[
    Listen, BeforeValidator(lambda v: v if isinstance(v, Listen) else parse_listen(as_text(v)))
]


LONGEST_URL = 1800  # characters; browsers and chats accept 2,000


def is_web_url(url: str) -> bool:
    """Whether a browser opens it: http or https, with a host, no space or control character,
    and at most `LONGEST_URL` characters."""
    if len(url) > LONGEST_URL or not url.isprintable() or " " in url:
        return False
    try:
        parts = urlsplit(url)
    except ValueError:
        return False
    return parts.scheme.lower() in ("http", "https") and bool(parts.hostname)


def _web_url(url: str) -> str:
    if url and not is_web_url(url):
        raise ValueError("expected a URL such as https://example.org/page")
    return url


def _api_url(url: str) -> str:
    if not is_web_url(url) or "?" in url or "#" in url:
        raise ValueError("expected a URL such as https://example.org/api, without a query")
    return url.rstrip("/")


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


WebUrl = Annotated[str, AfterValidator(_web_url)]  # "" stays
ApiUrl = Annotated[str, AfterValidator(_api_url)]  # without the slash at its end
ExternalUrl = Annotated[str, AfterValidator(parse_external_url)]


def base_of(info: ValidationInfo) -> Path:
    """The directory that relative paths start from: that of the file being read."""
    return Path((info.context or {}).get("base", "."))


def _resolve(path: Path, info: ValidationInfo) -> Path:
    if not path.parts:
        raise ValueError("expected a path")
    return base_of(info) / path


RelativePath = Annotated[Path, AfterValidator(_resolve)]


class SecretUnavailable(Exception):
    """The secret cannot be read now; the message names the file or variable, never a value."""


_VARIABLE = re.compile(r"\$\{([A-Za-z_][A-Za-z0-9_]*)\}")
# What other programs take for a variable: $NAME, ${NAME:-default}, $(NAME), $__env{NAME}.
_SHORTEST_PART = 6  # characters; shorter ones are words that a log needs
_ALMOST = re.compile(r"\$(?:[A-Za-z_{]|\([A-Za-z_])")


def variables(text: str) -> list[str]:
    """The names of the environment variables that a value mentions as `${NAME}`."""
    return _VARIABLE.findall(text)


def check_variables(text: str) -> None:
    """ValueError, without any of the text, where a `$` looks like a variable and is not one."""
    if _ALMOST.search(_VARIABLE.sub(" ", text)):
        raise ValueError(
            "write ${NAME} for an environment variable; if the `$` is part of the value,"
            " put the value into a variable, or a secret into its `_file`"
        )


def with_variables(text: str, environment: Mapping[str, str]) -> str:
    """The text with the value of NAME for each `${NAME}`. Raises SecretUnavailable."""
    return _VARIABLE.sub(lambda found: _variable(found[1], environment), text)


def _variable(name: str, environment: Mapping[str, str]) -> str:
    value = environment.get(name, "").strip().removeprefix(_BYTE_ORDER_MARK)
    if not value:
        raise SecretUnavailable(f"environment variable {name} is not set or empty")
    return _printable(value, f"environment variable {name}")


_BYTE_ORDER_MARK = "\ufeff"


def _printable(value: str, source: str) -> str:
    """The value. Raises SecretUnavailable where an editor shows something else than it is."""
    for character in value:
        if not character.isprintable():
            code = f"U+{ord(character):04X}"
            raise SecretUnavailable(f"{source} contains {code}, which is not printable: remove it")
    return value


@dataclass(frozen=True, slots=True, repr=False)
class Secret:
    """A reference to a secret: a file (read at each use, so that a rotated secret is picked up),
    text with `${NAME}` of environment variables, or a plain value. Exactly one of the three."""

    file: Path | None = None
    text: str | None = None
    plain: str | None = None

    def read(self) -> str:
        """The value, without surrounding white space. Raises SecretUnavailable."""
        if self.file is not None:
            return self._from_file(self.file)
        if self.text is not None:
            return with_variables(self.text, os.environ)
        assert self.plain is not None
        return self.plain

    def parts(self) -> list[str]:
        """What must not be shown: the value, and those of longer variables in it. Raises
        SecretUnavailable."""
        values = [_variable(name, os.environ) for name in variables(self.text or "")]
        return [self.read(), *(value for value in values if len(value) >= _SHORTEST_PART)]

    @staticmethod
    def _from_file(path: Path) -> str:
        try:
            value = path.read_text(encoding="utf-8-sig").strip()
        except OSError as error:
            raise SecretUnavailable(f"cannot read {path}: {error.strerror}") from error
        except UnicodeDecodeError:
            raise SecretUnavailable(f"{path} is not UTF-8 text: save it as UTF-8") from None
        if not value:
            raise SecretUnavailable(f"{path} is empty")
        return _printable(value, str(path))

    def __repr__(self) -> str:
        if self.file is not None:
            return f"Secret(file={self.file})"
        if self.text is not None:
            return f"Secret(env={','.join(variables(self.text))})"
        return "Secret(plain)"

    __str__ = __repr__


def _secret(value: Any) -> Any:
    if isinstance(value, Secret) or value is None:
        return value
    if not isinstance(value, str) or not value.strip():
        raise ValueError("expected text, or ${VARIABLE}")
    text = value.strip().removeprefix(_BYTE_ORDER_MARK)
    check_variables(text)
    if "{{" in text:
        raise ValueError("templates do not work here: write ${NAME} for an environment variable")
    return Secret(text=text) if variables(text) else Secret(plain=text)


# `url: https://h/${VARIABLE}` or `url: value`; `WithSecrets` adds `url_file: path`.
# Serialized, it is only its description: a dataclass would be dumped with its values.
SecretField = Annotated[Secret, BeforeValidator(_secret), PlainSerializer(str)]


def is_secret_type(annotation: Any) -> bool:
    """Whether a field of that type is one secret: `SecretField | None` too, but no mapping."""
    if get_origin(annotation) in (Annotated, Union, UnionType):
        return any(map(is_secret_type, get_args(annotation)))
    return bool(annotation is Secret)


class WithSecrets(BaseModel):
    """A model whose secrets can be read from files: `NAME_file` is another spelling of each secret
    `NAME`, and a path relative to the directory in the validation context's `base`."""

    @model_validator(mode="before")
    @classmethod
    def _files_of_secrets(cls, data: Any, info: ValidationInfo) -> Any:
        if not isinstance(data, dict):
            return data
        found = dict(data)
        for name, field in cls.model_fields.items():
            key = f"{name}_file"
            if not is_secret_type(field.annotation) or key not in found:
                continue
            path = found.pop(key)
            if not isinstance(path, str | Path) or not str(path).strip():
                raise ValueError(f"`{key}`: expected the path of a file")
            if found.get(name) is not None:
                raise ValueError(f"give one of `{name}` and `{key}`, not both")
            found[name] = Secret(file=base_of(info) / path)
        return found

    def secrets(self) -> list[Secret]:
        """The secrets it uses, those in mappings (headers) and in models within it included."""
        found: list[Secret] = []
        for value in vars(self).values():
            if isinstance(value, Secret):
                found.append(value)
            elif isinstance(value, dict):
                found += (secret for secret in value.values() if isinstance(secret, Secret))
            elif isinstance(value, WithSecrets):
                found += value.secrets()
        return found

    def secrets_missing(self) -> list[str]:
        """Messages about secrets that cannot be read or used now; empty if there are none."""
        messages = []
        for secret in self.secrets():
            try:
                secret.read()
            except SecretUnavailable as error:
                messages.append(str(error))
        return messages
