"""A notification as an e-mail: subject, plain text and HTML, and both in one MIME message; and its
header fields, encoded and folded by RFC 5322 and RFC 2047.

The standard library's folding loses spaces and makes empty encoded words, so that strict servers
refuse the message. Lines are at most 76 characters, as RFC 2047 asks of lines with encoded words.
Longer is only a line with one word that must not be cut, such as an address.
"""

import re
from base64 import b64encode
from bisect import bisect_right
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from email.message import EmailMessage
from email.policy import SMTP
from email.utils import format_datetime
from hashlib import sha256
from typing import Any
from unicodedata import category

import idna
import nh3
from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from alert_router.fields import is_web_url
from alert_router.markdown import Block, Paragraph, Strong, Text, to_html, to_text, visible
from alert_router.notification import Detail, Notification
from alert_router.notify import message
from alert_router.notify.links import encoded
from alert_router.notify.message import OutlinePart, fit, outline
from alert_router.notify.render import text_lines
from alert_router.notify.wording import one_line

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


# Servers accept 10 MB and more; readers do not. Gmail cuts a message's HTML off at 102 KB.
MAX_HTML = 100_000  # bytes
MAX_SUBJECT = 200  # characters

# As `to_html` makes them; other text is escaped there, so nothing else looks like this.
_BOXES = {
    '<input type="checkbox" disabled checked>': "☑",
    '<input type="checkbox" disabled>': "☐",
}
_JOINERS = "\u200c\u200d"
_SCHEMES = ("http://", "https://", "mailto:")

_TEMPLATES = Environment(
    loader=PackageLoader("alert_router.notify", ""),
    autoescape=True,
    undefined=StrictUndefined,
    trim_blocks=True,
)


@dataclass(frozen=True, slots=True)
class EmailPayload:
    """An e-mail's content; `thread` identifies the group that it belongs to."""

    subject: str
    text: str
    html: str
    thread: str


def render(notification: Notification, most: Detail) -> EmailPayload:
    """The e-mail with as much detail as fits; where not even the least does, its beginning. A
    template's text that leaves no room for it is replaced by the list of the alerts."""
    parts = _fitted(notification, most)
    if notification.message is not None and _size(parts) > MAX_HTML:
        parts = _fitted(replace(notification, message=None), most)
    parts = _cut(parts)
    place = (notification.receiver, notification.notifier, notification.group.group_key)
    return EmailPayload(
        subject=one_line(header(visible(str(parts[0]))), MAX_SUBJECT),
        text="\n".join(line for part in parts for line in _text(part)).strip() + "\n",
        html=_page(parts),
        thread="\n".join(place),
    )


def _fitted(notification: Notification, most: Detail) -> list[OutlinePart]:
    return fit(
        most,
        lambda level: list(outline(notification, level)),
        lambda parts: _size(parts) <= MAX_HTML,
    )


def _cut(parts: list[OutlinePart]) -> list[OutlinePart]:
    """As many parts as fit; the title, and the last, which has the links, stay."""
    if _size(parts) <= MAX_HTML:
        return parts
    *body, foot = parts
    # Each part adds to the size: what fits is found in a few tries, not in one for each part.
    count = bisect_right(range(len(body)), MAX_HTML, key=lambda n: _size([*body[: n + 1], foot]))
    return [*body[: max(count, 1)], foot]


def _size(parts: list[OutlinePart]) -> int:
    return len(_page(parts).encode())


def _page(parts: list[OutlinePart]) -> str:
    shown = [each for part in parts for each in _html(part)]
    title = visible(str(parts[0]))
    return _TEMPLATES.get_template("email_message.html.jinja").render(title=title, parts=shown)


def _text(part: OutlinePart) -> Iterator[str]:
    match part:
        case message.Title():
            yield from (visible(str(part)), "")
        case message.CommonFacts():
            yield from map(visible, part.lines())
        case message.AlertLine():
            yield visible("- " + "\n    ".join(part.lines()))
        case message.Note(text):
            yield from ("", visible(text))
        case message.RunbookTitle(text, url, provenance, about):
            yield from ("", "-" * 72, visible(text), url, visible(provenance))
            yield from filter(None, (visible(about),))
        case message.SectionTitle(text):
            yield from ("", visible(text).upper())
        case message.TemplateText(blocks) | message.Body(blocks):
            yield from ("", *_lines(blocks))
        case message.StepLine(number, spans, blocks):
            first, *more = text_lines(spans)
            yield from ("", f"{number}. {first}", *(f"   {line}" for line in more))
            if blocks:
                yield from ("", *(f"   {line}".rstrip() for line in _lines(blocks)))
        case message.Links(pairs):
            yield ""
            yield from (f"{visible(name)}: {encoded(url)}" for name, url in pairs)
        case _:
            yield visible(str(part))


def _lines(blocks: tuple[Block, ...]) -> list[str]:
    return visible(to_text(blocks)).strip("\n").split("\n")


def _html(part: OutlinePart) -> Iterator[dict[str, Any]]:
    match part:
        case message.Title(grade):
            text = f"{grade.emoji} {part}".strip()
            yield {"kind": "title", "text": visible(text), "colour": grade.colour}
        case message.CommonFacts():
            yield from ({"kind": "soft", "text": visible(text)} for text in part.lines())
        case message.AlertLine():
            head, *others = map(visible, part.lines())
            yield {"kind": "alert", "text": head, "soft": others}
        case message.More(_, url):
            yield {"kind": "more", "text": str(part), "url": encoded(url)}
        case message.Note(text):
            yield {"kind": "note", "text": visible(text)}
        case message.RunbookTitle(text, url, provenance, about):
            address = encoded(url) if is_web_url(url) else ""
            yield {"kind": "runbook", "text": visible(text), "url": address}
            for soft in filter(None, (provenance, about)):
                yield {"kind": "soft", "text": visible(soft)}
        case message.SectionTitle(text):
            yield {"kind": "section", "text": visible(text)}
        case message.TemplateText(blocks) | message.Body(blocks):
            yield {"kind": "body", "html": _fragment(blocks)}
        case message.StepLine(number, spans, blocks):
            first = Paragraph((Strong((Text(f"{number}."),)), Text(" "), *spans))
            yield {"kind": "body", "html": _fragment((first, *blocks))}
        case message.Links(pairs):
            yield {"kind": "links", "pairs": [(visible(name), encoded(url)) for name, url in pairs]}


def _fragment(blocks: tuple[Block, ...]) -> Markup:
    """Blocks as HTML, sanitized once more. Boxes of tasks are characters, since mail readers show
    no inputs."""
    html = to_html(blocks)
    for box, sign in _BOXES.items():
        html = html.replace(box, sign)
    return Markup(nh3.clean(html, attribute_filter=_absolute))  # noqa: S704 - safe by now


def _absolute(_tag: str, attribute: str, value: str) -> str | None:
    """A message has no URL of its own, so that a relative link leads nowhere."""
    return None if attribute == "href" and not value.startswith(_SCHEMES) else value


def message_id(id: str, domain: str) -> str:
    """The Message-ID of a batch: a resend has the same one."""
    return f"<{sha256(id.encode(errors='replace')).hexdigest()[:32]}@{domain}>"


def compose(
    payload: EmailPayload,
    *,
    sender: Mailbox,
    to: Sequence[Mailbox],
    cc: Sequence[Mailbox],
    id: str,
    thread: str,
    now: datetime,
    headers: Mapping[str, str],
) -> bytes:
    """The message, CRLF line ends. `thread` is the Message-ID that all of a group refer to."""
    fields = [
        address_field("From", [sender]),
        address_field("To", to),
        address_field("Cc", cc) if cc else "",
        text_field("Subject", header(payload.subject), cut_words=True),
        text_field("Date", format_datetime(now)),
        text_field("Message-ID", id),
        text_field("In-Reply-To", thread),
        text_field("References", thread),
        text_field("Auto-Submitted", "auto-generated"),  # RFC 3834: no out-of-office answers
    ]
    for name, value in headers.items():
        if name.lower() in ADDRESS_HEADERS:
            fields.append(address_field(name, parse_mailboxes(value)))
        else:
            fields.append(text_field(name, header(value)))
    body = EmailMessage(policy=SMTP.clone(cte_type="7bit"))
    body.set_content(_sendable(payload.text), cte="base64")
    body.add_alternative(_sendable(payload.html), subtype="html", cte="base64")
    return "".join(fields).encode("ascii") + body.as_bytes()


def header(text: str) -> str:
    """A value for a header: one line of printable characters, and of the joiners that some
    languages and emoji need."""
    shown = (c if c.isprintable() or c in _JOINERS else " " for c in _sendable(text))
    return " ".join("".join(shown).split())


def _sendable(text: str) -> str:
    """Without lone surrogates, which no encoding takes."""
    return text.encode("utf-8", "replace").decode()
