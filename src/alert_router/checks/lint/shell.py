"""Shell fences that no shell can parse.

The reader that fills commands says of many texts that they are simple commands; bash is asked about
the others only. Words such as `<pod-name>` are not the shell's mistake: `placeholders` has them.
"""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache

from alert_router.checks.lint import bash, codes, fences
from alert_router.checks.lint.page import Page
from alert_router.enrich.shell import CONSOLE_LANGUAGES, reads_as_simple_commands
from alert_router.markdown import Code
from alert_router.model.problem import Place, Problem

# zsh and ksh have grammars of their own, which bash is not asked about.
_BASH = frozenset(("bash", "sh", "shell")) | CONSOLE_LANGUAGES
_LONGEST = 100_000


@dataclass(frozen=True, slots=True)
class Piece:
    """A text to be parsed: commands of a code block, from that offset on."""

    page: Page
    code: Code
    offset: int
    text: str


def check(pages: Sequence[Page]) -> Iterator[Problem]:
    """Everything about the shell fences of all runbooks, so that bash is asked about all at
    once."""
    doubtful = [piece for page in pages for piece in _pieces(page) if not whole(piece.text)]
    if not doubtful:
        return
    program = bash.bash()
    if program is None:
        yield _unchecked(doubtful)
        return
    said = bash.complaints(program, [piece.text for piece in doubtful])
    for piece in doubtful:
        complaint = said.get(piece.text)
        # What a session leaves open may go on behind a prompt of its own.
        if complaint and not (complaint.open and fences.is_session(piece.code)):
            yield _problem(piece, complaint)


def _pieces(page: Page) -> Iterator[Piece]:
    for code in page.parsable:
        if code.language in _BASH:
            for start, end in fences.commands(code):
                if end - start <= _LONGEST:
                    yield Piece(page, code, start, fences.blanked(code.text[start:end]))


@lru_cache(maxsize=8192)
def whole(text: str) -> bool:
    """Whether all of it surely is shell."""
    return reads_as_simple_commands(text)


def _problem(piece: Piece, said: bash.Complaint) -> Problem:
    lines = piece.text.split("\n")
    number = min(max(said.line, 1), len(lines))
    before = sum(len(line) + 1 for line in lines[: number - 1])
    found = re.search(re.escape(said.word), lines[number - 1]) if said.word else None
    at = before + (found.start() if found else _indent(lines[number - 1]))
    line, column = piece.page.in_code(piece.code, min(piece.offset + at, len(piece.code.text)))
    return piece.page.problem(
        codes.SHELL_SYNTAX,
        f"bash cannot parse this: {said.sentence}",
        line,
        column,
        hint="Mend it, or call the fence `text` if it is output and no command.",
    )


def _indent(line: str) -> int:
    return len(line) - len(line.lstrip())


def _unchecked(doubtful: Sequence[Piece]) -> Problem:
    number = len(doubtful)
    return Problem(
        codes.SHELL_UNCHECKED,
        f"there is no bash here: {number} {'command is' if number == 1 else 'commands are'} "
        "not checked",
        Place(str(doubtful[0].page.path)),
        codes.SEVERITIES[codes.SHELL_UNCHECKED],
        "Run the lint where bash is installed.",
    )
