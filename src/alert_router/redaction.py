"""What may be shown of texts that may hold secrets: lines of a configuration file, and what
destinations say.

In a configuration, what a line's keys are called decides, generously: a value hidden in vain costs
little.
"""

import base64
import re
from collections.abc import Iterable, Iterator, Sequence
from urllib.parse import quote, unquote, urlsplit

MASK = "***"
_WIDEST = 200  # characters
_SAFE = "%/:=&?~#+!$,;'@()*[]"  # what a URL may hold unencoded somewhere, and escapes
_SHORTEST = 6  # a shorter part of a URL is hidden only together with its neighbours

_SECRET = re.compile(
    r"(url|uri|token|tokn|secret|passw|passphrase|pwd|credential|authorization|dsn|cookie|header"
    r"|api_?key|^key$|[_-]key$|webhook|^basic_auth_users$)",
    re.IGNORECASE,
)
_NOT_SECRET = re.compile(
    r"(_file$|_timeout$|^external_url$|^(default_)?runbook(_url)?s?$)", re.IGNORECASE
)
_KEY = re.compile(r"""(?P<quote>["']?)(?P<key>[A-Za-z_][\w.-]*)(?P=quote)[ \t]*:(?=\s|$|["'{\[])""")
_USERINFO = re.compile(r"(?<=://)[^/\s@]*@")


def is_secret(key: str) -> bool:
    """Whether a key's name says that its value is, or may be, a secret."""
    return bool(_SECRET.search(key)) and not _NOT_SECRET.search(key)


def clip(text: str, limit: int = 60) -> str:
    """Text for a message: one line, printable, at most so long, no password within a URL."""
    text = _USERINFO.sub(f"{MASK}@", text[: limit * 20])
    text = "".join(c if c.isprintable() else "\N{REPLACEMENT CHARACTER}" for c in text)
    return text if len(text) <= limit else text[: limit - 1] + "…"


def shown_line(lines: Sequence[str], number: int, hide_from: int = 0) -> str:
    """The line of that number (from 1; "" if there is none) with whatever may be secret masked:
    what follows a secret-looking key, what is indented under one, and everything from column
    `hide_from` (from 1; 0: nothing) and after."""
    if not 1 <= number <= len(lines):
        return ""
    line = lines[number - 1]
    if _under_secret(lines, number - 1):
        return line[: _indent(line)] + MASK
    cut = _secret_from(line)
    if hide_from and (cut is None or hide_from - 1 < cut):
        cut = hide_from - 1
    if cut is not None and line[cut:].strip():
        line = line[:cut].rstrip() + " " + MASK
    line = _USERINFO.sub(f"{MASK}@", line)
    line = "".join(c if c.isprintable() or c == "\t" else "\N{REPLACEMENT CHARACTER}" for c in line)
    return line if len(line) <= _WIDEST else line[: _WIDEST - 1] + "…"


def _secret_from(line: str) -> int | None:
    """Where the value of the line's first secret-looking key begins."""
    for found in _KEY.finditer(line):
        if is_secret(found["key"]):
            return found.end()
    return None


def _under_secret(lines: Sequence[str], index: int) -> bool:
    """Whether a line continues, or is nested in, what a secret-looking key began."""
    limit = _indent(lines[index])
    while index > 0 and limit > 0:
        index -= 1
        line = lines[index]
        if not line.strip() or _indent(line) >= limit:
            continue
        limit = _indent(line)
        keys = [found["key"] for found in _KEY.finditer(line)]
        if keys and is_secret(keys[-1]):
            return True
    return False


def _indent(line: str) -> int:
    """Columns before a line's content; the dash of a list item counts as such a column."""
    return len(line) - len(line.lstrip(" \t-"))


def clean(text: str, hidden: Iterable[str] = ()) -> str:
    """At most 200 printable characters on one line, with every one of `hidden` masked: as a
    whole, and where it is a URL also its path, user, and each longer segment and parameter,
    since a destination may echo only those."""
    line = _line(text)
    # The longest first, so that masking a part leaves no recognisable rest of the whole.
    for part in sorted({part for secret in hidden for part in _parts(secret)}, key=len)[::-1]:
        line = line.replace(part, MASK)
    return line if len(line) <= _WIDEST else line[: _WIDEST - 1] + "…"


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
