"""A text with entities as Telegram shows it. Offsets count UTF-16 code units."""

from collections.abc import Iterator
from dataclasses import replace
from itertools import pairwise
from typing import Any

from alert_router.cli.preview.nodes import Line, Node, Span, address, pre, span


def nodes(message: Any) -> Iterator[Node]:
    """The lines and code blocks of a message."""
    raw = message["text"].encode("utf-16-le")
    start = 0
    for entity in message["entities"]:
        if entity["type"] == "pre":
            begin, end = _place(entity)
            yield from _lines(raw, start, begin, message["entities"])
            yield pre(raw[begin:end].decode("utf-16-le"))
            start = end
    yield from _lines(raw, start, len(raw), message["entities"])


def _lines(raw: bytes, start: int, end: int, entities: list[Any]) -> Iterator[Line]:
    """The text between two code blocks, line by line."""
    text = raw[start:end].decode("utf-16-le")
    place = start
    for number, row in enumerate(text.split("\n")):
        size = len(row.encode("utf-16-le"))
        # Beside a code block there is a line feed that is not to be seen.
        if row or 0 < number < text.count("\n"):
            yield Line(tuple(_spans(raw, place, place + size, entities)))
        place += size + len("\n".encode("utf-16-le"))


def _spans(raw: bytes, start: int, end: int, entities: list[Any]) -> Iterator[Span]:
    inside = [
        entity for entity in entities if _place(entity)[0] < end and _place(entity)[1] > start
    ]
    cuts = {start, end} | {min(max(cut, start), end) for e in inside for cut in _place(e)}
    edges = sorted(cuts)
    for begin, stop in pairwise(edges):
        shown = span(raw[begin:stop].decode("utf-16-le").replace("\u2060", ""))
        for entity in inside:
            first, last = _place(entity)
            if first <= begin and stop <= last:
                shown = _marked(shown, entity)
        yield shown


def _marked(shown: Span, entity: Any) -> Span:
    match entity["type"]:
        case "bold":
            return replace(shown, bold=True)
        case "italic":
            return replace(shown, italic=True)
        case "strikethrough":
            return replace(shown, strike=True)
        case "code":
            return replace(shown, code=True)
        case "text_link":
            return replace(shown, url=address(entity["url"]))
        case _:
            return shown


def _place(entity: Any) -> tuple[int, int]:
    """Where an entity begins and ends, in bytes of UTF-16."""
    return 2 * entity["offset"], 2 * (entity["offset"] + entity["length"])
