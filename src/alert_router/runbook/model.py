"""A runbook: metadata, sections and steps, as trees of Markdown."""

import re
from bisect import bisect_left
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import PurePosixPath

from alert_router.markdown import Block, Inline, Paragraph, plain
from alert_router.model.problem import Problem

STANDARD_SECTIONS = (
    "Overview",
    "Severity",
    "Prerequisites",
    "Detection",
    "Investigation",
    "Mitigation",
    "Verification",
    "Communication",
    "Escalation",
    "Post-Incident",
)


INDEXES = frozenset({"index", "readme", "_index"})  # a folder's page is the folder's runbook

_MOVED = re.compile(
    r"\b(?:moved|migrated|renamed|relocated|merged) (?:in)?to\b|\breplaced (?:by|with)\b", re.I
)
_MAX_POINTER = 400  # characters


@dataclass(frozen=True, slots=True)
class Step:
    """One thing to do: its title as plain text, and its content."""

    title: str
    blocks: tuple[Block, ...]
    line: int = 0


@dataclass(frozen=True, slots=True)
class Section:
    """A section. `name` is the standard name that its heading means, or "".

    `intro` is the content before the first step; a section without steps is all intro. `reference`
    sections (links, metadata, examples) say nothing about what to do.
    """

    name: str
    title: tuple[Inline, ...]
    intro: tuple[Block, ...]
    steps: tuple[Step, ...] = ()
    line: int = 0
    reference: bool = False


@dataclass(frozen=True, slots=True)
class AlertHeading:
    """The heading of one alert's section, in a file that describes several: the names that the
    heading may mean, its anchor, and its line."""

    names: tuple[str, ...]
    anchor: str
    line: int


@dataclass(frozen=True, slots=True, eq=False)
class Runbook:
    """A runbook, compared by identity. `id` is its path below the catalogue without its
    suffix, `file` the file that it was read from.

    `metadata` comes from front matter, bold lines or a table under the title, keys in lower case
    with `_`; `lead` is the text before the first section; `blocks` is the whole document. `alerts`
    are the headings of single alerts, whose sections are sent for no other alert; `by_alerts` if
    the file is organized by them.

    A section of a file is a runbook too, with the id `path#anchor` and the file as `parent`.
    """

    id: str
    title: str
    metadata: Mapping[str, str]
    sections: tuple[Section, ...]
    blocks: tuple[Block, ...]
    problems: tuple[Problem, ...] = field(default=())
    lead: Section | None = None
    alerts: tuple[AlertHeading, ...] = ()
    by_alerts: bool = False
    parent: "Runbook | None" = None
    file: str = ""

    @property
    def is_index(self) -> bool:
        """Whether its file is the page of the folder that it is named after, so that its links
        are relative to that folder."""
        name = PurePosixPath(self.file).name.partition(".")[0].lower()
        return name in INDEXES and self.id.rpartition("/")[2].lower() != name

    @property
    def has_moved(self) -> bool:
        """Whether the file only says that the runbook is somewhere else now."""
        if self.sections or self.lead is None or self.lead.steps or len(self.lead.intro) != 1:
            return False
        only = self.lead.intro[0]
        text = plain(only.children) if isinstance(only, Paragraph) else ""
        return len(text) < _MAX_POINTER and _MOVED.search(text) is not None

    @property
    def own_sections(self) -> tuple[Section, ...]:
        """The sections, without those that are, or contain, a single alert's; none of a file
        that is organized by alerts."""
        if self.by_alerts:
            return ()
        lines = [alert.line for alert in self.alerts]
        before = [bisect_left(lines, section.line) for section in self.sections] + [len(lines)]
        return tuple(
            section
            for section, start, end in zip(self.sections, before, before[1:], strict=False)
            if start == end
        )

    def section(self, name: str) -> Section | None:
        """The first section of that standard name."""
        return next((section for section in self.sections if section.name == name), None)
