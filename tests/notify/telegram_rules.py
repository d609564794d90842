"""What must hold for anything Telegram is sent: a strict reader of texts with entities, written
from the Bot API's documentation (sendMessage, MessageEntity, "Formatting options") and from what
Telegram's server library does (tdlib: find_entities, check_link), and nothing of ours."""

import re
from dataclasses import dataclass, field
from ipaddress import ip_address
from typing import Any

from alert_router.notify.telegram import TelegramNotifier
from tests.notify.case import PATH, WORD, Case

SUCCESS = b'{"ok": true, "result": {"message_id": 7, "chat": {"id": -100123}}}'

_UNSEEN = re.compile(
    "[\x00-\x08\x0b-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069\ud800-\udfff]"
)
# What Telegram finds in a text by itself, outside code and links: some of it tells people.
FOUND = {
    "mention": re.compile(r"(?<!\w)@\w{2,}"),
    "hashtag": re.compile(r"(?<!\w)#[\w\u200c]+"),
    "cashtag": re.compile(r"(?<!\w)\$[A-Z]{1,8}(?!\w)"),
    "bot_command": re.compile(r"(?<![\w/<>])/\w{1,64}"),
    "url": re.compile(r"\w+://\S|\S\.[^\W\d_]{2,}|\S\.xn--"),
    "ip": re.compile(r"(?<![\d.])(?:\d{1,3}\.){3}\d{1,3}(?![\d.])"),
    "email": re.compile(r"[\w.+-]+@[\w-]+\.\w+"),
    "phone_number": re.compile(r"\+\d"),
    "bank_card_number": re.compile(r"(?:[0-9][ -]*){12}[0-9]"),
}
_FONT = {"bold", "italic", "strikethrough"}
_KEYS = {"text_link": {"url"}, "pre": {"language"}}


@dataclass
class Read:
    """A text as a reader sees it, and what its stretches are."""

    text: str
    commands: list[str] = field(default_factory=list)
    codes: list[str] = field(default_factory=list)
    links: list[tuple[str, str]] = field(default_factory=list)
    marked: list[str] = field(default_factory=list)


def check(payload: Any) -> None:
    """The message, and what is replied to it when it was changed."""
    assert set(payload) == {"message", "reply", "over"}
    assert isinstance(payload["over"], bool)
    read(payload["message"])
    assert not read(payload["reply"]).commands


def read(message: Any) -> Read:
    """The message read as Telegram does. AssertionError for what it would refuse, change, obey or
    find by itself."""
    assert set(message) == {"text", "entities", "link_preview_options"}
    assert message["link_preview_options"] == {"is_disabled": True}
    text, raw = message["text"], message["text"].encode("utf-16-le")
    assert text.strip() == text, "Telegram trims it, and what is said of its places is wrong"
    assert 1 <= len(raw) // 2 <= 4096
    assert not _UNSEEN.search(text)
    assert len(message["entities"]) <= 100
    found, plain = Read(text), bytearray(raw)
    for entity in message["entities"]:
        start, end = 2 * entity["offset"], 2 * (entity["offset"] + entity["length"])
        assert 0 <= start < end <= len(raw)
        words = raw[start:end].decode("utf-16-le")  # fails within a surrogate pair
        assert words.strip(), "an entity of white space is dropped"
        _kept(entity, words, found)
        if entity["type"] not in _FONT:
            plain[start:end] = "\n".encode("utf-16-le") * ((end - start) // 2)
    _nested(message["entities"])
    for kind, pattern in FOUND.items():
        assert not pattern.search(plain.decode("utf-16-le")), f"Telegram finds a {kind}"
    return found


def _kept(entity: Any, words: str, found: Read) -> None:
    kind = entity["type"]
    assert set(entity) - {"type", "offset", "length"} <= _KEYS.get(kind, set())
    match kind:
        case "pre":
            assert re.fullmatch(r"[\w+#-]*", entity.get("language", ""))
            found.commands.append(words)
        case "code":
            found.codes.append(words)
        case "text_link":
            _taken(entity["url"])
            assert len(entity["url"]) <= 2000
            found.links.append((words, entity["url"]))
        case _:
            assert kind in _FONT
            found.marked.append(words)


def _taken(url: str) -> None:
    """One address that Telegram does not take costs all of the message: "entity URL is invalid"."""
    found = re.fullmatch(r"(?i:https?)://(\[[^\]]+\]|[^/?#@:\[\]]+)(?::(\d+))?([/?#][!-~]*)?", url)
    assert found, "it begins with http, and names a host and no user"
    host, port = found[1], found[2]
    assert host.startswith("[") or "." in host.strip("."), "no dot in its host"
    assert not host.startswith("[") or ip_address(host[1:-1]).version == 6
    assert re.fullmatch(r"[!-~]+", host)
    assert port is None or 0 < int(port) < 65536


def _nested(entities: list[Any]) -> None:
    """Entities are sorted; two of them share nothing, or one is whole within the other, of which
    one at least is a font, and none is code."""
    places = [(one["offset"], -one["length"]) for one in entities]
    assert places == sorted(places)
    for number, outer in enumerate(entities):
        end = outer["offset"] + outer["length"]
        for inner in entities[number + 1 :]:
            if inner["offset"] >= end:
                break
            kinds = {outer["type"], inner["type"]}
            assert inner["offset"] + inner["length"] <= end, "they cross"
            assert outer["type"] != inner["type"]
            assert kinds & _FONT
            assert not kinds & {"code", "pre"}


CASES = [
    Case(
        "telegram",
        lambda url, **k: TelegramNotifier(
            bot_token=f"123:{WORD}", chat_id=-100123, api_url=url.replace(PATH, ""), **k
        ),
        check,
        ok=SUCCESS,
        any_url=False,
        mention=("@oncall_team", "@oncall_team"),
    )
]
