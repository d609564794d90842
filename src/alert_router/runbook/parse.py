"""A runbook from its text: title, metadata, sections and steps, tolerant of how people write."""

import re
from collections.abc import Iterator, Sequence

from alert_router.markdown import (
    Block,
    Break,
    Code,
    Heading,
    Inline,
    ListBlock,
    Paragraph,
    Strong,
    parse_document,
    plain,
)
from alert_router.model.problem import Place, Problem, Severity
from alert_router.runbook.metadata import front_matter, leading_fields
from alert_router.runbook.model import Runbook, Section, Step
from alert_router.runbook.sections import is_section, section_names, without_number

MAX_CHARACTERS = 1024 * 1024  # the longest of 1,300 public runbooks has 63,000

_MAX_TITLE = 140
_SEPARATOR = re.compile(r":|\s+[-–—]\s")
_SENTENCE_END = re.compile(r"[.!?:](?=\s)")


def parse_runbook(text: str, *, id: str, path: str) -> Runbook:
    """The runbook in a text; `path` is the file named in its problems. Never raises: a runbook
    that cannot be used has a problem of severity ERROR."""
    if len(text) > MAX_CHARACTERS:
        return Runbook(id, title_from(id), {}, (), (), (too_large(path),))
    document = parse_document(text)
    problems: list[Problem] = []
    fields: dict[str, str] = {}
    if document.front_matter is not None:
        fields, found = front_matter(document.front_matter, path)
        problems.extend(found)
    if not document.blocks:
        problems.append(_empty(path))
        return Runbook(id, title_from(id), {}, (), (), tuple(problems))
    problems.extend(_unclosed(path, line) for line in document.unclosed)
    headings = [block for block in document.blocks if isinstance(block, Heading)]
    title, level = _title(headings), _level(headings)
    if title is None and "title" not in fields:
        problems.append(_no_title(path))
    fields = leading_fields(_leading(document.blocks, title)) | fields
    return Runbook(
        id=id,
        title=_plain(title) or fields.get("title") or title_from(id),
        metadata=fields,
        sections=_sections(document.blocks, level, title),
        blocks=document.blocks,
        problems=tuple(problems),
    )


def title_from(id: str) -> str:
    """A title made from an id: `alerts/high-error-rate` is "High error rate"."""
    words = id.rpartition("/")[2].replace("-", " ").replace("_", " ").strip() or id
    return words[:1].upper() + words[1:]


def _plain(heading: Heading | None) -> str:
    return " ".join(plain(heading.children).split()) if heading else ""


def _title(headings: Sequence[Heading]) -> Heading | None:
    """The first H1 with text, unless it is the first of several sections that are H1s."""
    top = [heading for heading in headings if heading.level == 1 and _plain(heading)]
    if not top:
        return None
    only_top = len(top) > 1 and all(heading.level != 2 for heading in headings)
    return None if only_top and is_section(_plain(top[0])) else top[0]


def _level(headings: Sequence[Heading]) -> int:
    """The level of the section headings: 2; without any, 1 if there are several, else the highest
    level below the title; 0 for none."""
    levels = [heading.level for heading in headings]
    if 2 in levels:
        return 2
    if levels.count(1) > 1:
        return 1
    return min((level for level in levels if level > 1), default=0)


def _leading(blocks: Sequence[Block], title: Heading | None) -> Iterator[Block]:
    """The blocks between the title, or the beginning, and the next heading."""
    start = next((i + 1 for i, block in enumerate(blocks) if block is title), 0)
    for block in blocks[start:]:
        if isinstance(block, Heading):
            break
        yield block


def _sections(blocks: Sequence[Block], level: int, title: Heading | None) -> tuple[Section, ...]:
    """The sections in order. A further H1 starts one too; the title's own text is in none."""
    parts: list[tuple[Heading, list[Block]]] = []
    inner: list[Block] = []
    for block in blocks:
        if block is title:
            inner = []
        elif isinstance(block, Heading) and block.level <= level:
            inner = []
            parts.append((block, inner))
        else:
            inner.append(block)
    names = section_names([_plain(heading) for heading, _ in parts])
    return tuple(
        Section(name, heading.children, *_steps(under), heading.line)
        for (heading, under), name in zip(parts, names, strict=True)
    )


def _steps(blocks: Sequence[Block]) -> tuple[tuple[Block, ...], tuple[Step, ...]]:
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


def too_large(path: str) -> Problem:
    """The problem of a file over the limit."""
    return Problem(
        "runbook-too-large",
        f"the file is over {MAX_CHARACTERS // 1024} KiB, too large for a runbook",
        Place(path),
        hint="Split it into several runbooks.",
    )


def _empty(path: str) -> Problem:
    return Problem(
        "runbook-empty",
        "the runbook is empty",
        Place(path),
        hint="Write what to do, or remove the file.",
    )


def _unclosed(path: str, line: int) -> Problem:
    return Problem(
        "runbook-unclosed-fence",
        "this code fence is never closed",
        Place(path, line),
        Severity.WARNING,
        "All text after it is treated as code. Close it with a line of as many backticks, or look "
        "for an extra fence above.",
    )


def _no_title(path: str) -> Problem:
    return Problem(
        "runbook-no-title",
        "no title: no line starts with `# `",
        Place(path),
        Severity.WARNING,
        "Start the page with one; until then the file name is used.",
    )
