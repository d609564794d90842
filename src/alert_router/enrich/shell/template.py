"""From the shell code of a runbook to templates, once; from a template to a command, often.

A placeholder that is not filled becomes an inert token (`token` in `placeholder`), never an
expansion: a shell would make nothing of that, and `rm -rf /data/$volume` would delete `/data/`.
"""

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from types import MappingProxyType

from alert_router.enrich.placeholder import (
    PLACEHOLDER,
    AlertLabels,
    Place,
    may_fill,
    name_of,
    of_environment,
    token,
)
from alert_router.enrich.shell.reader import Mark, Reader

CONSOLE_LANGUAGES = frozenset(("console", "shell-session", "shellsession", "sh-session"))
SHELL_LANGUAGES = frozenset(("bash", "sh", "shell", "zsh", "ksh")) | CONSOLE_LANGUAGES

# Escaped, a nested shell would expand it. With an operator, only what has a default of its own
# cannot come to nothing.
_IN_CODE = re.compile(r"\\?(?:" + PLACEHOLDER.pattern + r")", re.ASCII)
_OPERATOR = re.compile(r"\\?\$\{[#!]?(?P<name>[A-Za-z_]\w*)(?=[^\w}])", re.ASCII)
_DEFAULT = re.compile(r"\$\{\w+:[-=][^}\s]", re.ASCII)
_PROMPT = re.compile(r"^[$#] +", re.MULTILINE)
_TOUCHING = re.compile(r"(?<!\$)\$(\w+|#)\Z", re.ASCII)

_NAME = r"[A-Za-z_]\w*"
_SETS = re.compile(rf"({_NAME})(?:\[[^\]]*\])?\+?=", re.ASCII)
_SETS_BY_DEFAULT = re.compile(rf"\$\{{({_NAME}):?=", re.ASCII)
_READS = re.compile(
    rf"\b(?:for|select|foreach)\s+({_NAME})\b"
    r"|\b(?:read|mapfile|readarray|getopts|unset|export|local|declare|readonly|typeset|let"
    r"|printf\s+-v)\s+([^;&|<>\n]*)",
    re.ASCII,
)
_DEFINES = re.compile(r"([\w.-]+)[ \t]*\([ \t]*\)|\b(?:function|alias)[ \t]+([\w.-]+)", re.ASCII)
_WORD = re.compile(rf"(?<![\w$=/.-]){_NAME}(?![\w/.-])", re.ASCII)
# What stands before a command: nothing, an operator, a word after which one begins, `sh -c '`;
# then perhaps a prompt, and assignments.
_COMMAND_START = re.compile(
    r"(?:\A|[;&|(`]|\{\s|(?<![\w-])(?:do|then|else|while|until|if|!)\s|-\w*c\s+['\"])\s*"
    rf"(?:[\w@:~./\[\]-]*(?P<prompt>[$#%>])\s+)?(?:{_NAME}=\S*\s+)*\Z",
    re.ASCII,
)
# An operator with no command before it, or at the end.
_NO_COMMAND = re.compile(
    r"(?:\A|\n|&&|\|\||(?<!\|)\|(?!\|)&?|;|(?<!&)&(?![&>]))[ \t]*(?=[;|)]|&(?!>))|[&|]\s*\Z"
)
# Text in which the shell computes what follows: there a word counts as 0, which may delete.
_COMPUTES = re.compile(
    rf"\(\((?:(?!\)\)).)*\Z|\$\[[^\]]*\Z|\[\[\s(?:(?!\]\]).)*\Z"
    rf"|\$\{{{_NAME}(?:\[|:(?![-=?+]))[^}}]*\Z|\blet\s[^;&|\n]*\Z"
    r"|\b(?:declare|typeset|local|integer|readonly|export)\s[^;&|\n]*-\w*i[^;&|\n]*\Z",
    re.ASCII | re.DOTALL,
)
_LOOKED_BACK = 500  # characters in which that is looked for
_ARGUMENT = "see "
_LONGEST_LINE = 1_000  # characters of a line in which assignments are looked for


@dataclass(frozen=True, slots=True)
class Variables:
    """The variables that a runbook sets itself: they stay as they are. `doubtful`: what may set
    one, or only mentions a label; such a name is neither left to the shell nor filled.
    `functions`: the commands that it defines, which may run what they are given."""

    own: frozenset[str] = frozenset()
    doubtful: frozenset[str] = frozenset()
    functions: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class Slot:
    """A placeholder in a template: its offset in the text, as written, where it stands, the text
    on either side, and what stands there if it is not filled."""

    name: str
    written: str
    start: int
    place: Place
    before: str
    after: str
    token: str

    def takes(self, value: str) -> bool:
        """Whether the value may stand here."""
        return may_fill(self.place, value, self.before, self.after)


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
            if value is not None and part.takes(value):
                out.append(value)
                continue
            if value is not None:
                beside[part.name, value] = None
            out.append(part.token)
        return Filled("".join(out), tuple(beside))

    @property
    def slots(self) -> Iterator[Slot]:
        """Its placeholders."""
        return (part for part in self.parts if isinstance(part, Slot))


def compile_fences(
    fences: Sequence[tuple[str, str]], variables: Variables | None = None
) -> list[Template]:
    """The templates of shell code, given as (text, language). `variables` are those of the whole
    runbook; if not given, those set in these texts."""
    if variables is None:
        variables = own_variables([text for text, _ in fences])
    return [_template(text, language, variables) for text, language in fences]


def own_variables(shell: Iterable[str], other: Iterable[str] = ()) -> Variables:
    """The variables that code sets or reads by any of the shell's ways. `other` is code that may
    be no shell, such as inline code: there `name=value` can be a label as well."""
    own: set[str] = set()
    doubtful: set[str] = set()
    functions: set[str] = set()
    for text in shell:
        functions.update(a or b for a, b in _DEFINES.findall(text))
        for name, certain in _set_in(text):
            (own if certain else doubtful).add(name)
    for text in other:
        for name, certain in _set_in(text):
            (own if certain and name.isupper() else doubtful).add(name)
    return Variables(frozenset(own), frozenset(doubtful - own), frozenset(functions))


def _set_in(text: str) -> Iterator[tuple[str, bool]]:
    """Each variable that is set, and whether that is certain: behind `# ` it may be a comment."""
    for whole in text.split("\n") if "=" in text or _READS.search(text) else ():
        line = whole[:_LONGEST_LINE]
        yield from ((name, True) for name in _SETS_BY_DEFAULT.findall(line))
        for match in (*_SETS.finditer(line), *_READS.finditer(line)):
            start = _COMMAND_START.search(line[: match.start()])
            if start is None:
                continue
            names = [match[1]] if match[1] else _WORD.findall(match[2])
            yield from ((name, start["prompt"] != "#") for name in names)


def unfilled(text: str, variables: Variables, *, only_explicit: bool = False) -> Template:
    """The template of text in which nothing is filled. `only_explicit`: its language has variables
    that look like placeholders, so that just `{{ $labels.name }}` is one."""
    marks = [
        mark
        for mark in _marks(text, variables.own)
        if not only_explicit or text[mark.start : mark.start + 2] == "{{"
    ]
    return _build(text, marks)


def compile_inline(text: str, variables: Variables) -> Template:
    """The template of inline code. A single word there is a name, not a command."""
    if any(char.isspace() for char in PLACEHOLDER.sub("x", text)):
        return _template(text, "sh", variables)
    return _shifted(_template(f"{_ARGUMENT}{text}", "sh", variables))


def _shifted(template: Template) -> Template:
    """Without the command that was put before it."""
    length = len(_ARGUMENT)
    first, *rest = template.parts if template.parts else ("",)
    if not isinstance(first, str) or not first.startswith(_ARGUMENT):
        raise AssertionError(template)
    parts = (first[length:], *rest)
    return Template(
        tuple(
            replace(part, start=part.start - length) if isinstance(part, Slot) else part
            for part in parts
            if part != ""
        )
    )


def reads_as_simple_commands(text: str) -> bool:
    """Whether a text surely is shell: nothing but simple commands, comments and pipelines."""
    if _NO_COMMAND.search(text):
        return False
    reader = Reader(text, [], 0, len(text))
    reader.read()
    return reader.simple


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


@lru_cache(maxsize=4096)
def _template(text: str, language: str, variables: Variables) -> Template:
    marks = list(_marks(text, variables.own))
    inserted: dict[int, str] = {}
    for start, end in command_spans(text, language):
        reader = Reader(text, marks, start, end, variables.functions)
        reader.read()
        inserted |= reader.inserted
    for mark in marks:
        if mark.name in variables.doubtful and text[mark.start] != "{":
            mark.place = Place.NOWHERE
    return _build(text, marks, inserted)


def _marks(text: str, own: frozenset[str]) -> Iterator[Mark]:
    """The placeholders of a text: no variable of the runbook's own, nor of the environment."""
    at = 0
    found = sorted(
        (*_IN_CODE.finditer(text), *_OPERATOR.finditer(text)), key=lambda match: match.start()
    )
    for match in found:
        if match.start() < at:
            continue
        operator = match.re is _OPERATOR
        name = match["name"] if operator else name_of(match)
        explicit = not operator and match["explicit"] is not None
        if not explicit and (name in own or of_environment(name)):
            continue
        if operator:
            end = _closing(text, match.start())
            if not end or _DEFAULT.match(text, match.start() + (match[0][0] == "\\")):
                continue
        else:
            end = match.end()
        at = end
        yield Mark(match.start(), end, name)


def _closing(text: str, start: int) -> int:
    """The end of `${...}` that begins at `start`, 0 if it has none; the shell's own nesting."""
    depth = 0
    for at in range(start, min(len(text), start + 500)):
        depth += (text[at] == "{") - (text[at] == "}")
        if not depth and text[at] == "}":
            return at + 1
    return 0


def _build(
    text: str, marks: Sequence[Mark], inserted: Mapping[int, str] = MappingProxyType({})
) -> Template:
    parts: list[str | Slot] = []
    at = 0
    for mark in marks:
        if mark.own:
            continue
        before = _with(text, at, mark.start, inserted)
        # `$BASE$volume` filled with v1 must not become `$BASEv1`, which is another variable.
        parts.append(_TOUCHING.sub(r"${\1}", before))
        written = text[mark.start : mark.end]
        operator = not PLACEHOLDER.fullmatch(written.removeprefix("\\"))
        place = Place.NOWHERE if operator or written[0] == "\\" else mark.place
        is_computed = mark.computed
        if is_computed is None:
            looked_at = text[max(0, mark.start - _LOOKED_BACK) : mark.start]
            is_computed = _COMPUTES.search(looked_at) is not None
        parts.append(
            Slot(
                mark.name,
                written,
                mark.start,
                place,
                text[max(0, mark.start - 1) : mark.start],
                text[mark.end : mark.end + 1],
                token(mark.name, fails=is_computed),
            )
        )
        at = mark.end
    parts.append(_with(text, at, len(text), inserted))
    return Template(tuple(part for part in parts if part != ""))


def _with(text: str, start: int, end: int, inserted: Mapping[int, str]) -> str:
    """A part of a text, with what must be put into it."""
    parts = []
    for at in sorted(at for at in inserted if start <= at <= end):
        parts += [text[start:at], inserted[at]]
        start = at
    return "".join((*parts, text[start:end]))
