"""Message markup as a chat shows it: Slack's, CommonMark, Telegram's entities, plain text.

It is read only to draw what a destination would make of a message, never to write one.
"""

import re
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from itertools import pairwise
from typing import Any

from alert_router.markdown import (
    CodeSpan,
    Emphasis,
    Inline,
    Link,
    Paragraph,
    Strike,
    Strong,
    Text,
    parse,
)
from alert_router.preview.drawing import Element, TextLine, code_block, line, safe_link

_SLACK_FENCE = re.compile(r"```\n?(?P<code>.*?)\n?```\n?", re.DOTALL)
_MARKDOWN_FENCE = re.compile(
    r"^(?P<fence>`{3,})[^\n`]*\n(?P<code>.*?)\n(?P=fence)$\n?", re.DOTALL | re.MULTILINE
)
_SLACK_MENTION = re.compile(r"<(?:!subteam\^|@|!)(?P<name>\w+)>")
_DISCORD_TIME = re.compile(r"since <t:(?P<seconds>\d{1,11}):f> \(<t:(?P=seconds):R>\)")
_DISCORD_MENTION = re.compile(r"^<@&?(?P<id>\d+)>")
_SLACK_TOKEN = re.compile(
    r"`(?P<code>[^`\n]+)`"
    r"|<(?P<url>[^<>|\s]+)(?:\|(?P<label>[^<>\n]*))?>"
    r"|(?<![\w*_~])(?P<mark>[*_~])(?P<inner>[^\s\u200b](?:[^\n]*?[^\s])?)(?P=mark)(?![\w])"
)
_Format = type[Strong] | type[Emphasis] | type[Strike]
_SLACK_FORMATS: dict[str, _Format] = {"*": Strong, "_": Emphasis, "~": Strike}
_MAX_DEPTH = 8  # formats within formats
_TELEGRAM_FORMATS: dict[str, _Format] = {
    "bold": Strong,
    "italic": Emphasis,
    "strikethrough": Strike,
}


def plain_text(text: str) -> Iterator[Element]:
    """Plain text with fenced code."""
    for number, part in enumerate(text.split("```")):
        if number % 2:
            yield code_block(part)
        elif part.strip():
            yield line(part.strip("\n"))


def slack(text: str) -> Iterator[Element]:
    """Slack's mrkdwn: `*b*`, `_i_`, `~s~`, code, `<url|label>`; `&`, `<` and `>` are escaped."""
    shown = _SLACK_MENTION.sub(r"@\g<name>", text)
    return _elements(shown, _SLACK_FENCE, lambda row: _slack_line(row, unescaped), unescaped)


def google_chat(text: str) -> Iterator[Element]:
    """Google Chat's markup, which is Slack's without the escapes."""
    return _elements(text, _SLACK_FENCE, lambda row: _slack_line(row, str), str)


def commonmark(text: str) -> Iterator[Element]:
    """CommonMark, line by line, with fenced code."""
    return _elements(text, _MARKDOWN_FENCE, _markdown_line, str)


def discord(text: str) -> Iterator[Element]:
    """Discord's Markdown; times are in UTC, since the reader's zone is not known."""

    def moment(found: re.Match[str]) -> str:
        return f"since {datetime.fromtimestamp(int(found['seconds']), UTC):%Y-%m-%d %H:%M} UTC"

    return commonmark(_DISCORD_TIME.sub(moment, _DISCORD_MENTION.sub(r"@\g<id>", text)))


def unescaped(text: str) -> str:
    """Plain text of Slack's, in which three characters are escaped."""
    for name, character in (("&lt;", "<"), ("&gt;", ">"), ("&amp;", "&")):
        text = text.replace(name, character)
    return text


def _elements(
    text: str,
    fence: re.Pattern[str],
    make_line: Callable[[str], TextLine],
    decode: Callable[[str], str],
) -> Iterator[Element]:
    """Lines with code blocks in between."""
    start = 0
    for match in fence.finditer(text):
        yield from map(make_line, _rows(text[start : match.start()]))
        yield code_block(decode(match["code"]))
        start = match.end()
    yield from map(make_line, _rows(text[start:]))


def _rows(text: str) -> list[str]:
    text = text.removesuffix("\n")
    return text.split("\n") if text else []


def _slack_line(row: str, decode: Callable[[str], str]) -> TextLine:
    quote = re.match(r"(?:&gt;|>)\s", row)
    if quote:
        return TextLine(tuple(_slack_spans(row[quote.end() :], decode)), "quote")
    return TextLine(tuple(_slack_spans(row, decode)))


def _slack_spans(text: str, decode: Callable[[str], str], depth: int = 0) -> Iterator[Inline]:
    def plain(part: str) -> str:
        return decode(part).replace("\u200b", "")

    start = 0
    for token in _SLACK_TOKEN.finditer(text):
        if token.start() > start:
            yield Text(plain(text[start : token.start()]))
        start = token.end()
        if token["code"] is not None:
            yield CodeSpan(plain(token["code"]))
        elif token["url"] is not None:
            url = decode(token["url"])
            label = Text(plain(token["label"] or token["url"]).strip("*"))
            # A mention is shown as it is written.
            yield Link(url, (label,)) if safe_link(url) else Text(token[0])
        elif depth < _MAX_DEPTH:
            inner = tuple(_slack_spans(token["inner"], decode, depth + 1))
            yield _SLACK_FORMATS[token["mark"]](inner)
        else:
            yield Text(plain(token["inner"]))
    if start < len(text):
        yield Text(plain(text[start:]))


def _markdown_line(row: str) -> TextLine:
    match parse(row.replace("\u2060", "")):
        case (Paragraph(children),):
            return TextLine(children)
        case ():
            return TextLine(())
        case _:
            return line(row)


def telegram(message: Any) -> Iterator[Element]:
    """A text with Telegram's entities. Their offsets count UTF-16 code units."""
    raw = message["text"].encode("utf-16-le")
    start = 0
    for entity in message["entities"]:
        if entity["type"] == "pre":
            begin, end = _position(entity)
            yield from _telegram_lines(raw, start, begin, message["entities"])
            yield code_block(raw[begin:end].decode("utf-16-le"))
            start = end
    yield from _telegram_lines(raw, start, len(raw), message["entities"])


def _telegram_lines(raw: bytes, start: int, end: int, entities: list[Any]) -> Iterator[TextLine]:
    rows = raw[start:end].decode("utf-16-le").split("\n")
    position = start
    for number, row in enumerate(rows):
        size = len(row.encode("utf-16-le"))
        # The line feed next to a code block is not visible.
        if row or 0 < number < len(rows) - 1:
            yield TextLine(tuple(_telegram_spans(raw, position, position + size, entities)))
        position += size + len("\n".encode("utf-16-le"))


def _telegram_spans(raw: bytes, start: int, end: int, entities: list[Any]) -> Iterator[Inline]:
    positions = [(*_position(entity), entity) for entity in entities]
    inside = [(first, last, it) for first, last, it in positions if first < end and last > start]
    cuts = {start, end} | {
        min(max(cut, start), end) for first, last, _ in inside for cut in (first, last)
    }
    for begin, stop in pairwise(sorted(cuts)):
        text = raw[begin:stop].decode("utf-16-le").replace("\u2060", "")
        here = [it for first, last, it in inside if first <= begin and stop <= last]
        is_code = any(entity["type"] == "code" for entity in here)
        shown: Inline = CodeSpan(text) if is_code else Text(text)
        for entity in here:
            if entity["type"] == "text_link":
                shown = Link(entity["url"], (shown,))
            elif entity["type"] in _TELEGRAM_FORMATS:
                shown = _TELEGRAM_FORMATS[entity["type"]]((shown,))
        yield shown


def _position(entity: Any) -> tuple[int, int]:
    """Start and end of an entity, in bytes of UTF-16."""
    return 2 * entity["offset"], 2 * (entity["offset"] + entity["length"])
