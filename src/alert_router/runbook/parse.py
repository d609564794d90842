"""A runbook from its text: title, metadata, sections and steps, tolerant of what people write.

Reading files is the catalogue's; whether a runbook is a good one is for the lint.
"""

from collections.abc import Sequence

from alert_router.markdown import Block, Heading, parse_document, plain
from alert_router.model.problem import Place, Problem, Severity
from alert_router.runbook.headings import is_section, section_names
from alert_router.runbook.metadata import front_matter, leading_fields
from alert_router.runbook.model import Runbook, Section
from alert_router.runbook.steps import split_steps

MAX_CHARACTERS = 1024 * 1024  # the longest of 1,300 public runbooks has 63,000


def parse_runbook(text: str, *, id: str, path: str) -> Runbook:
    """The runbook in a text; `path` is only named in its problems. Never raises: a runbook that
    is of no use has a problem of severity ERROR."""
    if len(text) > MAX_CHARACTERS:
        return _unusable(id, too_large(path))
    document = parse_document(text)
    problems: list[Problem] = []
    fields: dict[str, str] = {}
    if document.front_matter is not None:
        fields, found = front_matter(document.front_matter, path)
        problems.extend(found)
    if not document.blocks:
        empty = "there is nothing in this runbook"
        hint = "Write what to do, or remove the file."
        return _unusable(id, *problems, _problem("runbook-empty", empty, path, hint=hint))
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
    """A title for a runbook that has none: `alerts/high-error-rate` is "High error rate"."""
    words = id.rpartition("/")[2].replace("-", " ").replace("_", " ").strip() or id
    return words[:1].upper() + words[1:]


def too_large(path: str) -> Problem:
    """The problem of a file over the limit."""
    return _problem(
        "runbook-too-large",
        f"the file is over {MAX_CHARACTERS // 1024} KiB, too large for a runbook",
        path,
        hint="Split it into several runbooks.",
    )


def _plain(heading: Heading | None) -> str:
    return " ".join(plain(heading.children).split()) if heading else ""


def _title(headings: Sequence[Heading]) -> Heading | None:
    """The first H1 with words, unless it is the first of sections that are H1s themselves."""
    top = [heading for heading in headings if heading.level == 1 and _plain(heading)]
    if not top:
        return None
    only_top = len(top) > 1 and all(heading.level != 2 for heading in headings)
    return None if only_top and is_section(_plain(top[0])) else top[0]


def _level(headings: Sequence[Heading]) -> int:
    """The level of the headings that make sections: 2; without any, 1 if there are several,
    else the highest that there is below the title; 0 for none."""
    levels = [heading.level for heading in headings]
    if 2 in levels:
        return 2
    if levels.count(1) > 1:
        return 1
    return min((level for level in levels if level > 1), default=0)


def _leading(blocks: Sequence[Block], title: Heading | None) -> list[Block]:
    """What stands between the title, or the beginning, and the next heading."""
    start = next((i + 1 for i, block in enumerate(blocks) if block is title), 0)
    out: list[Block] = []
    for block in blocks[start:]:
        if isinstance(block, Heading):
            break
        out.append(block)
    return out


def _sections(blocks: Sequence[Block], level: int, title: Heading | None) -> tuple[Section, ...]:
    """The sections in order. A further H1 begins one too; the title's own text is in none."""
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
    sections = []
    for (heading, under), name in zip(parts, names, strict=True):
        intro, steps = split_steps(under)
        sections.append(Section(name, heading.children, intro, steps, heading.line))
    return tuple(sections)


def _unusable(id: str, *problems: Problem) -> Runbook:
    return Runbook(id, title_from(id), {}, (), (), problems)


def _problem(
    code: str,
    message: str,
    path: str,
    *,
    line: int = 0,
    severity: Severity = Severity.ERROR,
    hint: str = "",
) -> Problem:
    return Problem(code, message, Place(path, line), severity, hint)


def _unclosed(path: str, line: int) -> Problem:
    return _problem(
        "runbook-unclosed-fence",
        "the code fence that begins here is never closed",
        path,
        line=line,
        severity=Severity.WARNING,
        hint="Everything after it is taken as code. Close it with a line of as many backticks, "
        "or look above for a fence too many.",
    )


def _no_title(path: str) -> Problem:
    return _problem(
        "runbook-no-title",
        "there is no title, a line that begins with `# `",
        path,
        severity=Severity.WARNING,
        hint="Put one first; until then the runbook goes by its file's name.",
    )
