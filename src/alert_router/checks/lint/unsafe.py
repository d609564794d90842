"""Destructive commands that stay dangerous whatever a label or a directory is.

Which commands are destructive is `dangers`; that somebody warns of them is `destructive`.
"""

import re
from collections.abc import Iterator

from alert_router.checks.lint import codes
from alert_router.checks.lint.dangers import Danger, dangers
from alert_router.checks.lint.page import Page
from alert_router.enrich.placeholder import PLACEHOLDER, name_of
from alert_router.enrich.shell import SHELL_LANGUAGES, own_variables
from alert_router.model.problem import Problem

_CD = re.compile(r"^[ \t]*(?:[$#%]\s+)?(?:cd|pushd)\b(?P<rest>[^\n]*)$", re.MULTILINE)
_GUARDED = re.compile(r"&&|\|\|")
_STOPS = re.compile(r"^\s*set\s+-\w*e", re.MULTILINE)
# Their argument does not say what kind of thing it is.
_ANYTHING = frozenset(("rm -r", "find -delete", "kubectl delete", "mkfs", "wipefs"))
# These act on where they are, or on what they are given by name.
_HERE = frozenset(("rm -r", "find -delete"))
_RELATIVE = re.compile(r"\s(?:\./|\.(?=\s|$)|\*|\w[\w-]*(?:/|\s|$))")
_JOIN = (
    "Join them with `&&`, or name the whole path: if `cd` fails, the command runs where the shell "
    "happens to be."
)
_NAME_MORE = "Name what kind of thing or which directory it is, so that no other value fits."
_OPTION = re.compile(r"-\S*")
_VERBS = frozenset(("delete", "drain", "uninstall", "rollback", "destroy", "del"))


def check(page: Page) -> Iterator[Problem]:
    """Every such command of one runbook."""
    shell = [code.text for code in page.codes if code.language in SHELL_LANGUAGES]
    own = own_variables(shell).own
    for code in page.parsable:
        if code.language not in SHELL_LANGUAGES:
            continue
        if "$" not in code.text and "cd" not in code.text:
            continue
        for danger in dangers(code):
            if message := _after_cd(code.text, danger):
                hint = (
                    "Join them with `&&`, or name the whole path: if `cd` fails, the command runs \
where the shell happens to be."
                )
            elif message := _only_a_placeholder(code.text, danger, own):
                hint = (
                    "Name what kind of thing or which directory it is, so that no other value fits."
                )
            else:
                continue
            line, column = page.in_code(code, danger.start)
            yield page.problem(codes.UNSAFE, message, line, column, hint=hint)


def _after_cd(text: str, danger: Danger) -> str:
    if danger.name not in _HERE or _STOPS.search(text[: danger.start]):
        return ""
    if not _RELATIVE.search(_command(text, danger)):
        return ""
    moved = list(_CD.finditer(text, 0, danger.start))
    if not moved or _GUARDED.search(moved[-1]["rest"]):
        return ""
    return f"`{danger.name}` runs even if the `cd` before it fails"


def _only_a_placeholder(text: str, danger: Danger, own: frozenset[str]) -> str:
    if danger.name not in _ANYTHING:
        return ""
    words = [
        word.strip("\"'")
        for word in _command(text, danger).split()[1:]
        if not _OPTION.fullmatch(word) and word not in _VERBS
    ]
    match = PLACEHOLDER.fullmatch(words[0]) if len(words) == 1 else None
    if match is None or name_of(match) in own:
        return ""
    return f"the only argument of `{danger.name}` is the placeholder `{words[0]}`"


def _command(text: str, danger: Danger) -> str:
    """From the destructive command's first word to its end."""
    end = re.compile(r"[;&|\n]|\Z").search(text, danger.start)
    return text[danger.start : end.start() if end else len(text)]
