"""Text with entities, as Telegram takes it: words, and beside them which of them are bold, code or
a link. Nothing in the text is markup, so nothing is escaped.

Offsets and lengths count UTF-16 code units (core.telegram.org/bots/api#messageentity).
"""

import re
from collections.abc import Iterable
from dataclasses import dataclass, replace
from ipaddress import IPv6Address
from typing import Any

from alert_router.fields import LONGEST_URL
from alert_router.markdown import visible
from alert_router.notify.by_severity import named
from alert_router.notify.chat import ADDRESS
from alert_router.notify.links import encoded
from alert_router.notify.render import utf16_units as units

# What Telegram finds in a text by itself, whatever entities it is sent (tdlib, find_entities in
# MessageEntity.cpp): @names, which it notifies, #tags, $TAGS, /commands, URLs, numbers of phones
# and bank cards. A word joiner (U+2060) behind a match prevents it.
_FOUND = re.compile(
    r"""
      [@](?=\w)
    | [#](?=[\w\u200c\u0d80-\u0dff])
    | [$](?=[A-Z]|1INCH)
    | (?<!\w)/(?=\w)
    | :(?=//)
    | \.(?=[^\s.0-9])           # a name of a host: its last part begins with no digit
    | \.(?=[0-9]+\.[0-9]+\.[0-9])  # an IPv4 address; 0.5 and 1.25.3 stay as they are
    | [+](?=[0-9])
    | (?:[0-9][ -]*){12}(?=[0-9])
    """,
    re.VERBOSE,
)
# Which URLs a text_link may have; for a single other one the whole message is refused:
# "entity URL '...' is invalid" (tdlib, check_link in LinkManager.cpp, parse_url in HttpUrl.cpp).
# There must be a dot in the host, so http://alertmanager:9093 is refused, and mailto: becomes
# http://mailto:.
_NAME = r"(?:[a-z0-9_-]|%[0-9a-f]{2})+"
_LINKED = re.compile(
    rf"https?://(?:{_NAME}(?:\.{_NAME})+\.?|\[(?P<v6>[0-9a-f:.]+)\])(?::(?P<port>[0-9]{{1,5}}))?(?:[/?#].*)?",
    re.IGNORECASE,
)
_LANGUAGE = re.compile(r"[A-Za-z0-9+#-]{1,30}")
_LONGEST_SHOWN = 250  # characters of a URL that stands in the text
_CODE = ("code", "pre")


@dataclass(frozen=True, slots=True)
class Entity:
    """What a stretch of the text is. `url` goes with `text_link`, `language` with `pre`, `user`
    (an id) with `text_mention`."""

    type: str
    offset: int
    length: int
    url: str = ""
    language: str = ""
    user: int = 0

    def as_json(self) -> dict[str, Any]:
        """The entity as the Bot API has it."""
        found: dict[str, Any] = {"type": self.type, "offset": self.offset, "length": self.length}
        more: dict[str, Any] = {"url": self.url, "language": self.language}
        if self.user:
            more["user"] = {"id": self.user}
        return found | {name: value for name, value in more.items() if value}


@dataclass(frozen=True, slots=True)
class Marked:
    """Some text and its entities, sorted, the outer ones first."""

    text: str
    entities: tuple[Entity, ...] = ()

    @property
    def units(self) -> int:
        """How long it is to Telegram."""
        return units(self.text)

    @property
    def urls(self) -> int:
        """Characters of all URLs in it."""
        return sum(len(entity.url) for entity in self.entities)


def joined(parts: Iterable[Marked], between: str = "") -> Marked:
    """The parts one after another."""
    texts: list[str] = []
    entities: list[Entity] = []
    offset = 0
    for number, part in enumerate(parts):
        if number:
            texts.append(between)
            offset += units(between)
        texts.append(part.text)
        entities += (replace(one, offset=one.offset + offset) for one in part.entities)
        offset += part.units
    return Marked("".join(texts), tuple(entities))


def literal(text: str) -> Marked:
    """Words in which Telegram finds nothing by itself."""
    return Marked(_FOUND.sub(lambda found: f"{found[0]}\u2060", visible(text)))


def code(text: str, kind: str = "code", language: str = "") -> Marked:
    """Words as code, exactly as they are: Telegram looks for nothing in it."""
    words = visible(text)
    if not words.strip():
        return Marked(words)
    known = language if kind == "pre" and _LANGUAGE.fullmatch(language) else ""
    return Marked(words, (Entity(kind, 0, units(words), language=known),))


def mentioned(name: str) -> Marked:
    """`@name`, which Telegram finds by itself, or `Ann <123>`: the name, for that user."""
    found = named(name)
    if found is None:
        return Marked(name)
    return Marked(found[0], (Entity("text_mention", 0, units(found[0]), user=int(found[1])),))


def is_linked(url: str) -> bool:
    """Whether Telegram accepts a link to it."""
    found = _LINKED.fullmatch(encoded(url))
    if found is None or len(found[0]) > LONGEST_URL:
        return False
    if found["port"] is not None and not 0 < int(found["port"]) < 65536:
        return False
    return found["v6"] is None or _is_v6(found["v6"])


def link(url: str, words: str) -> Marked:
    """Words with a link. A URL that Telegram does not link stands behind them, as code, to be
    copied; where the URL is not one for a browser there are only the words."""
    label, address = literal(words), encoded(url)
    if is_linked(url):
        return _over("text_link", label if label.text.strip() else Marked("link"), url=address)
    if not ADDRESS.match(url) or len(address) > _LONGEST_SHOWN:
        return label
    if words.strip() in ("", url, address):
        return code(address)
    return joined((label, Marked(" ("), code(address), Marked(")")))


def _is_v6(text: str) -> bool:
    try:
        return bool(IPv6Address(text))
    except ValueError:
        return False


def emphasised(kind: str, words: Marked) -> Marked:
    """Words that are `bold`, `italic` or `strikethrough`. Code cannot be any of these."""
    if any(one.type in _CODE for one in words.entities):
        return words
    others = tuple(one for one in words.entities if one.type != kind)
    return _over(kind, Marked(words.text, others))


def trimmed(marked: Marked) -> Marked:
    """Without white space at its end, as Telegram would send it on."""
    text = marked.text.rstrip()
    end = units(text)
    kept = (replace(e, length=min(e.length, end - e.offset)) for e in marked.entities)
    return Marked(text, tuple(entity for entity in kept if entity.length > 0))


def _over(kind: str, words: Marked, url: str = "") -> Marked:
    """The entity over all of the words but the white space around them."""
    core = words.text.strip()
    if not core:
        return words
    start = units(words.text[: words.text.index(core)])
    whole = Entity(kind, start, units(core), url)
    entities = sorted((whole, *words.entities), key=lambda e: (e.offset, -e.length))
    return Marked(words.text, tuple(entities))
