"""The steps of a section: ordered items, task items, or headings."""

import re
from collections import Counter
from collections.abc import Iterable, Sequence
from hashlib import blake2b
from itertools import chain

from alert_router.markdown import (
    Block,
    Break,
    Code,
    CodeSpan,
    Heading,
    Inline,
    ListBlock,
    Paragraph,
    Strong,
    all_blocks,
    plain,
    texts,
)
from alert_router.markdown.commandline import is_command
from alert_router.runbook.model import Runbook, Section, Step
from alert_router.runbook.sections import without_number

_MAX_TITLE = 140
_SEPARATOR = re.compile(r":|\s+[-–—]\s")
_SENTENCE_END = re.compile(r"[.!?:](?=\s)")


def split_steps(blocks: Sequence[Block]) -> tuple[tuple[Block, ...], tuple[Step, ...]]:
    """The blocks before the first step, and the steps: ordered items, task items, or headings.
    Blocks between steps belong to the step before, so that no text is lost."""
    level = min((block.level for block in blocks if isinstance(block, Heading)), default=0)
    intro: list[Block] = []
    steps: list[tuple[str, list[Block], int]] = []
    under_heading = False
    for block in blocks:
        if isinstance(block, Heading) and block.level == level:
            under_heading = True
            steps.append((_shorten(without_number(plain(block.children))), [], block.line))
        elif isinstance(block, ListBlock) and _is_steps(block) and not under_heading:
            steps += [(item_title(i.blocks), list(i.blocks), i.line) for i in block.items]
        else:
            (steps[-1][1] if steps else intro).append(block)
    return tuple(intro), tuple(Step(title, tuple(inner), line) for title, inner, line in steps)


def heading(section: Section) -> str:
    """A section's heading as its author wrote it, else its standard name."""
    return plain(section.title).strip() or section.name or "Section"


def with_keys(runbook: Runbook, id_: str) -> list[tuple[Section, tuple[str, ...]]]:
    """The sections that say what to do, each with the keys of its steps, by which ticks are kept:
    a key stays while the runbook's id, the section's heading and the step's title do."""
    lead = [runbook.lead] if runbook.lead is not None and not runbook.by_alerts else []
    seen: Counter[str] = Counter()
    found = []
    for section in (*lead, *runbook.own_sections):
        if section.reference or not (section.intro or section.steps):
            continue
        keys = []
        for step in section.steps:
            named = f"{id_}\0{heading(section)}\0{step.title}"
            seen[named] += 1
            text = f"{named}\0{seen[named]}".encode(errors="replace")
            keys.append(blake2b(text, digest_size=6).hexdigest())
        found.append((section, tuple(keys)))
    return found


def has_steps(section: Section) -> bool:
    """Whether a section has steps, or commands in its text."""
    return bool(section.steps) or _has_command(section.intro)


def has_commands(section: Section) -> bool:
    """Whether a section has commands, or other code."""
    return any(map(_has_command, (section.intro, *(step.blocks for step in section.steps))))


def _has_command(blocks: Iterable[Block]) -> bool:
    """Whether there is code, or a command in a text that is no heading."""
    others = (block for block in all_blocks(blocks) if not isinstance(block, Heading))
    return any(
        isinstance(block, Code)
        or any(
            isinstance(span, CodeSpan) and is_command(span.text)
            for span in chain.from_iterable(texts(block))
        )
        for block in others
    )


def _is_steps(block: ListBlock) -> bool:
    return block.ordered or any(item.checked is not None for item in block.items)


def item_title(blocks: Sequence[Block]) -> str:
    """A title for a list item, from its first line."""
    match blocks[0] if blocks else None:
        case Paragraph(children) | Heading(_, children):
            return _shorten(plain(_bold_title(children) or _first_line(children)))
        case Code(text):
            return _shorten(text.strip().split("\n", 1)[0])
        case _:
            return ""


def _bold_title(children: Sequence[Inline]) -> Sequence[Inline]:
    """Bold text at the beginning, if punctuation separates it from the rest; in
    "**Never** do this" it is only emphasis."""
    if not children or not isinstance(children[0], Strong):
        return ()
    ends = plain(children[:1]).endswith((".", ":", "?", "!"))
    return children[:1] if ends or _SEPARATOR.match(plain(children[1:2])) else ()


def _first_line(children: Sequence[Inline]) -> Sequence[Inline]:
    for index, span in enumerate(children):
        if isinstance(span, Break) and span.hard:
            return children[:index]
    return children


def _shorten(title: str) -> str:
    """At most 140 characters: up to the end of the last sentence that fits, else of a word."""
    title = " ".join(title.split()).removesuffix(":").rstrip()
    if len(title) <= _MAX_TITLE:
        return title
    ends = [match.end() for match in _SENTENCE_END.finditer(title, 0, _MAX_TITLE)]
    if ends:
        return title[: ends[-1]].removesuffix(":")
    return title[: _MAX_TITLE - 1].rsplit(" ", 1)[0] + "…"
