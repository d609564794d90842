"""What must hold for anything Slack is sent: its limits, judged by its own SDK and again here,
and that nothing but our own links is markup."""

import json
import re
from collections.abc import Iterator
from typing import Any

from slack_sdk.models.blocks import ContextBlock, DividerBlock, HeaderBlock, SectionBlock
from slack_sdk.models.blocks.basic_components import MarkdownTextObject, PlainTextObject

from alert_router.notify.slack import SlackNotifier
from tests.notify.case import PATH, WORD, Case

_OURS = re.compile(r"<(?:https?://|mailto:)[^<>|\s]*(?:\|[^<>|]*)?>")
_ENTITY = re.compile(r"&(?!amp;|lt;|gt;)")
_UNSEEN = re.compile(
    "[\x00-\x08\x0b-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069\ud800-\udfff]"
)
_CODE = re.compile(r"```\n(.*?)\n```", re.DOTALL)


def check(message: Any) -> None:
    """Everything that Slack would refuse, or obey."""
    assert 1 <= len(message["blocks"]) <= 50
    assert message["text"].strip()
    assert not re.search("[<>]", message["text"])
    assert not _UNSEEN.search(message["text"])
    for block in message["blocks"]:
        _built(block).to_dict()
    for text in texts(message):
        assert text["text"].strip()
        assert len(text["text"]) <= 3000
        assert not _UNSEEN.search(text["text"])
        _no_markup_but_ours(text)


def check_bot(payload: Any) -> None:
    """What a bot posts or changes, and what it says in the thread."""
    assert set(payload) == {"message", "reply", "over"}
    check(payload["message"])
    check(payload["reply"])
    # All blocks together; chat.postMessage refuses from some 13,200 characters on.
    assert len(json.dumps(payload["message"]["blocks"], ensure_ascii=False)) <= 13_200


def texts(message: Any) -> Iterator[dict[str, Any]]:
    """The text objects of a message, in order."""
    for block in message["blocks"]:
        yield from block.get("elements", [block["text"]] if "text" in block else [])


def commands(message: Any) -> list[str]:
    """The code of a message as a reader copies it."""
    return [
        _unescape(code)
        for text in texts(message)
        if text["type"] == "mrkdwn"
        for code in _CODE.findall(text["text"])
    ]


def said(message: Any) -> str:
    """All the words of a message as a reader sees them."""
    return "\n".join(_unescape(text["text"]) for text in texts(message))


def _no_markup_but_ours(text: dict[str, Any]) -> None:
    words = text["text"]
    assert not _ENTITY.search(words), "an escape is cut or missing"
    if text["type"] == "plain_text":
        assert "<" not in words
        return
    assert text["verbatim"] is True
    assert words.count("```") % 2 == 0, "a fence is open"
    assert not re.search("[<>]", _OURS.sub("", words).replace("\n> ", "").removeprefix("> "))


def _unescape(text: str) -> str:
    return text.replace("&lt;", "<").replace("&gt;", ">").replace("&amp;", "&")


def _built(block: dict[str, Any]) -> Any:
    """The block built by Slack's SDK, which checks lengths as it builds."""
    match block["type"]:
        case "header":
            return HeaderBlock(text=_text(block["text"]))
        case "section":
            return SectionBlock(text=_text(block["text"]), expand=block["expand"])
        case "context":
            return ContextBlock(elements=[_text(element) for element in block["elements"]])
        case "divider":
            return DividerBlock()
    raise AssertionError(f"unknown block {block['type']}")


def _text(text: dict[str, Any]) -> Any:
    if text["type"] == "plain_text":
        return PlainTextObject(text=text["text"], emoji=text["emoji"])
    return MarkdownTextObject(text=text["text"], verbatim=text["verbatim"])


CASES = [
    Case(
        "slack",
        lambda url, **k: SlackNotifier(url=url, **k),
        check,
        ok=b"ok",
        mention=("S012AB3CD", "<!subteam^S012AB3CD>"),
    ),
    Case(
        "slack-bot",
        lambda url, **k: SlackNotifier(
            bot_token=f"xoxb-{WORD}", channel="#alerts", api_url=url.replace(PATH, "/api"), **k
        ),
        check_bot,
        ok=b'{"ok": true, "channel": "C1", "ts": "1764000000.000100"}',
        any_url=False,
        mention=("here", "<!here>"),
    ),
]
