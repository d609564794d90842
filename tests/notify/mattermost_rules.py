"""What must hold for anything Mattermost is sent: its server's rewriting and its search for
mentions done once more here, and its Markdown read by a parser that is not ours.

Written from its server's and its web client's public source: webhook.go, slack.go,
mention_parser_standard.go, text_formatting.tsx, and its fork of marked."""

import re
from dataclasses import dataclass, field
from typing import Any

from markdown_it import MarkdownIt

from alert_router.notify.mattermost import MattermostNotifier
from tests.notify.case import Case

MAX_POST = 16_383  # characters; more is cut in two anywhere
SUCCESS = b"ok"

_UNSEEN = re.compile(
    "[\x00-\x08\x0b-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069\ud800-\udfff]"
)
# The server writes these anew before it looks at anything, in code too.
_REWRITTEN = re.compile(r"<!(?:channel|here|all)>|<@[a-zA-Z0-9]+>|<[^\n<|>]+\|[^|\n>]+>")
_WORD = re.compile(r"[^\W_]|[:._@-]")
_LETTER = r"[^\W\d_]"
_FOUND = {
    "mention": re.compile(r"(?<![0-9A-Za-z])@[0-9a-z._-]", re.IGNORECASE),
    "channel": re.compile(r"(?<!\w)~[0-9a-z._-]", re.IGNORECASE),
    "hashtag": re.compile(rf"(?<!\w)#{_LETTER}[\w.-]*\w"),
    "emoji": re.compile(r":[0-9a-zA-Z_+-]+:"),
    "emoticon": re.compile(
        r"(?<!\w)(?::['’]?-?[)(\]\[/|$@*dpos](?!\w)|;-?\))|<[/]?3", re.IGNORECASE
    ),
    "e-mail": re.compile(rf"[^\s@]@[\w.-]+[.]{_LETTER}{{2,5}}(?!\w)"),
    "address": re.compile(
        rf"(?<![\w.-])[a-z][a-z\d.+-]*:(?:/{{1,3}}|[^\W_]|%)\S|www\d{{0,3}}[.]\S"
        rf"|(?<!\w)[\w.-]+[.]{_LETTER}{{2,4}}/\S",
        re.IGNORECASE,
    ),
}
_FENCE = re.compile(r"^(`{3,})[^`\n]*\n.*?^\1$", re.MULTILINE | re.DOTALL)
_SPAN = re.compile(r"(?<![`\\])(`+)(?!`).+?(?<!`)\1(?!`)")
_OURS = frozenset(
    ("paragraph_open", "paragraph_close", "inline", "fence", "heading_open", "heading_close")
)


@dataclass
class Read:
    """A text as a reader sees it: its words, and what in it was markup."""

    words: str = ""
    commands: list[str] = field(default_factory=list)
    codes: list[str] = field(default_factory=list)
    links: list[tuple[str, str]] = field(default_factory=list)
    marked: list[str] = field(default_factory=list)


def check(message: Any) -> None:
    """Everything that Mattermost would refuse, or obey."""
    assert set(message) <= {"text", "channel", "username", "icon_url", "icon_emoji"}
    assert message["text"].strip()
    assert len(message["text"]) <= MAX_POST
    read(message)


def read(message: Any) -> Read:
    """The message as a reader sees it. AssertionError where it is not surely as it was meant."""
    text = message["text"]
    assert not _UNSEEN.search(text)
    assert not _REWRITTEN.search(text), "the server would write it anew"
    lines = _FENCE.sub("", text)
    assert not re.search(r"(?m)^ {4}", lines), "an indented line is code"
    assert not re.search(r"\$[^$\n]+\$", _SPAN.sub("", lines)), "a formula"
    found = Read()
    for token in (
        MarkdownIt("commonmark", {"html": True}).enable(["table", "strikethrough"]).parse(text)
    ):
        assert token.type in _OURS, f"{token.type} that nobody meant"
        if token.type == "fence":
            assert re.fullmatch(r"[\w+.-]*", token.info)
            found.commands.append(token.content.removesuffix("\n"))
        elif token.type == "inline":
            _inline(token.children or [], found)
            found.words += "\n"
    assert len(found.commands) == len(_FENCE.findall(text)), "a fence is open"
    return found


def _inline(spans: list[Any], found: Read) -> None:
    text, href, starts = "", "", []
    for span in spans:
        if span.type == "text":
            text += span.content
            found.words += span.content
            continue
        _plain_words(text)
        text = ""
        match span.type:
            case "code_inline":
                found.codes.append(span.content)
                found.words += span.content
            case "softbreak" | "hardbreak":
                found.words += "\n"
            case "link_open":
                href = span.attrs["href"]
                assert re.match(r"https?://|mailto:", href, re.IGNORECASE)
                assert len(href) <= 2000
                starts.append(len(found.words))
            case "link_close":
                found.links.append((found.words[starts.pop() :], href))
            case "strong_open" | "em_open" | "s_open":
                starts.append(len(found.words))
            case "strong_close" | "em_close" | "s_close":
                found.marked.append(found.words[starts.pop() :])
            case _:
                raise AssertionError(f"{span.type} that nobody meant")
    _plain_words(text)


def _plain_words(text: str) -> None:
    """Words outside code, as the server and the client search them."""
    for name, pattern in _FOUND.items():
        obeyed = pattern.search(text)
        assert not obeyed, f"{name}: {obeyed}"
    for word in re.split(r"[^\w:.@-]|(?!_)(?=[^\w:.@-])", text):
        parts = [word.lstrip(":._-"), *re.split(r"[.:-]", word)]
        assert not any(part.startswith("@") and part != "@" for part in parts), "somebody is pinged"


CASES = [
    Case(
        "mattermost",
        lambda url, **k: MattermostNotifier(url=url, **k),
        check,
        ok=SUCCESS,
        mention=("@oncall-team", "@oncall-team"),
    )
]
