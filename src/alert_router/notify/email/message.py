"""A notification as an e-mail: subject, plain text and HTML. How they travel is `mime`'s."""

from bisect import bisect_right
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any

import nh3
from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from alert_router.markdown import Block, Paragraph, Strong, Text, to_html, to_text, visible
from alert_router.notification import Detail, Notification
from alert_router.notify.email.mime import header
from alert_router.notify.links import encoded, is_web
from alert_router.notify.outline import (
    AlertLine,
    Body,
    Links,
    Message,
    More,
    Note,
    Part,
    RunbookTitle,
    SectionTitle,
    StepLine,
    Title,
    fit,
    outline,
)
from alert_router.notify.summary import one_line

# Servers take 10 MB and more; readers do not. Gmail cuts a message's HTML off at 102 KB.
MAX_HTML = 100_000  # bytes
MAX_SUBJECT = 200  # characters

# As `to_html` makes them; what people write is escaped there, so nothing else looks like this.
_BOXES = {
    '<input type="checkbox" disabled checked>': "☑",
    '<input type="checkbox" disabled>': "☐",
}
_SCHEMES = ("http://", "https://", "mailto:")

_TEMPLATES = Environment(
    loader=PackageLoader("alert_router.notify.email", ""),
    autoescape=True,
    undefined=StrictUndefined,
    trim_blocks=True,
)


@dataclass(frozen=True, slots=True)
class Words:
    """What an e-mail says."""

    subject: str
    text: str
    html: str


def words(notification: Notification, most: Detail) -> Words:
    """The e-mail with as much detail as fits; where not even the least does, what comes first.
    A template's words that leave no room for it give way to the list of the alerts."""
    parts = _fitted(notification, most)
    if notification.message is not None and _size(parts) > MAX_HTML:
        parts = _fitted(replace(notification, message=None), most)
    return _words(_cut(parts))


def _fitted(notification: Notification, most: Detail) -> list[Part]:
    return fit(
        most,
        lambda level: list(outline(notification, level)),
        lambda parts: _size(parts) <= MAX_HTML,
    )


def _cut(parts: list[Part]) -> list[Part]:
    """As many parts as fit; the title, and the last, which has the links, stay."""
    if _size(parts) <= MAX_HTML:
        return parts
    *body, foot = parts
    # Each part adds to the size: what fits is found in a few tries, not in one for each part.
    count = bisect_right(range(len(body)), MAX_HTML, key=lambda n: _size([*body[: n + 1], foot]))
    return [*body[: max(count, 1)], foot]


def _size(parts: list[Part]) -> int:
    return len(_page(parts).encode())


def _page(parts: list[Part]) -> str:
    shown = [told for part in parts for told in _html(part)]
    return _TEMPLATES.get_template("message.html.jinja").render(title=_clean(parts[0]), parts=shown)


def _words(parts: list[Part]) -> Words:
    title, html = parts[0], _page(parts)
    text = "\n".join(line for part in parts for line in _text(part)).strip() + "\n"
    return Words(one_line(header(_clean(title)), MAX_SUBJECT), text, html)


def _clean(text: object) -> str:
    """Text without characters that steer a terminal or hide in a mailbox's list."""
    return visible(str(text))


def _text(part: Part) -> Iterator[str]:
    match part:
        case Title():
            yield from (_clean(part), "")
        case AlertLine(text, labels):
            yield _clean(f"- {text}")
            if labels:
                yield _clean(f"    {part.pairs()}")
        case Note(text):
            yield from ("", _clean(text))
        case RunbookTitle(text, url, provenance, about):
            yield from ("", "-" * 72, _clean(text), url, _clean(provenance))
            if about:
                yield _clean(about)
        case SectionTitle(text):
            yield from ("", _clean(text).upper())
        case Message(blocks) | Body(blocks):
            yield from ("", *_lines(blocks))
        case StepLine(number, spans, blocks):
            yield from ("", f"{number}. {one_line(to_text((Paragraph(spans),)))}")
            if blocks:
                yield from ("", *(f"   {line}".rstrip() for line in _lines(blocks)))
        case Links(pairs):
            yield ""
            yield from (f"{name}: {encoded(url)}" for name, url in pairs)
        case _:
            yield _clean(part)


def _lines(blocks: tuple[Block, ...]) -> list[str]:
    return _clean_lines(to_text(blocks)).strip("\n").split("\n")


def _clean_lines(text: str) -> str:
    return visible(text)


def _html(part: Part) -> Iterator[dict[str, Any]]:
    match part:
        case Title(grade):
            text = f"{grade.emoji} {part}".strip()
            yield {"kind": "title", "text": _clean(text), "colour": grade.colour}
        case AlertLine(text):
            yield {"kind": "alert", "text": _clean(text), "soft": _clean(part.pairs())}
        case More(_, url):
            yield {"kind": "more", "text": str(part), "url": encoded(url)}
        case Note(text):
            yield {"kind": "note", "text": _clean(text)}
        case RunbookTitle(text, url, provenance, about):
            address = encoded(url) if is_web(url) else ""
            yield {"kind": "runbook", "text": _clean(text), "url": address}
            for soft in filter(None, (provenance, about)):
                yield {"kind": "soft", "text": _clean(soft)}
        case SectionTitle(text):
            yield {"kind": "section", "text": _clean(text)}
        case Message(blocks) | Body(blocks):
            yield {"kind": "body", "html": _fragment(blocks)}
        case StepLine(number, spans, blocks):
            first = Paragraph((Strong((Text(f"{number}."),)), Text(" "), *spans))
            yield {"kind": "body", "html": _fragment((first, *blocks))}
        case Links(pairs):
            yield {"kind": "links", "pairs": [(name, encoded(url)) for name, url in pairs]}


def _fragment(blocks: tuple[Block, ...]) -> Markup:
    """Blocks as HTML, sanitised once more on the way out. Boxes of tasks are characters, since
    mail readers show no inputs."""
    html = to_html(blocks)
    for box, sign in _BOXES.items():
        html = html.replace(box, sign)
    return Markup(nh3.clean(html, attribute_filter=_absolute))  # noqa: S704 - safe by now


def _absolute(_tag: str, attribute: str, value: str) -> str | None:
    """A message has no place of its own: an address has to be a whole one."""
    return None if attribute == "href" and not value.startswith(_SCHEMES) else value
