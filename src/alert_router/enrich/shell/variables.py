"""Commands that set variables, and commands with variables of their own.

Those that run other commands are in `meaning`.
"""

import re
from collections.abc import Sequence

from alert_router.enrich.shell.grammar import Grammar
from alert_router.enrich.shell.marks import Word

_NAME = re.compile(r"[A-Za-z_]\w*", re.ASCII)
_ASSIGNMENT = re.compile(r"([A-Za-z_]\w*)=", re.ASCII)


def drop_own_variables(script: Grammar, words: Sequence[Word]) -> None:
    """awk and jq have `$name`s of their own: in single quotes those are not ours."""
    theirs = {
        mark
        for word in words
        for mark in word.marks
        if not mark.stops and not mark.explicit and script.text[mark.start + 1] != "{"
    }
    script.marks = [mark for mark in script.marks if mark not in theirs]


def export(script: Grammar, words: Sequence[Word]) -> None:
    """`export NAME=value` and the like; with an option, they may compute or refer."""
    plain = not any(script.text[word.start] == "-" for word in words)
    for word in words:
        match = _ASSIGNMENT.match(script.text, word.start, word.end)
        name = match[1] if match else word.literal or ""
        if match and plain:
            script.assign(name, word.marks)
            continue
        word.refuse()
        if _NAME.fullmatch(name):
            script.assigned.add(name)
            if not plain:  # such as `declare -i`, which computes
                script.risky.add(name)


def read(script: Grammar, words: Sequence[Word]) -> None:
    """Commands whose words are variables\' names, or arithmetic."""
    for word in words:
        word.refuse()
        names = _NAME.findall(word.literal or "")
        script.assigned.update(names)
        script.risky.update(names)


def test(script: Grammar, words: Sequence[Word]) -> None:
    """Commands that set or look up a variable by name when told to by an option."""
    if any(word.literal in ("-v", "-R") for word in words):
        read(script, words)
