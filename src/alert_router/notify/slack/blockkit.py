"""Block Kit: its limits, and pieces of text packed into section blocks within them.

What a message says is `slack`'s; how Markdown looks in it is `mrkdwn`'s.
"""

from collections.abc import Iterable, Iterator, Sequence
from typing import Any

from alert_router.notify.slack.mrkdwn import Piece

Block = dict[str, Any]

# In characters and blocks, counted after escaping (docs.slack.dev, reference/block-kit).
MAX_BLOCKS = 50
MAX_SECTION = 3000
MAX_HEADER = 150
MAX_CONTEXT = 3000

_TOO_LONG = "(A command too long for Slack: see the runbook's page.)"


def header(text: str) -> Block:
    """A header of escaped text, cut to its limit."""
    return {"type": "header", "text": _plain(cut(text, MAX_HEADER))}


def context(text: str) -> Block:
    """A line of small mrkdwn."""
    element = {"type": "mrkdwn", "text": text, "verbatim": True}
    return {"type": "context", "elements": [element]}


def sections(groups: Iterable[Sequence[Piece]]) -> list[Block]:
    """Groups of pieces in as few sections as hold them. A group (a step) is kept together where
    it fits into one; a longer one is cut between pieces, then between lines."""
    blocks: list[Block] = []
    held, held_plain = "", False

    def flush() -> None:
        nonlocal held
        if held.strip():
            blocks.append(_section(held.strip("\n"), held_plain))
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
    """The piece in parts that fit into a section; of code all or nothing, since half a command is
    worse than none."""
    if piece.kind in ("code", "verbatim"):
        code = f"```\n{piece.text}\n```" if piece.kind == "code" else piece.text
        yield code if len(code) <= MAX_SECTION else _TOO_LONG
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


def _section(text: str, is_plain: bool) -> Block:
    body = _plain(text) if is_plain else {"type": "mrkdwn", "text": text, "verbatim": True}
    # Without `expand` Slack hides the end of a long section behind "See more".
    return {"type": "section", "text": body, "expand": True}


def _plain(text: str) -> Block:
    return {"type": "plain_text", "text": text, "emoji": False}
