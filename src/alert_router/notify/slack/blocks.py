"""Block Kit within its limits: escaped text, and pieces of it packed into section blocks."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from alert_router.markdown import visible
from alert_router.notify import wording

Block = dict[str, Any]

# In characters and blocks, counted after escaping (docs.slack.dev, reference/block-kit).
MAX_BLOCKS = 50
MAX_SECTION = 3000
MAX_HEADER = 150
MAX_OPTION = 75

_ESCAPES = str.maketrans({"&": "&amp;", "<": "&lt;", ">": "&gt;"})


@dataclass(frozen=True, slots=True)
class Piece:
    """Some of a message: `text` is mrkdwn; `code` goes between fences, escaped; `plain` is not
    parsed by Slack, escaped; so is `verbatim`, which is code."""

    kind: Literal["text", "code", "plain", "verbatim"]
    text: str


def escape(text: str) -> str:
    """Text without the three characters that Slack parses, so that no mention can arise."""
    return visible(text).translate(_ESCAPES)


def header(text: str) -> Block:
    """A header of escaped text, cut to its limit."""
    return {"type": "header", "text": _plain(cut(text, MAX_HEADER))}


def context(text: str) -> Block:
    """A line of small mrkdwn."""
    return {"type": "context", "elements": [_mrkdwn(text)]}


def button(words: str, value: str) -> Block:
    """A button whose press sends the value, of at most 2,000 characters."""
    return {"type": "button", "text": _plain(words), "value": value}


def select(words: str, options: Iterable[tuple[str, str]]) -> Block:
    """A menu of plain texts, each with the value that choosing it sends, at most 75 characters."""
    return {
        "type": "static_select",
        "placeholder": _plain(words),
        "options": [
            {"text": _plain(cut(escape(text), MAX_OPTION) or "…"), "value": value}
            for text, value in options
        ],
    }


def actions(elements: Sequence[Block]) -> Block:
    """Buttons and menus in a row. Their ids only have to differ."""
    numbered = [element | {"action_id": f"act-{n}"} for n, element in enumerate(elements)]
    return {"type": "actions", "elements": numbered}


def sections(groups: Iterable[Sequence[Piece]]) -> list[Block]:
    """Groups of pieces in as few sections as hold them. A group (a step) is kept together where
    it fits into one; a longer one is cut between pieces, then between lines."""
    blocks: list[Block] = []
    held, held_plain = "", False

    def flush() -> None:
        nonlocal held
        if held.strip():
            text = held.strip("\n")
            body = _plain(text) if held_plain else _mrkdwn(text)
            # Without `expand` Slack hides the end of a long section behind "See more".
            blocks.append({"type": "section", "text": body, "expand": True})
        held = ""

    for group in groups:
        parts = [
            (piece.kind in ("plain", "verbatim"), text)
            for piece in group
            for text in _fitting(piece)
        ]
        size = sum(len(text) + 1 for _, text in parts)
        if len(held) + size > MAX_SECTION >= size:
            flush()
        for is_plain, text in parts:
            if held and (is_plain != held_plain or len(held) + 1 + len(text) > MAX_SECTION):
                flush()
            held, held_plain = f"{held}\n{text}" if held else text, is_plain
    flush()
    return blocks


def cut(text: str, limit: int) -> str:
    """Escaped text cut to `limit` characters, not through the middle of an escape or a link."""
    if len(text) <= limit:
        return text
    short = text[: limit - 1]
    for opening, closing in (("&", ";"), ("<", ">")):
        start = short.rfind(opening)
        # An escaped text has no `&` and no `<` but those that begin an escape or a link.
        if start >= 0 and closing not in short[start:]:
            short = short[:start]
    return short + "…"


def _fitting(piece: Piece) -> Iterator[str]:
    """The piece in parts that fit into a section; of code all or nothing."""
    if piece.kind in ("code", "verbatim"):
        code = f"```\n{piece.text}\n```" if piece.kind == "code" else piece.text
        yield code if len(code) <= MAX_SECTION else wording.too_long("Slack")
        return
    lines: list[str] = []
    size = 0
    for line in (cut(line, MAX_SECTION) for line in piece.text.split("\n")):
        if lines and size + len(line) > MAX_SECTION:
            yield "\n".join(lines)
            lines, size = [], 0
        lines.append(line)
        size += len(line) + 1
    yield "\n".join(lines)


def _mrkdwn(text: str) -> Block:
    return {"type": "mrkdwn", "text": text, "verbatim": True}


def _plain(text: str) -> Block:
    return {"type": "plain_text", "text": text, "emoji": False}
