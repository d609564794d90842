"""What a runbook is: metadata, sections and steps, as trees of Markdown.

Reading them from text is `parse`; having all of a directory is `catalogue`.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field

from alert_router.markdown import Block, Inline
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


@dataclass(frozen=True, slots=True)
class Step:
    """One thing to do: its title as plain text, and what stands under it."""

    title: str
    blocks: tuple[Block, ...]
    line: int = 0


@dataclass(frozen=True, slots=True)
class Section:
    """A section. `name` is the standard name its heading stands for, "" where it is none.

    `intro` is what stands before the first step; a section without steps is all intro.
    """

    name: str
    title: tuple[Inline, ...]
    intro: tuple[Block, ...]
    steps: tuple[Step, ...] = ()
    line: int = 0


@dataclass(frozen=True, slots=True)
class Runbook:
    """A runbook. `id` is its path below the catalogue without `.md`.

    `metadata` holds what front matter, bold lines or a table under the title said, keys lower
    case with `_`; `blocks` is the whole document, for its page.
    """

    id: str
    title: str
    metadata: Mapping[str, str]
    sections: tuple[Section, ...]
    blocks: tuple[Block, ...]
    problems: tuple[Problem, ...] = field(default=())

    def section(self, name: str) -> Section | None:
        """The first section of that standard name."""
        return next((section for section in self.sections if section.name == name), None)
