"""What must hold for anything Google Chat is sent: a strict reader of Chat's markup, written from
its public documentation ("Format messages", spaces.messages.create) and nothing of ours."""

import json
import re
from dataclasses import dataclass, field
from typing import Any

from alert_router.notify.googlechat import GoogleChatNotifier
from tests.notify.case import Case

MAX_BYTES = 32_000
SUCCESS = b'{"name": "spaces/AAA/messages/BBB.CCC", "thread": {"name": "spaces/AAA/threads/BBB"}}'

_UNSEEN = re.compile(
    "[\x00-\x08\x0b-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069\ud800-\udfff]"
)
_MENTION = re.compile(r"<\s*(?:users|customEmojis)/", re.IGNORECASE)
_LINK = re.compile(r"<((?:https?://|mailto:)[!-;=?-{}~]+)(?:\|([^<>|\n]+))?>", re.IGNORECASE)
_CODE = re.compile(r"`([^`\n]+)`")
_MARKED = re.compile(r"(?<!\w)([*~])(?=\S)([^*~\n]*?\S)\1(?!\w)")
_ITALIC = re.compile(r"(?<!\w)_(?=\S)(.*?\S)_(?!\w)")


@dataclass
class Read:
    """A text as a reader sees it: its lines without markup, and what was marked up."""

    lines: list[str] = field(default_factory=list)
    commands: list[str] = field(default_factory=list)
    codes: list[str] = field(default_factory=list)
    links: list[tuple[str, str]] = field(default_factory=list)
    marked: list[str] = field(default_factory=list)


def check(message: Any) -> None:
    """Everything that Chat would refuse, or obey."""
    assert set(message) == {"text", "markupSyntax", "thread"}
    assert message["markupSyntax"] == "MARKUP_SYNTAX_CHAT"
    assert set(message["thread"]) == {"threadKey"}
    assert re.fullmatch(r"[!-~]{1,200}", message["thread"]["threadKey"])
    assert len(json.dumps(message, ensure_ascii=False).encode()) <= MAX_BYTES + 10  # its spaces
    assert message["text"].strip()
    assert not _UNSEEN.search(message["text"])
    assert not _MENTION.search(message["text"]), "somebody is pinged"
    read(message)


def read(message: Any) -> Read:
    """The message read as Chat does. AssertionError where it is not surely as it was meant."""
    found = Read()
    command: list[str] | None = None
    for line in message["text"].split("\n"):
        if line == "```":
            if command is not None:
                found.commands.append("\n".join(command))
            command = [] if command is None else None
        elif command is not None:
            assert "```" not in line
            assert not _LINK.search(line), "a command would be a link"
            command.append(line)
        else:
            found.lines.append(_line(line, found))
    assert command is None, "a fence is open"
    return found


def _line(line: str, found: Read) -> str:
    assert not re.match(r"\s*(?:[-*] |>)", line), "a list or quote that nobody meant"
    assert "``" not in line
    words = _CODE.sub(lambda code: _kept(found.codes, code[1]), line)
    words = _LINK.sub(lambda link: _linked(found, link), words)
    assert not re.search(r"<(?!\s)|`", words), "an angle or a backtick is open"
    for _ in range(3):  # bold in italic in struck through
        words = _MARKED.sub(lambda mark: _kept(found.marked, mark[2]), words)
        words = _ITALIC.sub(lambda mark: _kept(found.marked, mark[1]), words)
    assert not re.search(r"[*~]|(?<!\w)_|_(?!\w)", words), "a mark is open"
    return words


def _kept(kept: list[str], words: str) -> str:
    kept.append(words)
    return words if not re.search(r"[*~_<`]", words) else re.sub(r"[*~_<`]", "x", words)


def _linked(found: Read, link: re.Match[str]) -> str:
    assert len(link[1]) <= 2000
    found.links.append((link[2] or link[1], link[1]))
    return _kept([], link[2] or "x")


CASES = [
    Case(
        "googlechat",
        lambda url, **k: GoogleChatNotifier(url=url, **k),
        check,
        ok=SUCCESS,
        mention=("users/12345", "<users/12345>"),
    )
]
