"""Texts of destinations made safe for a log: one short printable line without secrets."""

import base64
from collections.abc import Iterable, Iterator
from urllib.parse import quote, unquote, urlsplit

_MASK = "***"
_SHOWN = 200  # characters
_SAFE = "%/:=&?~#+!$,;'@()*[]"  # what a URL may hold unencoded somewhere, and escapes
_SHORTEST = 6  # a shorter part of a URL is hidden only together with its neighbours


def clean(text: str, hidden: Iterable[str] = ()) -> str:
    """At most 200 printable characters on one line, with every one of `hidden` masked: as a
    whole, and where it is a URL also its path, user, and each longer segment and parameter,
    since a destination may echo only those."""
    line = _line(text)
    # The longest first, so that masking a part leaves no recognisable rest of the whole.
    for part in sorted({part for secret in hidden for part in _parts(secret)}, key=len)[::-1]:
        line = line.replace(part, _MASK)
    return line if len(line) <= _SHOWN else line[: _SHOWN - 1] + "…"


def _parts(secret: str) -> Iterator[str]:
    # As configured, as it goes over the wire (percent-encoded), and as a server decodes it.
    plain = unquote(secret)
    for spelling in {secret, plain, quote(secret, _SAFE), quote(plain, _SAFE)}:
        if spelling.strip():
            yield _line(spelling)
        if "://" in spelling:
            yield from (_line(part) for part in _of_url(spelling) if len(part) >= _SHORTEST)


def _line(text: str) -> str:
    return " ".join("".join(c if c.isprintable() else " " for c in text).split())


def _of_url(url: str) -> Iterator[str]:
    rest = url.partition("://")[2]
    yield rest
    try:
        parts = urlsplit(url)
    except ValueError:  # no URL after all: what follows the scheme is hidden
        return
    user, at, _ = parts.netloc.rpartition("@")
    if at:
        yield from (user, *user.split(":", 1))
        # What a client makes of them: basic authentication.
        pair = user if ":" in user else f"{user}:"
        yield base64.b64encode(pair.encode(errors="replace")).decode()
    yield parts.path
    yield parts.query
    yield from parts.path.split("/")
    for pair in parts.query.split("&"):
        yield pair.rpartition("=")[2]
