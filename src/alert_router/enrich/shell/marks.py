"""What reading a shell text finds: words, the placeholders in them, and what it cannot read.

How they are found is `words` and `grammar`; what they are filled with is `template`.
"""

from dataclasses import dataclass, field
from enum import IntEnum


class Unsure(Exception):
    """The text is no shell that is understood here beyond doubt."""


class Use(IntEnum):
    """What the place of a placeholder would make of a value, from harmless to dangerous."""

    ARGUMENT = 0  # part of one argument, of a here-document, or of a comment
    REFUSED = 1  # something else: a file's name, a pattern, a number, a variable's name
    RUN = 2  # a command's name, or text that a shell reads once more


@dataclass(slots=True, eq=False)
class Mark:
    """A `$name`, `${name}` or `{{ $labels.name }}` at `start:end`.

    `stops`: whether `${name:?}` would work here. `into` is the variable that the value flows to.
    """

    start: int
    end: int
    name: str
    explicit: bool = False
    use: Use = Use.ARGUMENT
    stops: bool = True
    into: str = ""

    def refuse(self, use: Use = Use.REFUSED) -> None:
        """Note a use; the most dangerous one stays."""
        self.use = max(self.use, use)


@dataclass(slots=True, eq=False)
class Word:
    """A word of a command. `literal` is its value where nothing in it is expanded.

    `dynamic`: something other than a placeholder is expanded (`$1`, `$(...)`, `*`).
    `quoted` is the span within the quotes of a word that is one quoted string.
    """

    start: int
    end: int = 0
    literal: str | None = ""
    dynamic: bool = False
    quoted: tuple[int, int] | None = None
    marks: list[Mark] = field(default_factory=list)

    def refuse(self, use: Use = Use.REFUSED) -> None:
        """Refuse all placeholders in the word."""
        for mark in self.marks:
            mark.refuse(use)


@dataclass(slots=True, eq=False)
class HereDocument:
    """A here-document whose body is still to come. `runs`: a shell will read it."""

    delimiter: str
    quoted: bool
    tabs: bool
    position: int
    runs: bool = False
