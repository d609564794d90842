"""A runbook from its text: title, metadata, sections and steps, tolerant of how people write."""

from collections.abc import Iterator, Sequence

from alert_router.markdown import Block, Heading, parse_document, plain
from alert_router.model.problem import Place, Problem, Severity
from alert_router.runbook.metadata import front_matter, leading_fields
from alert_router.runbook.model import Runbook, Section
from alert_router.runbook.sections import is_section, section_names
from alert_router.runbook.steps import split_steps

MAX_CHARACTERS = 1024 * 1024  # the longest of 1,300 public runbooks has 63,000


def parse_runbook(text: str, *, id: str, path: str) -> Runbook:
    """The runbook in a text; `path` is the file named in its problems. Never raises: a runbook
    that cannot be used has a problem of severity ERROR."""
    if len(text) > MAX_CHARACTERS:
        return Runbook(id, title_from(id), {}, (), (), (too_large(path),))
    document = parse_document(text)
    problems: list[Problem] = []
    fields: dict[str, str] = {}
    if document.front_matter is not None:
        fields, found = front_matter(document.front_matter, path, is_toml=document.is_toml)
        problems.extend(found)
    if not document.blocks:
        problems.append(_empty(path))
        return Runbook(id, title_from(id), {}, (), (), tuple(problems))
    problems.extend(_unclosed(path, line) for line in document.unclosed)
    problems.extend(_unread(path, line, markup) for line, markup in document.unread)
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
        Section(name, heading.children, *split_steps(under), heading.line)
        for (heading, under), name in zip(parts, names, strict=True)
    )


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


def _unread(path: str, line: int, markup: str) -> Problem:
    return Problem(
        "runbook-unread-markup",
        f"`{markup}` cannot be read, so what it inserts is missing in messages",
        Place(path, line),
        Severity.WARNING,
        "Write the text itself into the runbook.",
    )


def _no_title(path: str) -> Problem:
    return Problem(
        "runbook-no-title",
        "no title: no line starts with `# `",
        Place(path),
        Severity.WARNING,
        "Start the page with one; until then the file name is used.",
    )
