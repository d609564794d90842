"""Header fields of a message, encoded and folded by RFC 5322 and RFC 2047.

The standard library's folding loses spaces and makes empty encoded words, so that strict servers
refuse the message. Lines are at most 76 characters, as RFC 2047 asks of lines with encoded words.
Longer is only a line with one word that must not be cut, such as an address.
"""

import re
from base64 import b64encode
from collections.abc import Sequence
from dataclasses import dataclass
from unicodedata import category

import idna

_LINE = 76
_SHORTEST = 20  # an encoded word of one character, which has up to 4 bytes
_LONGEST_ADDRESS = 254  # RFC 5321, 4.5.3.1.3, without the angle brackets
_LONGEST_LOCAL = 64
_LONGEST_NAME = 200
_LONGEST_MAILBOX = 700  # the two together, each character of the name escaped

# The headers that hold addresses, besides those that every message has.
ADDRESS_HEADERS = frozenset(
    (
        *("reply-to", "sender", "errors-to", "mail-reply-to", "mail-followup-to"),
        *("return-receipt-to", "disposition-notification-to"),
    )
)
_NOT_SHOWN = ("Cc", "Cs", "Zl", "Zp")  # controls, surrogates, line breaks

_ATOM = re.compile(r"[A-Za-z0-9!#$%&'*+/=?^_`{|}~-]+")
_LOCAL = re.compile(rf"{_ATOM.pattern}(?:\.{_ATOM.pattern})*")
_DOMAIN = re.compile(r"[A-Za-z0-9_-]{1,63}(?:\.[A-Za-z0-9_-]{1,63})*")
_LITERAL = re.compile(r"\[[0-9A-Za-z:.]{2,60}\]")  # [192.0.2.1], [IPv6:2001:db8::1]
_QUOTED = re.compile(r'"((?:[^"\\]|\\.)*)"')
# Quoted strings, one that does not end too, so that no text is looked at twice.
_PARTS = re.compile(r'"(?:[^"\\]|\\.?)*(?:"|$)|[^",]+|,', re.DOTALL)


@dataclass(frozen=True, slots=True)
class Mailbox:
    """An address as it is sent, in ASCII, and the name shown with it; "" for none."""

    address: str
    name: str = ""

    def __str__(self) -> str:
        return f"{self.name} <{self.address}>" if self.name else self.address

    @property
    def domain(self) -> str:
        """What follows the @."""
        return self.address.rpartition("@")[2]


def parse_mailbox(text: str) -> Mailbox:
    """`sre@example.org` or `Alerts <alerts@example.org>`, the name in quotes or not. Raises
    ValueError where it is not an address, or not one that every server accepts."""
    text = text.strip()
    if len(text) > _LONGEST_MAILBOX:
        raise ValueError(f"expected an address of at most {_LONGEST_ADDRESS} characters")
    name, address = "", text
    if text.endswith(">"):
        name, opened, address = text[:-1].rpartition("<")
        name = name.strip()
        if not opened:
            raise ValueError("expected an address such as sre@example.org")
        if quoted := _QUOTED.fullmatch(name):
            name = re.sub(r"\\(.)", r"\1", quoted[1])
        elif '"' in name:
            raise ValueError("expected the whole name in double quotes, or none of it")
    if len(name) > _LONGEST_NAME or any(category(c) in _NOT_SHOWN for c in name):
        raise ValueError(f"expected a name of at most {_LONGEST_NAME} printable characters")
    if "=?" in name:
        raise ValueError("write the name itself: the router encodes it")
    return Mailbox(_address(address), name)


def split_mailboxes(text: str) -> list[str]:
    """The texts between the commas. A comma within quotes belongs to a name."""
    items: list[list[str]] = [[]]
    for part in _PARTS.findall(text):
        if part == ",":
            items.append([])
        else:
            items[-1].append(part)
    return ["".join(parts) for parts in items]


def parse_mailboxes(text: str) -> tuple[Mailbox, ...]:
    """Mailboxes with commas between them. ValueError."""
    return tuple(map(parse_mailbox, split_mailboxes(text)))


def _address(text: str) -> str:
    """The address with its domain in ASCII (IDNA 2008)."""
    if ";" in text:
        raise ValueError("expected one address; commas separate several, not semicolons")
    local, at, domain = text.rpartition("@")
    if not at or not local or not domain:
        raise ValueError("expected an address such as sre@example.org")
    if len(text) > _LONGEST_ADDRESS:
        raise ValueError(f"expected an address of at most {_LONGEST_ADDRESS} characters")
    if not local.isascii():
        raise ValueError("expected only ASCII before the @: few servers accept other characters")
    if not _LOCAL.fullmatch(local) or len(local) > _LONGEST_LOCAL:
        raise ValueError("expected an address such as sre@example.org")
    if not domain.isascii():
        try:
            domain = idna.encode(domain, uts46=True).decode()
        except UnicodeError:
            raise ValueError("expected a domain name after the @") from None
    elif not _DOMAIN.fullmatch(domain) and not _LITERAL.fullmatch(domain):
        raise ValueError("expected an address such as sre@example.org")
    if len(local) + 1 + len(domain) > _LONGEST_ADDRESS:
        raise ValueError(f"expected an address of at most {_LONGEST_ADDRESS} characters")
    return f"{local}@{domain}"


def text_field(name: str, text: str, *, cut_words: bool = False) -> str:
    """A field whose value is text, with its line end. Decoded it is exactly `text`, which must not
    be empty and must have no line breaks. ASCII stays as it is, unless it would be read as an
    encoded word; with `cut_words`, text with words longer than a line is encoded."""
    field = _Field(name)
    words = text.split(" ")
    is_long = any(len(word) >= _LINE - len(name) - 1 for word in words)
    if not text.isascii() or "=?" in text or "" in words or (cut_words and is_long):
        field.add_encoded(text)
    else:
        for word in words:
            field.add(word)
    return str(field)


def address_field(name: str, mailboxes: Sequence[Mailbox]) -> str:
    """A field whose value is a list of mailboxes, with its line end."""
    field = _Field(name)
    for number, box in enumerate(mailboxes, 1):
        if box.name:
            _add_phrase(field, box.name)
        comma = "," if number < len(mailboxes) else ""
        field.add(f"<{box.address}>{comma}" if box.name else f"{box.address}{comma}")
    return str(field)


def _add_phrase(field: "_Field", name: str) -> None:
    """A display name: atoms, one quoted string, or encoded words."""
    words = name.split(" ")
    if all(_ATOM.fullmatch(word) and len(word) < _LINE // 2 for word in words):
        for word in words:
            field.add(word)
    elif name.isascii() and len(name) < _LINE // 2:
        field.add('"' + re.sub(r'(["\\])', r"\\\1", name) + '"')
    else:
        field.add_encoded(name)


class _Field:
    """A field that is written word by word."""

    def __init__(self, name: str) -> None:
        self._lines = [f"{name}:"]

    def add(self, word: str) -> None:
        """Add a space or a folding line break, and the word. The first word stays in the first
        line, since a line without a value is refused by some servers."""
        is_full = len(self._lines[-1]) + 1 + len(word) > _LINE
        if is_full and " " in self._lines[0]:
            self._lines.append("")
        self._lines[-1] += f" {word}"

    def add_encoded(self, text: str) -> None:
        """Add encoded words that decode to the text. None splits a character, and the text's own
        spaces are within them, since those between encoded words are dropped (RFC 2047, 6.2)."""
        limit = self._room()
        chunk = b""
        for character in text:
            raw = character.encode()
            if chunk and len(_encoded(chunk + raw)) > limit:
                self.add(_encoded(chunk))
                chunk, limit = b"", self._room()
            chunk += raw
        self.add(_encoded(chunk))

    def _room(self) -> int:
        """The most characters of an encoded word here; those of a new line where too few."""
        room = _LINE - 1 - len(self._lines[-1])
        return room if room > _SHORTEST else _LINE - 1

    def __str__(self) -> str:
        return "\r\n".join([*self._lines, ""])


def _encoded(raw: bytes) -> str:
    return f"=?utf-8?B?{b64encode(raw).decode()}?="
