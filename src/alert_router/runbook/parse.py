"""A runbook from its text: title, metadata, sections and steps, tolerant of how people write."""

from collections.abc import Iterator, Mapping, Sequence
from types import MappingProxyType

from alert_router.formats import ASCIIDOC, RST, Include, format_of, read_document
from alert_router.markdown import Block, Heading, Text
from alert_router.model.problem import Place, Problem, Severity
from alert_router.runbook.alert_sections import (
    find_alert_sections,
    is_alert_name,
    names_in,
    with_alert_headings,
)
from alert_router.runbook.metadata import front_matter, leading_fields, unclosed_front_matter
from alert_router.runbook.model import Runbook, Section
from alert_router.runbook.sections import (
    STANDARD_HEADINGS,
    Headings,
    divide,
    section_level,
    split_steps,
    with_bold_headings,
    words,
)

MAX_CHARACTERS = 1024 * 1024  # the longest of 1,300 public runbooks has 63,000


def parse_runbook(
    text: str,
    *,
    id: str,
    path: str,
    headings: Headings = STANDARD_HEADINGS,
    include: Include = lambda target: None,
    attributes: Mapping[str, str] = MappingProxyType({}),
) -> Runbook:
    """The runbook in a text; `path` is the file named in its problems, whose suffix is its format.
    `include` returns the text of a file that it includes, `attributes` are what an AsciiDoc page is
    given. Never raises: a runbook that cannot be
    used has a problem of severity ERROR."""
    if len(text) > MAX_CHARACTERS:
        return Runbook(id, title_from(id), {}, (), (), (too_large(path),))
    document = read_document(text, path, include, attributes)
    problems: list[Problem] = []
    fields: dict[str, str] = {}
    if document.front_matter is not None:
        fields, found = front_matter(document.front_matter, path, is_toml=document.is_toml)
        problems.extend(found)
    elif format_of(path) not in (*ASCIIDOC, *RST):
        problems.extend(unclosed_front_matter(text, path))
    if not document.blocks:
        problems.append(_empty(path))
        return Runbook(id, title_from(id), {}, (), (), tuple(problems))
    problems.extend(_unclosed(path, line) for line in document.unclosed)
    problems.extend(_unread(path, line, markup) for line, markup in document.unread)
    written = [block for block in document.blocks if isinstance(block, Heading)]
    title = _title(written, headings)
    if (title is None or title.level > 1) and "title" not in fields:
        problems.append(_no_title(path))
    leading = list(_leading(document.blocks, title))
    fields = leading_fields(leading) | fields
    name = (words(title) if title else "") or fields.get("title") or title_from(id)
    whole = with_alert_headings(document.blocks)
    blocks = with_bold_headings(whole, headings, 1, title)
    level = section_level([b for b in blocks if isinstance(b, Heading) and b is not title])
    lead, sections = divide(blocks, level, title, headings)
    lead = [block for block in lead if not leading_fields([block])]
    one = is_alert_name(name) or is_alert_name(id.rpartition("/")[2])
    alerts, by_alerts = find_alert_sections(whole, title, headings, one=one)
    return Runbook(
        id=id,
        title=name,
        metadata=fields,
        sections=sections,
        blocks=whole,
        problems=tuple(problems),
        lead=Section("", (Text(name),), *split_steps(lead)) if lead else None,
        alerts=alerts,
        by_alerts=by_alerts,
        file=path,
    )


def title_from(id: str) -> str:
    """A title made from an id: `alerts/high-error-rate` is "High error rate"."""
    words = id.rpartition("/")[2].replace("-", " ").replace("_", " ").strip() or id
    return words[:1].upper() + words[1:]


def _title(headings: Sequence[Heading], known: Headings) -> Heading | None:
    """The first H1 with text, unless it is the first of several sections that are H1s. Without an
    H1, the first heading, if all others are below it."""
    top = [heading for heading in headings if heading.level == 1 and words(heading)]
    if not top:
        is_title = headings and all(h.level > headings[0].level for h in headings[1:])
        return headings[0] if is_title and not known.kind(words(headings[0])) else None
    if len(top) > 1 and sum(names_in(heading)[1] for heading in top) > 1:
        return None if names_in(top[0])[1] else top[0]
    only_top = len(top) > 1 and all(heading.level != 2 for heading in headings)
    return None if only_top and known.kind(words(top[0])) else top[0]


def _leading(blocks: Sequence[Block], title: Heading | None) -> Iterator[Block]:
    """The blocks between the title, or the beginning, and the next heading."""
    start = next((i + 1 for i, block in enumerate(blocks) if block is title), 0)
    for block in blocks[start:]:
        if isinstance(block, Heading):
            break
        yield block


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
