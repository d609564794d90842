"""The markup of chats that Slack began and Google Chat took over: `*b*`, `_i_`, `~s~`, code,
fences, `<url|words>`.

Read as those chats show it, to see what they would make of a message; never to write one.
"""

import re
from collections.abc import Iterator
from dataclasses import replace

from alert_router.cli.preview.nodes import Line, Node, Span, address, pre, span

_FENCE = re.compile(r"```\n?(.*?)\n?```", re.DOTALL)
_TOKEN = re.compile(
    r"`(?P<code>[^`\n]+)`"
    r"|<(?P<url>[^<>|\s]+)(?:\|(?P<words>[^<>\n]*))?>"
    r"|(?<![\w*_~])(?P<mark>[*_~])(?P<inner>[^\s\u200b](?:[^\n]*?[^\s])?)(?P=mark)(?![\w])"
)
_DEEPEST = 8  # marks within marks


def nodes(text: str, *, escaped: bool) -> Iterator[Node]:
    """The nodes of a message's text; `escaped` where `&amp;`, `&lt;` and `&gt;` stand for what
    they name, as in Slack."""
    start = 0
    for fence in _FENCE.finditer(text):
        yield from _lines(text[start : fence.start()].removesuffix("\n"), escaped)
        yield pre(_plain(fence[1], escaped))
        start = fence.end() + (text[fence.end() : fence.end() + 1] == "\n")
    yield from _lines(text[start:].removesuffix("\n"), escaped)


def _lines(text: str, escaped: bool) -> Iterator[Node]:
    for row in text.split("\n") if text else ():
        quoted = re.match(r"(?:&gt;|>)\s", row)
        if quoted:
            yield Line(tuple(_spans(row[quoted.end() :], escaped)), "quote")
        else:
            yield Line(tuple(_spans(row, escaped)))


def _spans(text: str, escaped: bool, deep: int = 0) -> Iterator[Span]:
    start = 0
    for token in _TOKEN.finditer(text):
        if token.start() > start:
            yield span(_plain(text[start : token.start()], escaped))
        start = token.end()
        if token["code"] is not None:
            yield span(_plain(token["code"], escaped), code=True)
        elif token["url"] is not None:
            yield _link(token, escaped)
        elif deep < _DEEPEST:
            inner = _spans(token["inner"], escaped, deep + 1)
            yield from (_marked(one, token["mark"]) for one in inner)
        else:
            yield span(_plain(token["inner"], escaped))
    if start < len(text):
        yield span(_plain(text[start:], escaped))


def _marked(shown: Span, mark: str) -> Span:
    match mark:
        case "*":
            return replace(shown, bold=True)
        case "_":
            return replace(shown, italic=True)
        case _:
            return replace(shown, strike=True)


def _link(token: re.Match[str], escaped: bool) -> Span:
    url = address(_plain(token["url"], escaped))
    words = token["words"] or token["url"]
    shown = _plain(words, escaped) if url else token[0]  # a mention is shown as it is written
    return replace(span(shown.strip("*")), url=url)


def unescaped(text: str) -> str:
    """Plain text of Slack's, in which three characters are escaped."""
    for name, character in (("&lt;", "<"), ("&gt;", ">"), ("&amp;", "&")):
        text = text.replace(name, character)
    return text


def _plain(text: str, escaped: bool) -> str:
    return (unescaped(text) if escaped else text).replace("\u200b", "")
