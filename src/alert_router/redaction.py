"""Lines of a configuration file as they may be shown: secret values never are.

What a line's keys are called decides, generously: a value hidden in vain costs little.
"""

import re
from collections.abc import Sequence

MASK = "***"
_WIDEST = 200

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
