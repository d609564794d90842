"""From the shell fences of a runbook to templates, once; from a template to a command, often.

The fences of a runbook are judged together: one may set a variable that another runs.
"""

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from functools import lru_cache

from alert_router.enrich.placeholder import (
    PLACEHOLDER,
    AlertLabels,
    inert,
    name_of,
    of_environment,
)
from alert_router.enrich.shell.marks import Mark, Unsure, Use
from alert_router.enrich.shell.script import Script

CONSOLE_LANGUAGES = frozenset(("console", "shell-session", "shellsession", "sh-session"))
SHELL_LANGUAGES = frozenset(("bash", "sh", "shell", "zsh", "ksh")) | CONSOLE_LANGUAGES

_IDENTIFIER = re.compile(r"[A-Za-z_]\w*", re.ASCII)
_SETS = re.compile(
    r"([A-Za-z_]\w*)(?:\[[^\]]*\])?\+?=|\b(?:for|select|read|export|local)\s+(?:-\w+\s+)*([A-Za-z_]\w*)",
    re.ASCII,
)
_JOINS = re.compile(r"[\w./${}*?~-]")  # beside a placeholder, these are part of its word
_QUOTES = "\"'"
_PROMPT = re.compile(r"^[$#] +", re.MULTILINE)


@dataclass(frozen=True, slots=True)
class Slot:
    """A placeholder in a template: as written, what stands there unfilled, and when to fill.
    `joined`: what stands beside it is of the same word."""

    name: str
    written: str
    unfilled: str
    fills: bool
    before_dot: bool
    joined: bool

    def takes(self, value: str) -> bool:
        """Whether the value may stand here."""
        if not self.fills or not inert(value) or (self.before_dot and value[-1] == "."):
            return False
        # `/` is a mount point's name, but `rm -r /data/$volume` must not become `rm -r /data//`.
        return not self.joined or any(map(str.isalnum, value))


@dataclass(frozen=True, slots=True)
class Filled:
    """A text and the (name, value) pairs that are not in it and are to be shown beside it."""

    text: str
    values: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True, slots=True)
class Template:
    """A text cut at its placeholders."""

    parts: tuple[str | Slot, ...]

    def fill(self, labels: AlertLabels) -> Filled:
        """The text for an alert."""
        out: list[str] = []
        beside: dict[tuple[str, str], None] = {}
        for part in self.parts:
            if isinstance(part, str):
                out.append(part)
                continue
            value = labels.get(part.name)
            if value is not None:
                if part.takes(value):
                    out.append(value)
                    continue
                beside[part.name, value] = None
            out.append(part.unfilled)
        return Filled("".join(out), tuple(beside))


@dataclass(slots=True)
class _Reading:
    """What was found in one fence."""

    marks: list[Mark] = field(default_factory=list)
    assigned: set[str] = field(default_factory=set)
    functions: set[str] = field(default_factory=set)
    risky: set[str] = field(default_factory=set)
    running: bool = False


def compile_fences(fences: Sequence[tuple[str, str]]) -> list[Template]:
    """The templates of a runbook's shell fences, given as (text, language) in their order."""
    readings = [_read(text, language) for text, language in fences]
    risky = {name for reading in readings for name in _risky(reading)}
    assigned: set[str] = set()
    dangerous: set[str] = set()
    templates = []
    for (text, _), reading in zip(fences, readings, strict=True):
        assigned |= reading.assigned
        running = (
            reading.running
            or any(mark.use is Use.RUN and mark.name in assigned for mark in reading.marks)
            or not dangerous.isdisjoint(_IDENTIFIER.findall(text))
        )
        if running:
            dangerous |= reading.functions
        templates.append(_build(text, reading.marks, assigned, risky, running=running))
    return templates


def _risky(reading: _Reading) -> Iterable[str]:
    """Variables whose value is somewhere more than an argument."""
    yield from reading.risky
    for mark in reading.marks:
        if mark.use is not Use.ARGUMENT or mark.into:
            yield mark.name


@lru_cache(maxsize=4096)
def _read(text: str, language: str) -> _Reading:
    reading = _Reading()
    for start, end in command_spans(text, language):
        script = Script(text, start, end)
        try:
            script.read()
        except (Unsure, RecursionError):
            _read_unsure(script, start, end, reading)
        reading.marks += script.marks
        reading.assigned |= script.assigned
        reading.functions |= script.functions
        reading.risky |= script.risky
        reading.running = reading.running or script.running
    return reading


def _read_unsure(script: Script, start: int, end: int, reading: _Reading) -> None:
    """What can be said of a text that is not understood: nothing in it is filled."""
    text = script.text
    known = {mark.start for mark in script.marks}
    for match in PLACEHOLDER.finditer(text, start, end):
        if match.start() not in known and text[match.start() - 1 : match.start()] != "\\":
            explicit = match["explicit"] is not None
            script.marks.append(Mark(match.start(), match.end(), name_of(match), explicit))
    for mark in script.marks:
        mark.refuse()
    inside = text[start:end]
    script.risky.update(_IDENTIFIER.findall(inside))
    script.assigned.update(a or b for a, b in _SETS.findall(inside))


def command_spans(text: str, language: str) -> list[tuple[int, int]]:
    """Where commands stand: everywhere, or behind the prompts of a session."""
    if language not in CONSOLE_LANGUAGES:
        return [(0, len(text))]
    spans = []
    at = 0
    while match := _PROMPT.search(text, at):
        end = match.end()
        while True:
            newline = text.find("\n", end)
            end = len(text) if newline < 0 else newline
            if newline < 0 or text[end - 1] != "\\":
                break
            end += 1
        spans.append((match.end(), end))
        at = end
        if at >= len(text):
            break
    return spans


def _build(
    text: str, marks: Sequence[Mark], assigned: set[str], risky: set[str], *, running: bool
) -> Template:
    parts: list[str | Slot] = []
    at = 0
    for mark in sorted(marks, key=lambda mark: mark.start):
        own = not mark.explicit and (of_environment(mark.name) or mark.name in assigned)
        if own or mark.start < at:
            continue
        flows = mark.into and (mark.into in risky or "IFS" in assigned)
        written = text[mark.start : mark.end]
        parts += [
            text[at : mark.start],
            Slot(
                name=mark.name,
                written=written,
                unfilled=f"${{{mark.name}:?not in this alert}}" if mark.stops else written,
                fills=mark.use is Use.ARGUMENT and not running and not flows,
                before_dot=text[mark.end : mark.end + 1] == ".",
                joined=_is_joined(text, mark),
            ),
        ]
        at = mark.end
    parts.append(text[at:])
    return Template(tuple(part for part in parts if part != ""))


def _is_joined(text: str, mark: Mark) -> bool:
    """Whether a word goes on before or behind the mark; quotes do not end a word."""
    before = text[: mark.start].rstrip(_QUOTES)[-1:]
    behind = text[mark.end :].lstrip(_QUOTES)[:1]
    return any(_JOINS.match(beside) for beside in (before, behind))
