"""Where a code block has commands: after prompts, everywhere, or in some lines.

Without prompts, commands are recognized by their first word. `split` separates the commands of a
session from their output and removes the prompts.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from enum import Enum
from functools import lru_cache
from itertools import groupby

from alert_router.markdown import Code
from alert_router.markdown.commandline import is_command_in_code, starts_with_program

CONSOLE_LANGUAGES = frozenset(
    ("console", "shell-session", "shellsession", "sh-session", "bash-session", "terminal", "term")
)
SHELL_LANGUAGES = (
    frozenset(("bash", "sh", "shell", "zsh", "ksh", "dash", "shel", "shell-script", "shellscript"))
    | CONSOLE_LANGUAGES
)
OUTPUT = "text"
_LANGUAGE = re.compile(r"[{.\d]*([a-z][a-z0-9]*(?:-[a-z]+)*)")  # `8sh`, `{.bash}`, `bash,linenos`

_ASSIGNS = re.compile(r"[ \t]*[A-Za-z_]\w*=(?:\S|$)", re.ASCII)
_PROSE = re.compile(
    r"(?<![\w-])(?:the|a|an|is|are|to|and|or|if|of|this|that|it|all|with|shows?|should|will)\b"
    r"|[.:,]$",
    re.I,
)

# `# ` after a blank may start a comment, so it ends no prompt but `/ # `.
_AT_HOST = r"(?:\(\w{1,30}\)[ ])?[\w.-]{1,60}@[\w.-]{1,60}(?:[: ][^\s$#%]{0,60})?"
_SHELLS = r"(?:ba|z|k|da)?sh-[\d.]{1,8}"
_PATH = r"(?:~|~?(?:/[\w.-]{0,60}){1,8})"
_PROMPT = re.compile(
    rf"[ \t]*(?:\$|(?:\[[^\]\n]{{1,60}}\]|{_AT_HOST}|{_SHELLS})[$#%]|(?:{_AT_HOST}|{_PATH})[ ]\$"
    r"|[~/][ ]\#|[a-z][\w.-]{0,60}\$|❯|➜)[ \t]+(?=\S)"
)
_ROOT = re.compile(r"[ \t]*#[ \t]+(?=\S)")
_PERCENT = re.compile(r"[ \t]*%[ \t]+(?=\S)")
_MORE = re.compile(r"[ \t]*>(?:[ \t]|$)")
_QUERY = re.compile(
    r"[ \t]*(?:(?:mysql|sqlite|cqlsh(?::\w{1,60})?|MariaDB \[[^\]\n]{0,60}\])>|[\w.-]{1,60}=[#>]"
    r"|(?P<redis>\d{1,3}(?:\.\d{1,3}){3}:\d{1,5}>)|(?P<more>->|[\w.-]{1,60}[-('][#>]))"
    r"[ \t]+(?=[\w\\();*])"
)
_COMMENT = re.compile(r"[ \t]*#")

_TOKEN = re.compile(
    r"\\.?|['\"]|(?<!\S)#.*|<<-?[ \t]*['\"]?(?P<document>[A-Za-z_]\w*)['\"]?"
    r"|(?<![\w$./-])(?:(?P<opens>do|then|case|\{)|(?P<closes>done|fi|elif|esac|\}))(?![\w./-])"
)
_SHORT = 1024  # characters
_OPEN_END = re.compile(r"(?:\||&&|\\)[ \t]*\Z")


class _Kind(Enum):
    COMMAND = 1
    MORE = 2  # of the command before
    COMMENT = 3
    QUERY = 4
    REDIS = 5
    OUTPUT = 6


_PART_LANGUAGES = {_Kind.QUERY: "sql", _Kind.REDIS: "redis", _Kind.OUTPUT: OUTPUT}


@dataclass(slots=True)
class _Line:
    """A line: its text is shown from `start`. `certain`: that it continues the line before."""

    kind: _Kind
    start: int
    end: int
    certain: bool = True


@dataclass(slots=True)
class _Open:
    """What a command leaves open at the end of a line."""

    quote: str = ""
    documents: list[str] = field(default_factory=list)
    depth: int = 0
    joined: bool = False

    def read(self, line: str) -> None:
        """Read the next line of the command."""
        if self.documents and not self.quote:
            if line.strip() == self.documents[0]:
                self.documents.pop(0)
            return
        for match in _TOKEN.finditer(line):
            sign = match[0]
            if self.quote:
                if sign == self.quote or (self.quote == "'" and sign == "\\'"):
                    self.quote = ""
            elif sign in ("'", '"'):
                self.quote = sign
            elif match["document"]:
                self.documents.append(match["document"])
            elif match["opens"] or match["closes"]:
                self.depth = max(self.depth + (1 if match["opens"] else -1), 0)
        self.joined = not self.quote and _OPEN_END.search(line) is not None

    def __bool__(self) -> bool:
        return bool(self.quote or self.documents or self.depth or self.joined)


@dataclass(frozen=True, slots=True)
class _Session:
    """The lines of a block. `prompts`: they have some. `whole`: all of it is commands."""

    lines: Sequence[_Line]
    prompts: bool = False
    whole: bool = False


def shell_language(code: Code) -> str:
    """The shell language of a code block, "" if it is another one. A block without a language is
    one if it has prompts, or if its first line is a known command."""
    match = _LANGUAGE.match(code.language)
    language = match[1] if match else code.language
    if language in SHELL_LANGUAGES:
        return language
    if language:
        return ""
    lines = _read(code.text, "").lines
    return "sh" if any(line.kind is _Kind.COMMAND for line in lines) else ""


def is_session(code: Code) -> bool:
    """Whether a shell block has prompts."""
    return _read(code.text, shell_language(code) if code.language else "").prompts


def split(code: Code) -> tuple[Code, ...]:
    """A shell block as blocks of commands, queries and output, without prompts; the block itself
    if it has no prompts. Commands have a language of `SHELL_LANGUAGES`, output has `OUTPUT`."""
    language = shell_language(code)
    session = _read(code.text, language if code.language else "")
    if not language or not session.prompts:
        return (replace(code, language=language) if language and session.whole else code,)
    shell = "sh" if language in CONSOLE_LANGUAGES else language
    parts = []
    for name, group in groupby(session.lines, lambda it: _PART_LANGUAGES.get(it.kind, shell)):
        text = "\n".join(code.text[line.start : line.end].rstrip() for line in group).strip("\n")
        if text.strip():
            parts.append(replace(code, text=text, language=name))
    return tuple(parts)


def command_spans(text: str, language: str) -> list[tuple[int, int]]:
    """Where the commands of a shell block are; `language` is "" if it has none."""
    session = _read(text, language)
    if session.whole:
        return [(0, len(text))]
    spans: list[tuple[int, int]] = []
    for line in session.lines:
        if line.kind is _Kind.MORE and spans:
            spans[-1] = (spans[-1][0], line.end)
        elif line.kind is _Kind.COMMAND:
            spans.append((line.start, line.end))
        elif language in CONSOLE_LANGUAGES:
            if root := _ROOT.match(text, line.start, line.end):  # perhaps the prompt of root
                spans.append((root.end(), line.end))
        elif line.kind is _Kind.COMMENT:
            spans.append((line.start, line.end))
    return spans


def command_ranges(code: Code) -> list[tuple[int, int]]:
    """Where in a block's text there are commands: everywhere, or after the prompts of a session."""
    language = shell_language(code)
    if not language:
        return [(0, len(code.text))]
    return command_spans(code.text, code.language and language)


def _read(text: str, language: str) -> _Session:
    read = _read_short if len(text) <= _SHORT else _read_long
    return read(text, language)


def _parse(text: str, language: str) -> _Session:
    bounds = _bounds(text)
    prompts = [_prompt(text, start, end, language) for start, end in bounds]
    if any(prompts):
        lines = _classified(
            text, bounds, prompts, unprompted=language not in ("", *CONSOLE_LANGUAGES)
        )
        return _Session(lines, prompts=True)
    if language and language not in CONSOLE_LANGUAGES:
        return _Session((), whole=True)
    roots = _root_prompts(text, bounds, console=language != "")
    if any(roots):
        return _Session(_classified(text, bounds, roots, unprompted=False), prompts=True)
    lines = _classified(text, bounds, roots, unprompted=True)
    written = [line for line in lines if text[line.start : line.end].strip()]
    kinds = [line.kind for line in written if line.kind is not _Kind.COMMENT]
    known = any(is_command_in_code(text[line.start : line.end]) for line in written)
    if not language and (not known or kinds[0] is _Kind.OUTPUT):
        return _Session(())  # not certainly shell
    return _Session(lines, whole=_Kind.COMMAND in kinds and _Kind.OUTPUT not in kinds)


# Texts with the values of labels are read too, each another one: what is kept is bounded in bytes.
_read_short = lru_cache(maxsize=4096)(_parse)
_read_long = lru_cache(maxsize=16)(_parse)


def _bounds(text: str) -> list[tuple[int, int]]:
    bounds, start = [], 0
    for line in text.split("\n"):
        bounds.append((start, start + len(line)))
        start += len(line) + 1
    return bounds


def _prompt(text: str, start: int, end: int, language: str) -> tuple[_Kind, int] | None:
    """The kind of a line with a prompt, and where its text starts."""
    if match := _PROMPT.match(text, start, end):
        return _Kind.COMMAND, match.end()
    if language == "zsh" and (match := _PERCENT.match(text, start, end)):
        return _Kind.COMMAND, match.end()
    if match := _QUERY.match(text, start, end):
        if match["more"]:
            return None
        return (_Kind.REDIS if match["redis"] else _Kind.QUERY), match.end()
    return None


def _root_prompts(
    text: str, bounds: Sequence[tuple[int, int]], *, console: bool
) -> list[tuple[_Kind, int] | None]:
    """The prompts `# ` of root, none unless all such lines are certainly commands and no prose, and
    all other lines are output. `console`: the language of the block says that it has prompts. If
    not, there must be output, and no command may start with an English word."""
    is_certain = _is_command_or_sets if console else starts_with_program
    found: list[tuple[_Kind, int] | None] = []
    outputs = 0
    for start, end in bounds:
        match = _ROOT.match(text, start, end)
        line = text[match.end() if match else start : end]
        if match and (not is_certain(line) or _PROSE.search(line)):
            return [None] * len(bounds)
        if not match and is_command_in_code(line):
            return [None] * len(bounds)
        outputs += not match and bool(line.strip())
        found.append((_Kind.COMMAND, match.end()) if match else None)
    return found if outputs or console else [None] * len(bounds)


def _is_command_or_sets(line: str) -> bool:
    return is_command_in_code(line) or _ASSIGNS.match(line) is not None


def _classified(
    text: str,
    bounds: Sequence[tuple[int, int]],
    prompts: Sequence[tuple[_Kind, int] | None],
    *,
    unprompted: bool,
) -> list[_Line]:
    """The lines with their kinds. `unprompted`: known commands need no prompt."""
    lines: list[_Line] = []
    state = _Open()
    last = {text[start:end].strip(): start for start, end in bounds}
    for (start, end), prompt in zip(bounds, prompts, strict=True):
        line = text[start:end]
        in_document = state.documents and last.get(state.documents[0], 0) > start
        if prompt and not in_document:
            _close(lines, state)
            state = _Open()
            lines.append(_Line(prompt[0], prompt[1], end))
        elif state:
            more = _MORE.match(text, start, end) if any(prompts) else None
            lines.append(
                _Line(_Kind.MORE, more.end() if more else start, end, bool(more) or state.joined)
            )
        elif lines and lines[-1].kind is _Kind.QUERY and (more := _QUERY.match(text, start, end)):
            lines.append(_Line(_Kind.QUERY, more.end(), end))
        elif _COMMENT.match(text, start, end):
            lines.append(_Line(_Kind.COMMENT, start, end))
        elif unprompted and _is_command_or_sets(line):
            lines.append(_Line(_Kind.COMMAND, start, end))
        else:
            lines.append(_Line(_Kind.OUTPUT, start, end))
        if lines[-1].kind in (_Kind.COMMAND, _Kind.MORE):
            state.read(text[lines[-1].start : end])
    _close(lines, state)
    _attach_comments(text, lines)
    return lines


def _close(lines: list[_Line], state: _Open) -> None:
    """At the next prompt: what only seemed to continue an unfinished command is output."""
    if state:
        for line in reversed(lines):
            if line.kind is not _Kind.MORE:
                return
            if not line.certain:
                line.kind = _Kind.OUTPUT


def _attach_comments(text: str, lines: Sequence[_Line]) -> None:
    """Comments and blank lines belong to the command after them; after output, other lines with
    `#` are output too."""
    following = _Kind.OUTPUT
    for at in range(len(lines) - 1, -1, -1):
        line = lines[at]
        blank = not text[line.start : line.end].strip()
        if line.kind is _Kind.COMMENT or blank:
            before = lines[at - 1].kind if at else _Kind.COMMENT
            if blank and line.kind is _Kind.OUTPUT:
                line.kind = _Kind.COMMENT if following is _Kind.COMMAND else _Kind.OUTPUT
            elif following is not _Kind.COMMAND and before is _Kind.OUTPUT:
                line.kind = _Kind.OUTPUT
        else:
            following = _Kind.COMMAND if line.kind is _Kind.MORE else line.kind
