"""A notification as an e-mail: subject, plain text and HTML, and both in one MIME message."""

from bisect import bisect_right
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from email.message import EmailMessage
from email.policy import SMTP
from email.utils import format_datetime
from hashlib import sha256
from typing import Any

import nh3
from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from alert_router.fields import is_web_url
from alert_router.markdown import Block, Paragraph, Strong, Text, to_html, to_text, visible
from alert_router.notification import Detail, Notification
from alert_router.notify import message
from alert_router.notify.email.headers import (
    ADDRESS_HEADERS,
    Mailbox,
    address_field,
    parse_mailboxes,
    text_field,
)
from alert_router.notify.links import encoded
from alert_router.notify.message import OutlinePart, fit, outline
from alert_router.notify.plaintext import text_lines
from alert_router.notify.wording import one_line

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
    loader=PackageLoader("alert_router.notify.email", ""),
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
    return _TEMPLATES.get_template("message.html.jinja").render(title=title, parts=shown)


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
