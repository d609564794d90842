"""A problem: a finding with a place, a code, a severity and a message."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from difflib import get_close_matches
from enum import StrEnum


class Severity(StrEnum):
    """The severity of a problem: errors fail `check`, warnings only with `--strict`."""

    ERROR = "error"
    WARNING = "warning"
    INFO = "info"


@dataclass(frozen=True, slots=True, order=True)
class Place:
    """Where in a file: line and column count from 1; 0 means the whole file or line."""

    file: str
    line: int = 0
    column: int = 0

    def __str__(self) -> str:
        parts = [self.file, *(str(n) for n in (self.line, self.column) if n)]
        return ":".join(parts)


@dataclass(frozen=True, slots=True)
class Problem:
    """A finding. `hint` says what to do; `source` is the line of the file."""

    code: str
    message: str
    place: Place
    severity: Severity = Severity.ERROR
    hint: str = ""
    source: str = ""

    def show(self) -> str:
        """The problem as text: place and message, the line with a caret, the hint."""
        lines = [f"{self.place}: {self.severity}: {self.message} [{self.code}]"]
        if self.source:
            number = str(self.place.line)
            lines.append(f"  {number} | {self.source}")
            if self.place.column:
                before = self.source[: self.place.column - 1]
                # Tabs are kept, so that the caret is under its column in any terminal.
                indent = "".join("\t" if c == "\t" else " " for c in before)
                lines.append(f"  {' ' * len(number)} | {indent}^")
        if self.hint:
            lines.append(f"  {self.hint}")
        return "\n".join(lines)

    def as_json(self) -> dict[str, object]:
        """The problem as JSON; keys are stable."""
        return {
            "code": self.code,
            "severity": str(self.severity),
            "message": self.message,
            "file": self.place.file,
            "line": self.place.line,
            "column": self.place.column,
            "hint": self.hint,
        }


class ProblemsError(Exception):
    """Input that cannot be used, with all its problems."""

    def __init__(self, problems: Iterable[Problem]) -> None:
        self.problems = tuple(problems)
        super().__init__("\n".join(problem.show() for problem in self.problems))


def did_you_mean(word: str, known: Sequence[str], otherwise: str = "") -> str:
    """A hint with the most similar known word; `otherwise` if none is similar."""
    close = get_close_matches(word.lower(), known, n=1, cutoff=0.6)
    return f"did you mean `{close[0]}`?" if close else otherwise
