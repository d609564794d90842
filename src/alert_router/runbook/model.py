"""A runbook: metadata, sections and steps, as trees of Markdown."""

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
    """One thing to do: its title as plain text, and its content."""

    title: str
    blocks: tuple[Block, ...]
    line: int = 0


@dataclass(frozen=True, slots=True)
class Section:
    """A section. `name` is the standard name that its heading means, or "".

    `intro` is the content before the first step; a section without steps is all intro.
    """

    name: str
    title: tuple[Inline, ...]
    intro: tuple[Block, ...]
    steps: tuple[Step, ...] = ()
    line: int = 0


@dataclass(frozen=True, slots=True, eq=False)
class Runbook:
    """A runbook, compared by identity. `id` is its path below the catalogue without `.md`.

    `metadata` comes from front matter, bold lines or a table under the title, keys in lower case
    with `_`; `blocks` is the whole document.
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
