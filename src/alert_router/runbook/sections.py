"""From blocks to sections and steps: at which headings a runbook is divided, and which of the ten
standard sections each of them means.

Headings that are not among the aliases stay unnamed: a wrong name would put the wrong text into a
notification.

"Diagnosis" and its aliases are Investigation in a runbook that has a Detection section, and
Detection elsewhere: a firing notification shows Detection and Mitigation, and its reader needs to
know what to check first. "Troubleshooting" is Investigation where another section is Mitigation,
and Mitigation elsewhere.
"""

import re
import unicodedata
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
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
from alert_router.runbook.aliases import (
    AFTER,
    BEFORE,
    DIAGNOSIS,
    ENGLISH,
    OTHER_LANGUAGES,
    REFERENCE,
    TROUBLESHOOTING,
)
from alert_router.runbook.model import STANDARD_SECTIONS, Runbook, Section, Step

_MAX_HEADING = 200  # characters; a longer heading is a sentence
_MAX_BOLD = 80  # characters of a bold line that is a heading
_MAX_TITLE = 140  # characters of a step's title

_BRACKETED = re.compile(r"\([^()]*\)|\[[^\[\]]*\]|（[^（）]*）")
_NUMBER = re.compile(
    r"^(?:(?:step|phase|part|schritt|paso|parte|etapa)\s+)?(?:§\s*)?"
    r"(?:\d+(?:\.\d+)*\s*(?:[.):–—-]+\s+|(?<=\.\d)\s+|(?<=\.\d\d)\s+|、\s*)"
    r"|(?-i:[A-Z](?:\.\d+)*)[.):]\s+|[一二三四五六七八九十]+[、.]\s*)",
    re.I,
)
_KEYCAP = re.compile("^\\d\ufe0f?\u20e3\\s*")
_BETWEEN = re.compile(
    r"\s*(?:[/&+:|–—、，：和与及]|->|→)\s*|\s+-\s+|\s+(?:and|or|und|oder|y|e|et|ou)\s+", re.I
)
_NOT_A_WORD = re.compile(r"[\W_]+")
_ASIDE = re.compile(
    r"^(?:steps?|how|actions?|procedures?|instructions|ways?|options) (?:to|for|of) (?:the )?"
    r"|(?: (?:for|of))? (?:the|this|an?) (?:alert|issue|problem|error|incident|failure)s?$"
)
_SEPARATOR = re.compile(r":|\s+[-–—]\s")
_SENTENCE_END = re.compile(r"[.!?:](?=\s)")
# What a heading with several names means first: it holds the steps to take.
_SIDES = ("Mitigation", "Detection", DIAGNOSIS, TROUBLESHOOTING, "Investigation")

_Part = tuple[Heading, list[Block]]


def without_number(title: str) -> str:
    """A heading without its number: `1. `, `2) `, `Step 3: `, `2.1 `."""
    title = title.strip()
    rest = _NUMBER.sub("", _KEYCAP.sub("", title)).strip()
    return rest or title


def key_of(title: str) -> str:
    """What two headings of the same meaning have in common: no case, accents, numbers, brackets
    and punctuation."""
    return _key(title) if len(title) <= _MAX_HEADING else _key.__wrapped__(title)


@lru_cache(maxsize=4096)
def _key(title: str) -> str:
    bare = _BRACKETED.sub(" ", without_number(title)) or title
    return _folded(bare).removeprefix("the ")


def _folded(text: str) -> str:
    letters = unicodedata.normalize("NFKD", text)
    kept = "".join(letter for letter in letters if not unicodedata.combining(letter))
    return _NOT_A_WORD.sub(" ", kept).strip().lower()


@dataclass(frozen=True, eq=False)
class Headings:
    """The meaning of headings: standard section, `diagnosis`, `troubleshooting` or `reference`,
    by `key_of`."""

    known: Mapping[str, str]

    @classmethod
    def of(cls, aliases: Mapping[str, Iterable[str]]) -> "Headings":
        """The built-in aliases and further ones by standard section, or `Reference`."""
        known = dict(_BUILT_IN)
        for name, own in aliases.items():
            meant = REFERENCE if name.lower() == REFERENCE else name
            known |= {key: meant for alias in own if (key := key_of(alias))}
        return cls(known)

    def kind(self, title: str) -> str:
        """The meaning of one heading (plain text); "" if it is not known."""
        return _kind(self, title) if len(title) <= _MAX_HEADING else ""

    def is_side(self, title: str) -> bool:
        """Whether a heading names what a firing notification shows."""
        return self.kind(title) in _SIDES

    def names(self, titles: Sequence[str]) -> tuple[str, ...]:
        """The standard names of all section headings of a runbook (plain text), "" for others;
        `reference` for what is never sent in place of steps."""
        kinds = [self.kind(title) for title in titles]
        own_detection = any(key_of(title) == "detection" for title in titles)
        meant = {
            DIAGNOSIS: "Investigation" if own_detection else "Detection",
            TROUBLESHOOTING: "Investigation" if "Mitigation" in kinds else "Mitigation",
        }
        return tuple(meant.get(kind, kind) for kind in kinds)

    def meaning(self, key: str) -> str:
        """The meaning of a key, also without words that add nothing."""
        found = self.known.get(key)
        if found or not key:
            return found or ""
        words = _ASIDE.sub("", key).split()
        while words:
            found = self.known.get(" ".join(words))
            if found:
                return found
            if words[-1] in AFTER:
                words.pop()
            elif words[0] in BEFORE:
                words.pop(0)
            else:
                return ""
        return ""


@lru_cache(maxsize=4096)  # each heading is asked for several times
def _kind(headings: Headings, title: str) -> str:
    whole = headings.meaning(key_of(title))
    if whole:
        return whole
    parts = _BETWEEN.split(_BRACKETED.sub(" ", without_number(title)))
    kinds = [kind for part in parts if (kind := headings.meaning(key_of(part)))]
    return next((side for side in _SIDES if side in kinds), next(iter(kinds), ""))


def _entries() -> Iterator[tuple[str, str]]:
    for table in (OTHER_LANGUAGES, ENGLISH):  # English wins where languages share a word
        for name, aliases in table.items():
            yield from ((key_of(alias), name) for alias in aliases.split(", "))
    for name in (*STANDARD_SECTIONS, REFERENCE, DIAGNOSIS, TROUBLESHOOTING):
        yield key_of(name), name


_BUILT_IN = dict(_entries())
STANDARD_HEADINGS = Headings(_BUILT_IN)


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
