"""Shell code blocks: where their commands are, and which of them no shell can parse.

Most texts are recognized as simple commands by the reader that fills placeholders. For the others
`bash -n` decides, which parses commands without executing them.
"""

import re
import shutil
import subprocess
from collections.abc import Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import lru_cache

from alert_router.checks.codes import LINT
from alert_router.checks.lint.source import RunbookSource
from alert_router.enrich.shell import (
    CONSOLE_LANGUAGES,
    command_ranges,
    is_session,
    reads_as_simple_commands,
)
from alert_router.markdown import Code
from alert_router.markdown.commandline import starts_with_program
from alert_router.model.problem import Place, Problem

# zsh and ksh have grammars of their own, so bash is not used for them.
_BASH_LANGUAGES = frozenset(("bash", "sh", "shell")) | CONSOLE_LANGUAGES
_MAX_LENGTH = 100_000
_TIMEOUT = 5  # seconds
_CONCURRENT = 4

# An assignment, a construct of the shell, or a prompt.
_BEGINS = re.compile(
    r"\s*(?:\w+=|(?:for|while|until|if|case|function|export|\[\[)\s|\w+\s?\(\)|[$#%>]\s|[^\s:]{1,80}[$#]\s)"
)
_TEMPLATE = re.compile(r"\{\{[^{}\n]{0,100}\}\}")
# Anything in angle brackets that may be a placeholder: `</path/to/file>`, `<user@host>`.
_ANGLE = re.compile(r"(?<![<\w&$])<(?=[^\s<>(&=-])[^<>\n]{0,80}(?<=\S)>(?![>&])")

_MESSAGE = re.compile(
    r"^\S*bash: (?:line (?P<line>\d+): )?(?P<text>.*(?:error|unexpected|delimited).*)$",
    re.MULTILINE,
)
_TOKEN = re.compile(r"token `(?P<token>.+?)'|matching `(?P<quote>.)'")


@dataclass(frozen=True, slots=True)
class _Commands:
    """Commands of a code block, from an offset on, with placeholders replaced by plain words."""

    source: RunbookSource
    code: Code
    offset: int
    text: str


@dataclass(frozen=True, slots=True)
class BashError:
    """A syntax error that bash reports: the line, counted from 1, the message, and the word it is
    about ("" if none). `open`: the text ends before a construct in it does."""

    line: int
    message: str
    word: str = ""
    open: bool = False


def check(sources: Sequence[RunbookSource]) -> Iterator[Problem]:
    """Everything about the shell syntax of all runbooks, so that bash runs for all at once."""
    doubtful = [each for source in sources for each in _commands(source) if not is_shell(each.text)]
    if not doubtful:
        return
    program = shutil.which("bash")
    if program is None:
        number = len(doubtful)
        what = "1 command is" if number == 1 else f"{number} commands are"
        code = "runbook-shell-unchecked"
        message = f"bash is not installed: {what} not checked"
        hint = "Run the check where bash is installed."
        yield Problem(code, message, Place(str(doubtful[0].source.path)), LINT[code], hint)
        return
    errors = bash_errors(program, [each.text for each in doubtful])
    for each in doubtful:
        error = errors.get(each.text)
        # What a session leaves open may continue after a continuation prompt.
        if error and not (error.open and is_session(each.code)):
            yield _problem(each, error)


def _commands(source: RunbookSource) -> Iterator[_Commands]:
    for code in source.parsable_codes:
        if code.language in _BASH_LANGUAGES and _has_command(code):
            for start, end in command_ranges(code):
                if end - start <= _MAX_LENGTH:
                    text = code.text[start:end]
                    for pattern in (_ANGLE, _TEMPLATE):  # keeping offsets
                        text = pattern.sub(lambda match: "x" * len(match[0]), text)
                    yield _Commands(source, code, start, text)


def _has_command(code: Code) -> bool:
    """Whether some line is certainly a command, and not all of the block output."""
    lines = code.text.split("\n")
    return any(starts_with_program(each, or_word=True) or _BEGINS.match(each) for each in lines)


@lru_cache(maxsize=8192)
def is_shell(text: str) -> bool:
    """Whether the text is certainly valid shell."""
    return reads_as_simple_commands(text)


def _problem(commands: _Commands, error: BashError) -> Problem:
    lines = commands.text.split("\n")
    number = min(max(error.line, 1), len(lines))
    line = lines[number - 1]
    before = sum(len(line) + 1 for line in lines[: number - 1])
    found = line.find(error.word) if error.word else -1
    at = before + (found if found >= 0 else len(line) - len(line.lstrip()))
    offset = min(commands.offset + at, len(commands.code.text))
    return commands.source.problem(
        "runbook-shell-syntax",
        f"bash cannot parse this: {error.message}",
        *commands.source.in_code(commands.code, offset),
        hint="Fix it, or label the code block `text` if it is output.",
    )


def bash_errors(program: str, texts: Iterable[str]) -> Mapping[str, BashError]:
    """The first syntax error of each text that bash cannot parse. A text for which bash takes too
    long, or fails without a message, has none."""
    wanted = list(dict.fromkeys(texts))
    with ThreadPoolExecutor(_CONCURRENT) as pool:
        answers = pool.map(lambda text: _parse(program, text), wanted)
        pairs = zip(wanted, answers, strict=True)
        return {text: error for text, error in pairs if error is not None}


def _parse(program: str, text: str) -> BashError | None:
    """Runs `bash -n` in an empty environment, so that no start-up file, function or option of the
    user has an effect."""
    try:
        done = subprocess.run(  # noqa: S603 - the text goes through a pipe to a shell that runs nothing
            [program, "--norc", "--noprofile", "-n", "-O", "extglob"],
            input=text.encode(errors="replace").replace(b"\0", b""),
            env={"LC_ALL": "C"},
            cwd="/",
            capture_output=True,
            timeout=_TIMEOUT,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired):
        return None
    return _first_error(done.stderr.decode(errors="replace"))


def _first_error(stderr: str) -> BashError | None:
    match = _MESSAGE.search(stderr)
    if match is None:
        return None
    text = match["text"].removeprefix("warning: ")
    line = int(match["line"] or 1)
    if here := re.search(r"here-document at line (\d+) delimited", text):
        message = "a here-document is not closed"
        if wanted := re.search(r"wanted `(.*)'", text):
            message += f": `{wanted[1]}` is expected on a line of its own"
        return BashError(int(here[1]), message, "<<", open=True)
    token = _TOKEN.search(text)
    word = (token["token"] or token["quote"]) if token else ""
    at_end = "unexpected EOF" in text or "unexpected end of file" in text
    message = re.sub(r"`(.+?)'", r"`\1`", text).replace("syntax error: ", "")
    message = message.replace("syntax error near ", "").replace(" near unexpected token", "")
    return BashError(line, message, "" if word == "newline" else word, at_end)
