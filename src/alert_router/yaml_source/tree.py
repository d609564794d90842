"""A YAML file as a tree that knows where everything stands, and problems that point into it.

Making the tree from text is `yaml`; what a file must hold is for the models.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from alert_router.model.problem import Place, Problem, Severity
from alert_router.yaml_source.mask import shown_line

Location = tuple[str | int, ...]


@dataclass(frozen=True, slots=True)
class Text:
    """A scalar as it was written; None for a plain null, `~` or nothing at all.

    `style` is the quote (' or "), | or > of a block, or "" for a plain scalar.
    """

    place: Place
    value: str | None
    style: str = ""
    size: int = 1
    height: int = 1


@dataclass(frozen=True, slots=True)
class Items:
    """A list. `size` counts all nodes below with aliases expanded, `height` the levels."""

    place: Place
    items: tuple["Node", ...]
    size: int = 1
    height: int = 1


@dataclass(frozen=True, slots=True)
class Entry:
    """A key with its place, and its value."""

    key: str
    place: Place
    value: "Node"


@dataclass(frozen=True, slots=True)
class Fields:
    """A mapping, in the order of the file."""

    place: Place
    entries: Mapping[str, Entry]
    size: int = 1
    height: int = 1

    def get(self, key: str) -> "Node | None":
        """The value of a key."""
        entry = self.entries.get(key)
        return entry.value if entry else None

    def text(self, key: str) -> str | None:
        """The value of a key, where it is text."""
        value = self.get(key)
        return value.value if isinstance(value, Text) else None


Node = Text | Items | Fields


@dataclass(frozen=True, slots=True)
class Document:
    """One file: its lines, its tree, and what was wrong in it without spoiling the tree."""

    file: str
    lines: Sequence[str]
    root: Fields
    problems: tuple[Problem, ...] = field(default=())

    def find(self, location: Location) -> tuple[Node, Entry | None]:
        """The node at a location, and the entry it is the value of.

        Parts that are no key or index of the tree (the tag of a union, which pydantic puts into
        locations) are passed over.
        """
        node: Node = self.root
        entry: Entry | None = None
        before: str | int | None = None
        for part in location:
            item_of_list, before = isinstance(before, int), part
            if item_of_list and isinstance(node, Fields) and part == node.text("type"):
                continue
            if isinstance(part, int) and isinstance(node, Items) and part < len(node.items):
                node, entry = node.items[part], None
            elif isinstance(part, str) and isinstance(node, Fields) and part in node.entries:
                entry = node.entries[part]
                node = entry.value
        return node, entry

    def problem(
        self,
        code: str,
        message: str,
        place: Place,
        *,
        hint: str = "",
        severity: Severity = Severity.ERROR,
        hide_from: int = 0,
    ) -> Problem:
        """A problem in this file with the line it points at, secrets masked; from the column
        `hide_from` on nothing of the line is shown."""
        source = shown_line(self.lines, place.line, hide_from)
        return Problem(code, message, place, severity, hint, source)


def plain(node: Node) -> Any:
    """The tree as dicts, lists, texts and None."""
    if isinstance(node, Fields):
        return {entry.key: plain(entry.value) for entry in node.entries.values()}
    if isinstance(node, Items):
        return [plain(item) for item in node.items]
    return node.value


def children(node: Node | None) -> Iterator[Node]:
    """The items of a list; nothing for anything else."""
    if isinstance(node, Items):
        yield from node.items
