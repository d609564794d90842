"""Draws a payload as its destination would show it, by the notifier's type: elements, which
commands write to a terminal and pages as HTML.

A drawing is made from the payload alone, so that it shows what would really be sent. Message markup
(Slack's, CommonMark, Telegram's entities) is read only for that, never to write one. A notifier
without a drawing of its own is shown as data.

All text in the elements may be hostile: whoever writes it escapes it, and writes only `safe_link`s.
"""

import json
import re
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from itertools import pairwise
from typing import Any, Literal
from urllib.parse import quote

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

_SAFE = re.compile(r"https?://|mailto:", re.IGNORECASE)

Style = Literal["", "head", "title", "small", "quote"]


@dataclass(frozen=True, slots=True)
class TextLine:
    """Spans of Markdown; newlines in their text are kept."""

    spans: tuple[Inline, ...]
    style: Style = ""


@dataclass(frozen=True, slots=True)
class CodeBlock:
    text: str


@dataclass(frozen=True, slots=True)
class Divider:
    pass


@dataclass(frozen=True, slots=True)
class Buttons:
    """Labels and URLs."""

    pairs: tuple[tuple[str, str], ...]


@dataclass(frozen=True, slots=True)
class Fields:
    """Names and values."""

    rows: tuple[tuple[str, "tuple[Element, ...]"], ...]


@dataclass(frozen=True, slots=True)
class Panel:
    """Elements beside a colored bar, or on a colored background (`filled`). The color is red,
    yellow, green, blue, grey or `#rrggbb`."""

    elements: "tuple[Element, ...]"
    color: str
    filled: bool = False


@dataclass(frozen=True, slots=True)
class Collapsible:
    """Elements below a title that opens and closes them."""

    title: str
    elements: "tuple[Element, ...]"
    opened: bool = False


@dataclass(frozen=True, slots=True)
class HtmlDocument:
    """An HTML document, such as an e-mail; `text` is its plain text part."""

    html: str
    text: str


Element = TextLine | CodeBlock | Divider | Buttons | Fields | Panel | Collapsible | HtmlDocument


def safe_link(url: object) -> str:
    """The URL if it is http, https or mailto, else an empty string."""
    return url if isinstance(url, str) and _SAFE.match(url) else ""


# What `drawing.html.jinja` needs besides `html_document` and `attributes`.
FILTERS = {"kind": lambda element: type(element).__name__, "safe_link": safe_link}


def line(text: object, style: Style = "") -> TextLine:
    """A line of plain text."""
    return TextLine((Text(str(text)),), style)


def code_block(text: object) -> CodeBlock:
    return CodeBlock(str(text).strip("\n"))


def buttons(pairs: Iterable[tuple[object, object]]) -> Iterator[Buttons]:
    """A row of buttons, if there are any."""
    found = tuple((str(label), str(url or "")) for label, url in pairs)
    if found:
        yield Buttons(found)


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


_LATER = "Sent when the message is updated later"
_SEVERITY_COLORS = {
    "critical": "red", "error": "red", "failure": "red", "warning": "yellow", "info": "blue",
    "success": "green",
}  # fmt: skip
_PRIORITY_COLORS = {5: "red", 4: "yellow", 3: "blue"}  # as in ntfy's clients
_CARD_COLORS = {"attention": "red", "warning": "yellow", "good": "green", "accent": "blue"}


@dataclass(frozen=True, slots=True)
class Drawing:
    """A message as its destination would show it. `theme` is the notifier's type, or `data`."""

    elements: tuple[Element, ...]
    theme: str = "data"


def draw(type_: str, payload: Any) -> Drawing:
    """The drawing of a payload, as the notifier's `readable` returns it."""
    known = _DRAWINGS.get(type_)
    if known is None:
        return Drawing((_data(payload),))
    try:
        return Drawing(tuple(known(payload)), type_)
    except (KeyError, IndexError, TypeError, AttributeError, ValueError):
        note = line("The preview does not know this payload's structure.", "small")
        return Drawing((note, _data(payload)))


def designer(type_: str, payload: Any) -> tuple[str, str] | None:
    """What the destination's own design tool is called and its URL, with the payload if the tool
    accepts one; None if there is no such tool."""
    if type_ == "slack":
        blocks = json.dumps(
            {"blocks": payload.get("message", payload)["blocks"]}, separators=(",", ":")
        )
        url = f"https://app.slack.com/block-kit-builder/#{quote(blocks, safe='')}"
        return "Block Kit Builder", url
    if type_ == "teams":
        name = "Adaptive Cards Designer (paste the card)"
        return name, "https://adaptivecards.io/designer/"
    return None


def _data(payload: Any) -> Element:
    is_text = isinstance(payload, str)
    return code_block(payload if is_text else json.dumps(payload, indent=2, ensure_ascii=False))


def _slack(payload: Any) -> Iterator[Element]:
    yield from _slack_blocks(payload.get("message", payload)["blocks"])
    if "reply" in payload:
        yield Collapsible(_LATER, tuple(_slack_blocks(payload["reply"]["blocks"])))


def _slack_blocks(blocks: Iterable[Any]) -> Iterator[Element]:
    before = ""
    for block in blocks:
        if before == block["type"] == "section":
            yield TextLine(())  # Slack separates sections
        before = block["type"]
        match block["type"]:
            case "header":
                yield line(unescaped(block["text"]["text"]), "head")
            case "divider":
                yield Divider()
            case "section":
                yield from _slack_text(block["text"])
            case "context":
                for element in block["elements"]:
                    for it in _slack_text(element):
                        yield replace(it, style="small") if isinstance(it, TextLine) else it
            case _:
                yield _data(block)


def _slack_text(text: Any) -> Iterable[Element]:
    if text["type"] == "mrkdwn":
        return slack(text["text"])
    return [line(unescaped(text["text"]))]


def _googlechat(payload: Any) -> Iterator[Element]:
    return google_chat(payload["text"])


def _pagerduty(payload: Any) -> Iterator[Element]:
    for event in payload if isinstance(payload, list) else [payload]:
        yield from _event(event)


def _event(event: Any) -> Iterator[Element]:
    alert = event.get("payload", {})
    is_resolved = event["event_action"] == "resolve"
    color = "green" if is_resolved else _SEVERITY_COLORS.get(alert.get("severity", ""), "grey")
    title = alert.get("summary") or f"{event['event_action']} {event['dedup_key']}"
    yield Panel((line(title, "head"),), color)
    names = ("event_action", "severity", "source", "component", "group", "class", "timestamp")
    values = {name: event.get(name, alert.get(name)) for name in (*names, "dedup_key")}
    yield Fields(tuple((name, (line(value),)) for name, value in values.items() if value))
    if details := alert.get("custom_details"):
        yield line("Custom details", "title")
        yield Fields(tuple((name, tuple(_value(value))) for name, value in details.items()))
    yield from buttons((it.get("text") or it["href"], it["href"]) for it in event.get("links", ()))


def _value(value: Any) -> Iterator[Element]:
    text = value if isinstance(value, str) else json.dumps(value, indent=2, ensure_ascii=False)
    return plain_text(text)


def _telegram(payload: Any) -> Iterator[Element]:
    yield from telegram(payload["message"])
    yield Collapsible(_LATER, tuple(telegram(payload["reply"])))


def _ntfy(payload: Any) -> Iterator[Element]:
    priority = payload["priority"]
    yield Panel((line(payload["title"], "head"),), _PRIORITY_COLORS.get(priority, "grey"))
    yield from plain_text(payload["message"])
    yield from buttons((action["label"], action["url"]) for action in payload["actions"])
    yield line(" · ".join([f"priority {priority}", *payload["tags"]]), "small")


def _apprise(payload: Any) -> Iterator[Element]:
    color = _SEVERITY_COLORS.get(payload["type"], "grey")
    yield Panel((line(payload["title"], "head"),), color)
    yield from plain_text(payload["body"])


def _discord(payload: Any) -> Iterator[Element]:
    yield from _discord_message(payload["message"])
    yield Collapsible(_LATER, tuple(_discord_message(payload["notice"])))


def _discord_message(message: Any) -> Iterator[Element]:
    yield from discord(message["content"])
    for embed in message["embeds"]:
        description = tuple(discord(embed["description"]))
        yield Panel(description, f"#{embed['color']:06x}")


def _mattermost(payload: Any) -> Iterator[Element]:
    return commonmark(payload["text"])


def _email(payload: Any) -> Iterator[Element]:
    yield TextLine((Text("Subject: "), Strong((Text(payload["subject"]),))))
    yield HtmlDocument(payload["html"], payload["text"])
    yield Collapsible("Plain text part", (code_block(payload["text"]),))


def _console(payload: Any) -> Iterator[Element]:
    yield code_block(payload)


def _teams(payload: Any) -> Iterator[Element]:
    for attachment in payload["attachments"]:
        card = attachment["content"]
        yield from _card_elements(card["body"])
        yield from buttons((it["title"], it.get("url")) for it in card.get("actions", ()))


def _card_elements(elements: Iterable[Any]) -> Iterator[Element]:
    """The elements of an Adaptive Card."""
    titles: dict[str, str] = {}  # of each container that can be collapsed, by its id
    for element in elements:
        targets = element.get("selectAction", {}).get("targetElements", [])
        is_visible = element.get("isVisible", True)
        if targets:
            runs = [run for item in element["items"] for run in item["inlines"]]
            titles[targets[0]] = "".join(run["text"] for run in runs).lstrip("▾▸ ")
        elif element.get("id") in titles:
            title = titles[element["id"]]
            yield Collapsible(title, tuple(_card_elements(element["items"])), is_visible)
        elif is_visible:
            yield from _card_element(element)


def _card_element(element: Any) -> Iterator[Element]:
    if element.get("separator"):
        yield Divider()
    match element["type"]:
        case "RichTextBlock":
            runs = element["inlines"]
            is_head = any(run.get("size") == "Large" for run in runs)
            is_small = all(run.get("size") == "Small" for run in runs)
            style: Style = "head" if is_head else "small" if is_small else ""
            yield TextLine(tuple(map(_run, runs)), style)
        case "CodeBlock":
            yield code_block(element["codeSnippet"])
        case "Container":
            color = _CARD_COLORS.get(element.get("style", ""), "grey")
            inner = tuple(_card_elements(element["items"]))
            yield Panel(inner, color, filled="style" in element)
        case "TextBlock":
            yield line(element["text"].replace("<at>", "@").replace("</at>", ""))
        case _:
            yield _data(element)


def _run(run: Any) -> Inline:
    is_code = run.get("fontType") == "Monospace" and run.get("size") != "Small"
    shown: Inline = CodeSpan(run["text"]) if is_code else Text(run["text"])
    if run.get("weight") == "Bolder":
        shown = Strong((shown,))
    if run.get("italic"):
        shown = Emphasis((shown,))
    if run.get("strikethrough"):
        shown = Strike((shown,))
    if "selectAction" in run:
        shown = Link(run["selectAction"].get("url", ""), (shown,))
    return shown


_DRAWINGS: dict[str, Callable[[Any], Iterator[Element]]] = {
    "apprise": _apprise,
    "console": _console,
    "discord": _discord,
    "email": _email,
    "googlechat": _googlechat,
    "mattermost": _mattermost,
    "ntfy": _ntfy,
    "pagerduty": _pagerduty,
    "slack": _slack,
    "teams": _teams,
    "telegram": _telegram,
}
