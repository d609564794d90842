"""Files that describe many alerts, a section each: which section is which alert's.

A section is an alert's where its heading looks like an alert's name, or where the file repeats the
same sections under each heading. No other alert gets its steps.
"""

import re
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence, Set
from dataclasses import replace
from functools import lru_cache
from typing import TypeVar

from alert_router.markdown import (
    Anchors,
    Block,
    CodeSpan,
    Heading,
    Link,
    ListBlock,
    Paragraph,
    Strong,
    Table,
    plain,
)
from alert_router.runbook.aliases import NOT_ALERTS
from alert_router.runbook.model import AlertHeading, Runbook, Section
from alert_router.runbook.sections import (
    Headings,
    divide,
    split_steps,
    with_bold_headings,
    without_number,
    words,
)

T = TypeVar("T")

_MAX_NAME = 200

_NOT_ALPHANUMERIC = re.compile(r"[\W_]+")
_BEFORE = re.compile(
    r"^(?:alerts?(?:[ -]?names?)?(?:\s#?\d{1,3})?|(?:when|if)(?:\s+(?:the\s+)?alert)?|firing"
    r"|(?:runbook|playbook)(?:\s+for)?|responding\s+to|response\s+to|troubleshooting)"
    r"\s*[:\-–—]?\s+",
    re.IGNORECASE,
)
_AFTER = re.compile(
    r"\s+(?:(?:alerts?\s+)?(?:(?:is|are)\s+firing|fires?|firing)|alerts?|runbook|playbook)$",
    re.IGNORECASE,
)
_SIGNS = re.compile(r"^[^\w<(]+|[\s.:;#*\"'`\[\]]+$")  # such as emoji
_REMARK = re.compile(r"\s*\(|:\s|\s[-–—]\s")  # what follows does not belong to the name
_BETWEEN = re.compile(r"\s*[,/&|;]\s*|\s+(?:and|or)\s+")
_TOKEN = re.compile(r"[A-Z][A-Za-z0-9]*(?:_[A-Za-z0-9]+)*|[a-z][a-z0-9]*(?:_[a-z0-9]+){2,}")
_HUMP = re.compile(r"(?<=[a-z0-9])[A-Z]|(?<=[A-Z])[A-Z](?=[a-z]{2})|(?<=[a-z0-9])_(?=[A-Za-z0-9])")
_SHORTEST = 6
_MOST_WORDS = 3  # beside a name in code: "When `KubeFoo` fires"
_CASE_WORDS = (
    "appendix approach case cases cause class example issue method mode option options part phase "
    "problem scenario situation solution step steps type"
)
_CASES = frozenset(_CASE_WORDS.split())


def folded(name: str) -> str:
    """A name without case and punctuation: `KubePodCrash-Looping` is `kubepodcrashlooping`."""
    return _NOT_ALPHANUMERIC.sub("", name).casefold()


def is_alert_name(text: str) -> bool:
    """Whether a word looks like an alert's name: `KubePodCrashLooping`, `node_disk_full`."""
    known = _SHORTEST <= len(text) <= _MAX_NAME and text not in NOT_ALERTS
    return known and bool(_TOKEN.fullmatch(text)) and bool(_HUMP.search(text))


def names_in(heading: Heading) -> tuple[tuple[str, ...], bool]:
    """The alert names that a heading may be, and whether they look like such names."""
    text = _SIGNS.sub("", words(heading))
    if not text or len(text) > _MAX_NAME:
        return (), False
    bare = _AFTER.sub("", _BEFORE.sub("", without_number(text)))
    parts = [part.strip(" \"'`[]") for part in _BETWEEN.split(_REMARK.split(bare, maxsplit=1)[0])]
    codes = [span.text for span in heading.children if isinstance(span, CodeSpan)]
    prose = [span for span in heading.children if not isinstance(span, CodeSpan)]
    if all(map(is_alert_name, parts)):
        return tuple(dict.fromkeys((*parts, text))), True
    if codes and all(map(is_alert_name, codes)) and len(plain(prose).split()) <= _MOST_WORDS:
        return (*codes, text), True
    return tuple(dict.fromkeys((text, bare, *(parts if len(parts) == 1 else ())))), False


def with_alert_headings(blocks: Sequence[Block]) -> tuple[Block, ...]:
    """The blocks, with bold lines that are alerts' names made headings if there are several: also
    the titles of tabs and of `<details>`."""
    flat: list[Block] = []
    for block in blocks:
        if isinstance(block, ListBlock) and all(
            item.blocks and _is_bold_name(item.blocks[0]) for item in block.items
        ):
            flat += [inner for item in block.items for inner in item.blocks]
        else:
            flat.append(block)
    bold = {id(block) for block in flat if _is_bold_name(block)}
    if len(bold) < 2:
        return tuple(blocks)
    level = 1
    out: list[Block] = []
    for block in flat:
        if isinstance(block, Heading):
            level = block.level
        if isinstance(block, Paragraph) and id(block) in bold:
            out.append(Heading(min(level + 1, 6), block.children, block.line))
        else:
            out.append(block)
    return tuple(out)


def _is_bold_name(block: Block) -> bool:
    bold = block.children if isinstance(block, Paragraph) else ()
    return (
        len(bold) == 1 and isinstance(bold[0], Strong) and names_in(Heading(6, bold, block.line))[1]
    )


def with_own_rows(section: Section, alertnames: Iterable[str]) -> Section:
    """The section with only the rows and items of these alerts, where a table, a list or its steps
    have one for each alert: the first cell, the first bold word or code, or what is before a colon
    is the name. Without such a row all stay."""
    own = {folded(name) for name in alertnames} - {""}
    return replace(
        section,
        intro=tuple(_with_own_rows(block, own) for block in section.intro),
        steps=_own_parts(section.steps, lambda step: _lead_name(step.blocks), own),
    )


def _with_own_rows(block: Block, own: Set[str]) -> Block:
    match block:
        case Table(rows=rows):
            return replace(
                block, rows=_own_parts(rows, lambda row: plain(row[0]) if row else "", own)
            )
        case ListBlock(items=items):
            kept = _own_parts(items, lambda item: _lead_name(item.blocks), own)
            start = block.start + items.index(kept[0]) if kept else block.start
            return replace(block, items=kept, start=start)
        case _:
            return block


def _own_parts(parts: tuple[T, ...], name_of: Callable[[T], str], own: Set[str]) -> tuple[T, ...]:
    """The parts without those of other alerts, each with those below it that have no name; all of
    them if no part is an own alert's, or if one has a name that is no alert's."""
    found: list[T] = []
    is_own = True
    has_own = False
    for part in parts:
        name = name_of(part).strip(" :*`")
        if name:
            is_own = folded(name) in own
            has_own = has_own or is_own
            if not is_own and not is_alert_name(name):
                return parts
        if is_own:
            found.append(part)
    return tuple(found) if has_own else parts


def _lead_name(blocks: Sequence[Block]) -> str:
    lead = blocks[0].children if blocks and isinstance(blocks[0], Paragraph) else ()
    if lead and isinstance(lead[0], Strong | CodeSpan | Link):
        return plain(lead[:1])
    return plain(lead).partition(":")[0]


def find_alert_sections(
    blocks: Sequence[Block], title: Heading | None, headings: Headings, *, one: bool
) -> tuple[tuple[AlertHeading, ...], bool]:
    """The headings of single alerts, in order, and whether the file is organized by them. `one`:
    the file is named like an alert, so that only headings like alert names are taken for such, and
    not as the steps of a section."""
    groups: dict[tuple[int, int], list[Heading]] = defaultdict(list)
    above: list[Heading] = []
    named: set[int] = set()  # lines of headings below one with the name of a section
    for heading in (block for block in blocks if isinstance(block, Heading) and block is not title):
        while above and above[-1].level >= heading.level:
            above.pop()
        groups[above[-1].line if above else 0, heading.level].append(heading)
        if any(headings.is_side(words(h)) and "alert" not in words(h).lower() for h in above):
            named.add(heading.line)
        above.append(heading)
    found: list[Heading] = []
    by_alerts = False
    for siblings in groups.values():
        alerts = [heading for heading in siblings if _is_alert(heading, headings)]
        most = len(alerts) > 1 and 2 * len(alerts) >= len(siblings)
        if one or not most:
            alerts = [heading for heading in alerts if heading.line not in named]
        if not alerts and not one:
            alerts = _by_structure(siblings, groups, headings)
            most = bool(alerts)
        found += alerts
        by_alerts = by_alerts or (most and bool(alerts))
    found.sort(key=lambda heading: heading.line)
    anchors = {id(it): anchor for anchor, it in Anchors(blocks).items()} if found else {}
    return tuple(
        AlertHeading(names_in(heading)[0], anchors[id(heading)], heading.line) for heading in found
    ), by_alerts


def _is_alert(heading: Heading, headings: Headings) -> bool:
    """Whether a heading looks like an alert's name, and not like `RootCause`."""
    return names_in(heading)[1] and not headings.kind(_HUMP.sub(r" \g<0>", words(heading)))


def _by_structure(
    siblings: Sequence[Heading],
    groups: Mapping[tuple[int, int], Sequence[Heading]],
    headings: Headings,
) -> list[Heading]:
    """Headings under which the same sections repeat."""

    def is_divided(heading: Heading) -> bool:
        inner = [
            headings.kind(words(below))
            for level in range(heading.level + 1, 7)
            for below in groups.get((heading.line, level), ())
        ]
        sides = any(headings.is_side(words(below)) for below in _below(heading, groups))
        return sides and len({kind for kind in inner if kind}) > 1

    candidates = [heading for heading in siblings if not headings.kind(words(heading))]
    divided = [heading for heading in candidates if is_divided(heading)]
    if len(divided) < 2 or 2 * len(divided) < len(candidates):
        return []
    return [] if any(map(_is_case, divided)) else divided


def _below(
    heading: Heading, groups: Mapping[tuple[int, int], Sequence[Heading]]
) -> Iterator[Heading]:
    for level in range(heading.level + 1, 7):
        yield from groups.get((heading.line, level), ())


def _is_case(heading: Heading) -> bool:
    """Whether a heading is one case of one alert: numbered, or "Scenario: ..."."""
    text = words(heading)
    first = _NOT_ALPHANUMERIC.split(text.lower(), maxsplit=1)[0]
    return without_number(text) != text or first in _CASES


class _Index:
    """The headings of a file: by anchor, by alert name, and the heading that each is below."""

    def __init__(self, runbook: Runbook) -> None:
        self.anchors = Anchors(runbook.blocks)
        self.headings = dict(self.anchors.items())
        self.names: dict[str, str] = {}
        self.above: dict[str, str | None] = {}
        for alert in runbook.alerts:
            for name in alert.names:
                self.names.setdefault(folded(name), alert.anchor)
        path: list[str] = []
        for anchor, heading in self.headings.items():
            while path and self.headings[path[-1]].level >= heading.level:
                path.pop()
            self.above[anchor] = path[-1] if path else None
            path.append(anchor)
            if words(heading) != runbook.title:
                for name in names_in(heading)[0]:
                    self.names.setdefault(folded(name), anchor)
        self.names.pop("", None)


@lru_cache(maxsize=1024)
def _index(runbook: Runbook) -> _Index:
    return _Index(runbook)


@lru_cache(maxsize=4096)
def part(runbook: Runbook, anchor: str, headings: Headings) -> Runbook | None:
    """The section with that anchor as a runbook of its own: its sub-headings are its sections.
    None if no heading has exactly that anchor."""
    heading = _index(runbook).headings.get(anchor)
    start = next((i for i, block in enumerate(runbook.blocks) if block is heading), None)
    if heading is None or start is None:
        return None
    end = _end(runbook.blocks, start, heading.level)
    own = with_bold_headings(runbook.blocks[start + 1 : end], headings, heading.level)
    level = min((block.level for block in own if isinstance(block, Heading)), default=0)
    lead, sections = divide(own, level, None, headings)
    last = runbook.blocks[end].line if end < len(runbook.blocks) else None
    alerts = tuple(
        alert
        for alert in runbook.alerts
        if heading.line < alert.line and (last is None or alert.line < last)
    )
    is_own = any(alert.anchor == anchor for alert in runbook.alerts)
    return Runbook(
        id=f"{runbook.id}#{anchor}",
        title=words(heading),
        metadata=runbook.metadata,
        sections=sections,
        blocks=own,
        lead=Section("", heading.children, *split_steps(lead), heading.line) if lead else None,
        alerts=alerts,
        by_alerts=bool(alerts) and not is_own,
        parent=runbook,
    )


def _end(blocks: Sequence[Block], start: int, level: int) -> int:
    """The index of the next heading that is not below the one at `start`."""
    for index in range(start + 1, len(blocks)):
        block = blocks[index]
        if isinstance(block, Heading) and block.level <= level:
            return index
    return len(blocks)


def is_about(runbook: Runbook, alertname: str) -> bool:
    """Whether the file as a whole is named like the alert, by its name or title."""
    key = folded(alertname)
    return bool(key) and key in (folded(runbook.id.rpartition("/")[2]), folded(runbook.title))


def find_section(runbook: Runbook, fragment: str, alertname: str, headings: Headings) -> str | None:
    """The anchor of the section that an alert gets of a file: the one that the fragment of a
    reference names, unless that is another alert's and this alert has its own; without such a
    fragment its own. None for the whole file."""
    own = None
    if not headings.kind(alertname) and (runbook.alerts or not is_about(runbook, alertname)):
        own = _index(runbook).names.get(folded(alertname))
    named = _named_section(runbook, fragment, headings) if fragment else None
    if named is None or is_about(runbook, alertname):
        return own
    key = folded(alertname)
    of_others = own is not None and any(
        alert.anchor == named and key not in map(folded, alert.names) for alert in runbook.alerts
    )
    return own if of_others else named


def _named_section(runbook: Runbook, fragment: str, headings: Headings) -> str | None:
    """The section of a fragment. A section "Mitigation" belongs to the heading above it, or to the
    whole file."""
    index = _index(runbook)
    anchor = index.anchors.find(fragment)
    while anchor is not None:
        title = words(index.headings[anchor])
        if title == runbook.title:
            return None
        if not headings.kind(title):
            return anchor
        anchor = index.above[anchor]
    return None


def has_anchor(runbook: Runbook, fragment: str) -> bool:
    """Whether a fragment leads to a heading of the file."""
    return fragment in _index(runbook).anchors
