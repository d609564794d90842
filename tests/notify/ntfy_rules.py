"""What an ntfy server takes as JSON: a strict reading of its documentation, limits in bytes, and a
server that answers as ntfy does. Nothing of the renderer's is used here."""

import json
import re
from typing import Any
from urllib.parse import urlsplit

from alert_router.notify.ntfy import NtfyNotifier
from tests.notify.case import PATH, WORD, Case
from tests.notify.destination import Script, answer

_KEYS = {"title", "message", "priority", "tags", "click", "actions"}
_TOPIC = re.compile(r"[-_A-Za-z0-9]{1,64}")
_UNSEEN = re.compile(
    "[\x00-\x08\x0b-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069\ud800-\udfff]"
)
_FENCED = re.compile(r"^(`{3,})\n(.*?)\n\1$", re.DOTALL | re.MULTILINE)
OK = b'{"id":"hwQ2YpKdmg","time":1635528741,"event":"message","topic":"t","message":"x"}'


def objections(body: dict[str, Any], size: int) -> list[tuple[int, str]]:
    """What a server finds wrong with a whole body of that many bytes: its numbers and words."""
    found = []
    if size > 8192:
        found.append((41303, "JSON body too large"))
    if not _TOPIC.fullmatch(str(body.get("topic", ""))):
        found.append((40009, "invalid request: topic invalid"))
    if body.get("priority") not in {1, 2, 3, 4, 5}:
        found.append((40007, "invalid priority parameter"))
    actions = body.get("actions", [])
    if len(actions) > 3 or any(set(one) != {"action", "label", "url"} for one in actions):
        found.append((40018, "invalid request: actions invalid"))
    if len(body["message"].encode()) > 4096:
        found.append((41301, "the message became an attachment"))
    return found


def check(body: Any) -> None:
    """All that holds of a message, which does not name its topic yet."""
    assert {"title", "message", "priority", "tags", "actions"} <= set(body) <= _KEYS
    whole = {"topic": "t" * 64, "sequence_id": "s" * 32} | body
    assert objections(whole, len(json.dumps(whole, ensure_ascii=False).encode())) == []
    assert 1 <= len(body["title"].encode()) <= 1024
    assert body["message"].strip(), "ntfy would say `triggered` instead"
    assert len(",".join(body["tags"]).encode()) <= 512
    assert "\n" not in body["title"]
    assert "=?" not in body["title"], "it would be decoded into something else"
    for text in (body["title"], body["message"], *body["tags"]):
        assert not _UNSEEN.search(text)
    for tag in body["tags"]:
        assert re.fullmatch(r"[^,\s]+", tag)
    for action in body["actions"]:
        assert action["action"] == "view", "any other does something by itself"
        assert 0 < len(action["label"]) <= 80
        _address(action["url"])
    if "click" in body:
        _address(body["click"])


def _address(url: str) -> None:
    assert url.isascii()
    assert " " not in url
    parts = urlsplit(url)
    assert parts.scheme.lower() in {"http", "https"}
    assert parts.netloc


def ntfy() -> Script:
    """An ntfy server: says a message back, or why not."""

    async def script(here: Any, writer: Any) -> None:
        _, _, raw = here.requests[-1]
        body = json.loads(raw)
        for code, words in objections(body, len(raw)):
            said = {"code": code, "http": code // 100, "error": words}
            await answer(code // 100, json.dumps(said).encode())(here, writer)
            return
        said = body | {"id": "hwQ2YpKdmg", "time": 1635528741, "event": "message"}
        await answer(200, json.dumps(said).encode())(here, writer)

    return script


def commands(body: Any) -> list[str]:
    """The commands of a message as a reader copies them."""
    return [found[2] for found in _FENCED.finditer(body["message"])]


CASES = [
    Case(
        "ntfy",
        lambda url, **k: NtfyNotifier(
            topic=f"t{WORD}", token=f"tk_{WORD}", url=url.replace(PATH, ""), **k
        ),
        check,
        ok=OK,
        any_url=False,
    )
]
