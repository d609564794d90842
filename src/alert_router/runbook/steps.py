"""The steps of a section: ordered items, task items, or headings with what stands under them.

Which headings make sections is not judged here.
"""

import re
from collections.abc import Iterable, Sequence

from alert_router.markdown import (
    Block,
    Break,
    Code,
    Heading,
    Inline,
    ListBlock,
    Paragraph,
    Strong,
    plain,
)
from alert_router.runbook.headings import without_number
from alert_router.runbook.model import Step

_MAX_TITLE = 140
_SET_OFF = re.compile(r":|\s+[-–—]\s")
_SENTENCE_END = re.compile(r"[.!?:](?=\s)")


def split_steps(blocks: Sequence[Block]) -> tuple[tuple[Block, ...], tuple[Step, ...]]:
    """What stands before the first step, and the steps. Blocks between steps belong to the one
    before them, so that nothing of the section is lost."""
    level = min((block.level for block in blocks if isinstance(block, Heading)), default=0)
    intro: list[Block] = []
    steps: list[_Open] = []
    under_heading = False
    for block in blocks:
        if isinstance(block, Heading) and block.level == level:
            under_heading = True
            title = without_number(plain(block.children))
            steps.append(_Open(_cut(title), [], block.line))
        elif isinstance(block, ListBlock) and _is_steps(block) and not under_heading:
            steps.extend(_items(block))
        else:
            (steps[-1].blocks if steps else intro).append(block)
    return tuple(intro), tuple(step.done() for step in steps)


class _Open:
    """A step that may still grow."""

    def __init__(self, title: str, blocks: Iterable[Block], line: int) -> None:
        self.title = title
        self.blocks = list(blocks)
        self.line = line

    def done(self) -> Step:
        return Step(self.title, tuple(self.blocks), self.line)


def _is_steps(block: ListBlock) -> bool:
    return block.ordered or any(item.checked is not None for item in block.items)


def _items(block: ListBlock) -> list[_Open]:
    return [_Open(item_title(item.blocks), item.blocks, item.line) for item in block.items]


def item_title(blocks: Sequence[Block]) -> str:
    """The first line of an item, as far as it makes a title."""
    match blocks[0] if blocks else None:
        case Paragraph(children) | Heading(_, children):
            return _cut(plain(_lead(children) or _first_line(children)))
        case Code(text):
            return _cut(text.strip().split("\n", 1)[0])
        case _:
            return ""


def _lead(children: Sequence[Inline]) -> Sequence[Inline]:
    """The bold words that an item begins with, if they are set off as its title and are not just
    its first words said loudly ("**Never** do this")."""
    if not children or not isinstance(children[0], Strong):
        return ()
    after = plain(children[1:2])
    set_off = plain(children[:1]).endswith((".", ":", "?", "!")) or _SET_OFF.match(after)
    return children[:1] if set_off else ()


def _first_line(children: Sequence[Inline]) -> Sequence[Inline]:
    for index, span in enumerate(children):
        if isinstance(span, Break) and span.hard:
            return children[:index]
    return children


def _cut(title: str) -> str:
    """At most 140 characters: to the end of the last sentence that fits, else of a word."""
    title = " ".join(title.split()).removesuffix(":").rstrip()
    if len(title) <= _MAX_TITLE:
        return title
    ends = [match.end() for match in _SENTENCE_END.finditer(title, 0, _MAX_TITLE)]
    if ends:
        return title[: ends[-1]].removesuffix(":")
    return title[: _MAX_TITLE - 1].rsplit(" ", 1)[0] + "…"
