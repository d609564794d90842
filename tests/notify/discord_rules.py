"""What must hold for anything Discord is sent: a strict reader of its Markdown, written from its
public documentation ("Markdown Text 101", "Message Formatting", "Embed Limits") and from what its
client is known to do, and from nothing of ours."""

import re
from dataclasses import dataclass, field
from typing import Any

from alert_router.notify.discord import DiscordNotifier
from tests.notify.case import Case

# docs.discord.com: Execute Webhook, Embed Limits. In UTF-16 units, which are never fewer than
# the code points that Discord counts.
MAX_CONTENT, MAX_TITLE, MAX_DESCRIPTION, MAX_EMBEDS, MAX_ALL = 2000, 256, 4096, 10, 6000
ROLE = "1190000000000000001"
SUCCESS = b'{"id": "1180000000000000001", "channel_id": "1170000000000000001", "type": 0}'

_UNSEEN = re.compile(
    "[\x00-\x08\x0b-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069\ud800-\udfff]"
)
# What is found in plain words: who is pinged, what is linked, what becomes a picture or a date.
_FOUND = re.compile(
    r"@everyone|@here|<@|<#|<t:|<a?:\w|</\w|<id:|<[^: >\n]+:/|<mailto:|<\+\d"
    r"|(?:https?|steam|discord)://[^\s<]|(?<!\w):\w+:",
    re.IGNORECASE,
)
_BEGINS = re.compile(r" *(?:[-*] |\d+\. |> |>>> )")
_LOOK = re.compile(r"(#{1,3}|-#) +(?=\S)")
_LINK = re.compile(r"\[([^\[\]\n]+)\]\((https?://[^\s()<>\\]+)\)", re.IGNORECASE)
_MARKS = ("**", "*", "~~", "__", "_", "||")
_PLAIN = "\ue000"  # stands for a character that a backslash made plain


@dataclass
class Read:
    """A text as a reader sees it: its lines, and what in it was markup."""

    lines: list[str] = field(default_factory=list)
    commands: list[str] = field(default_factory=list)
    codes: list[str] = field(default_factory=list)
    links: list[tuple[str, str]] = field(default_factory=list)
    marked: list[str] = field(default_factory=list)
    looks: list[str] = field(default_factory=list)


def units(text: str) -> int:
    return len(text.encode("utf-16-le")) // 2


def check(payload: Any) -> None:
    """Everything that Discord would refuse, or obey, in the message and in what tells of it."""
    assert set(payload) == {"message", "notice", "firing", "over"}
    assert len(payload["firing"]) <= 1000
    for message in (payload["message"], payload["notice"]):
        read(message)


def read(message: Any) -> Read:
    """A message as a reader sees it. AssertionError where it is not surely as it was meant."""
    assert set(message) == {"content", "embeds", "allowed_mentions"}
    assert message["allowed_mentions"]["parse"] == message["allowed_mentions"]["users"] == []
    assert message["allowed_mentions"]["roles"] in ([], [ROLE])
    assert units(message["content"]) <= MAX_CONTENT
    assert message["content"].strip()
    assert len(message["embeds"]) <= MAX_EMBEDS
    found, whole = Read(), 0
    _read(message["content"], found)
    for embed in message["embeds"]:
        assert set(embed) <= {"title", "url", "description", "color"}
        assert 0 <= embed["color"] <= 0xFFFFFF
        assert embed["description"].strip()
        assert units(embed["description"]) <= MAX_DESCRIPTION
        assert units(embed.get("title", "")) <= MAX_TITLE
        whole += units(embed["description"]) + units(embed.get("title", ""))
        _read(embed["description"], found)
    assert whole <= MAX_ALL
    return found


def _read(text: str, found: Read) -> None:
    assert not _UNSEEN.search(text)
    pieces = re.split(r"(?m)^```", text)  # every other one is within a fence
    assert len(pieces) % 2 == 1, "a fence is open"
    for number, piece in enumerate(pieces):
        assert "```" not in piece
        if number % 2:
            language, newline, code = piece.partition("\n")
            assert newline, "a fence within a line"
            assert re.fullmatch(r"[\w+.-]*", language)
            found.commands.append(code.removesuffix("\n"))
        else:
            lines = piece.split("\n")
            assert number == 0 or lines[0] == "", "a fence that is not closed on a line of its own"
            for line in lines:
                _line(line, found)


def _line(line: str, found: Read) -> None:
    assert not _BEGINS.match(line), "a list or quote that nobody meant"
    look = _LOOK.match(line)
    shown = _Line(line[look.end() :] if look else line, found).read()
    found.lines.append(shown)
    if look:
        found.looks.append(shown)


class _Line:
    """Reads one line from left to right, as the client's parser does."""

    def __init__(self, line: str, found: Read) -> None:
        self.line, self.at, self.found = line, 0, found
        self.shown, self.checked = "", ""
        self.open: list[tuple[str, int]] = []

    def read(self) -> str:
        while self.at < len(self.line):
            self._step(self.line[self.at :])
        assert not self.open, "a mark is open"
        obeyed = _FOUND.search(self.checked)
        assert not obeyed, f"obeyed: {obeyed}"
        return self.shown

    def _step(self, rest: str) -> None:
        if moment := re.match(r"<t:\d+:[fR]>", rest):
            self._take(moment.end(), moment[0], _PLAIN)
        elif re.match(r"\\[^0-9A-Za-z\s]", rest):
            self._take(2, rest[1], _PLAIN)
        elif rest[0] == "`":
            self._code(rest)
        elif rest[0] == "[":
            self._link(rest)
        elif mark := next((mark for mark in _MARKS if rest.startswith(mark)), None):
            self._mark(mark, rest)
        else:
            assert not (rest[0] == "\\" and len(rest) == 1), "a backslash escapes the line's end"
            self._take(1, rest[0], rest[0])

    def _take(self, count: int, shown: str, checked: str) -> None:
        self.at += count
        self.shown += shown
        self.checked += checked

    def _code(self, rest: str) -> None:
        code = re.match(r"(`+)(.+?)(?<!`)\1(?!`)", rest)
        assert code, "a backtick is open"
        assert len(code[1]) < 3, "a fence within a line"
        words = code[2].strip() if "`" in code[2] else code[2]
        self.found.codes.append(words)
        self._take(code.end(), words, _PLAIN)

    def _link(self, rest: str) -> None:
        link = _LINK.match(rest)
        assert link, "a bracket is open"
        # Within a link no backslash is obeyed, and one that seems to link elsewhere is none.
        assert not re.search(r"[\\`*~|<>]|https?://|@everyone|@here", link[1])
        assert not re.search(r"(?<![0-9A-Za-z])_|_(?![0-9A-Za-z])", link[1])
        self.found.links.append((link[1], link[2]))
        self._take(link.end(), link[1], _PLAIN)

    def _mark(self, mark: str, rest: str) -> None:
        before = self.line[self.at - 1 : self.at]
        if mark == "_" and re.match(r"[0-9A-Za-z]_[0-9A-Za-z]", before + rest):
            self._take(1, "_", "_")
            return
        assert mark not in ("||", "__"), "a mark that is never ours"
        if self.open and self.open[-1][0] == mark:
            _, start = self.open.pop()
            assert self.shown[start:].strip(), "nothing is marked"
            assert not self.shown.endswith(" ")
            self.found.marked.append(self.shown[start:])
        else:
            assert not self.open, "a mark within a mark"
            assert rest.removeprefix(mark)[:1].strip(), "a mark that marks nothing"
            self.open.append((mark, len(self.shown)))
        self.at += len(mark)
        self.checked += _PLAIN


CASES = [
    Case(
        "discord",
        lambda url, **k: DiscordNotifier(url=url, **k),
        check,
        ok=SUCCESS,
        mention=(f"role:{ROLE}", f"<@&{ROLE}>"),
    )
]
