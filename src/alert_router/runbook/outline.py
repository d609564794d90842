"""From blocks to sections: at which headings a runbook is divided, and what they mean."""

from collections.abc import Sequence
from dataclasses import replace

from alert_router.markdown import Block, Break, Heading, Inline, Paragraph, Strong, plain
from alert_router.runbook.aliases import REFERENCE
from alert_router.runbook.model import Section
from alert_router.runbook.sections import Headings
from alert_router.runbook.steps import split_steps

_MAX_BOLD = 80  # characters of a bold line that is a heading

_Part = tuple[Heading, list[Block]]


def words(heading: Heading) -> str:
    """The text of a heading on one line."""
    return " ".join(plain(heading.children).split())


def section_level(headings: Sequence[Heading]) -> int:
    """The level of the section headings: 2; without any, 1 if there are several, else the highest
    level below the title; 0 for none."""
    levels = [heading.level for heading in headings]
    if 2 in levels:
        return 2
    if levels.count(1) > 1:
        return 1
    return min((level for level in levels if level > 1), default=0)


def divide(
    blocks: Sequence[Block], level: int, title: Heading | None, headings: Headings
) -> tuple[list[Block], tuple[Section, ...]]:
    """The text before the first section, without the title, and the sections in order. A further
    heading above that level starts a section too.

    If no section has the name of what to do, but one of them is divided by such names, its own
    sections are taken.
    """
    lead, parts = _split(blocks, level, title)
    if not any(headings.is_side(words(heading)) for heading, _ in parts):
        nested = [part for part in parts if _has_sides(part[1], headings)]
        if len(nested) == 1:
            at = parts.index(nested[0])
            heading, inner = nested[0]
            below = min(block.level for block in inner if isinstance(block, Heading))
            intro, own = _split(inner, below, None)
            parts[at : at + 1] = [(heading, intro), *own] if intro else own
    names = headings.names([words(heading) for heading, _ in parts])
    return lead, tuple(
        Section(
            "" if name == REFERENCE else name,
            heading.children,
            *split_steps(under),
            heading.line,
            reference=name == REFERENCE,
        )
        for (heading, under), name in zip(parts, names, strict=True)
    )


def _split(
    blocks: Sequence[Block], level: int, title: Heading | None
) -> tuple[list[Block], list[_Part]]:
    lead: list[Block] = []
    parts: list[_Part] = []
    inner = lead
    for block in blocks:
        if block is title:
            inner = lead
        elif isinstance(block, Heading) and block.level <= level:
            inner = []
            parts.append((block, inner))
        else:
            inner.append(block)
    return lead, parts


def _has_sides(blocks: Sequence[Block], headings: Headings) -> bool:
    inner = [block for block in blocks if isinstance(block, Heading)]
    level = min((heading.level for heading in inner), default=0)
    return any(heading.level == level and headings.is_side(words(heading)) for heading in inner)


def with_bold_headings(
    blocks: Sequence[Block], headings: Headings, level: int, title: Heading | None = None
) -> tuple[Block, ...]:
    """The blocks, with lines that are used as headings made headings: lines such as `**Fix**` or
    `How to **fix**:` with the name of a section, where no heading has one; any bold lines where
    there is no heading at all. `level` is that of the heading above the blocks."""
    found = [block for block in blocks if isinstance(block, Heading) and block is not title]
    if any(headings.is_side(words(heading)) for heading in found):
        return tuple(blocks)
    out: list[Block] = []
    for block in blocks:
        if isinstance(block, Heading):
            level = block.level
        bold = _bold_line(block, headings, any_text=not found) if level < 6 else None
        if bold is None or not isinstance(block, Paragraph):
            out.append(block)
            continue
        name, rest = bold
        out.append(Heading(level + 1, name, block.line))
        if rest:
            out.append(replace(block, children=rest, line=block.line + 1))
    return tuple(out)


def _bold_line(
    block: Block, headings: Headings, *, any_text: bool
) -> tuple[tuple[Inline, ...], tuple[Inline, ...]] | None:
    """The first line of a paragraph if it serves as a heading, and the rest."""
    if not isinstance(block, Paragraph):
        return None
    end = next((i for i, s in enumerate(block.children) if isinstance(s, Break)), None)
    line = block.children if end is None else block.children[:end]
    rest = () if end is None else block.children[end + 1 :]
    text = plain(line).strip()
    if not any(isinstance(span, Strong) for span in line) or len(text) > _MAX_BOLD:
        return None
    all_bold = not plain(s for s in line if not isinstance(s, Strong)).strip(" :")
    if not all_bold and not text.endswith(":"):
        return None
    title = text.removesuffix(":")
    if headings.kind(title) or (any_text and all_bold and not rest and not text.endswith(".")):
        return line, rest
    return None
