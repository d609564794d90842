"""What a simple command does with its words: which are arguments, and which are run.

A command that is not known here takes arguments. Known are those that run what they are given,
set variables, or obey a small language in which a plain value can do harm.
"""

import re
from collections.abc import Callable, Sequence

from alert_router.enrich.shell.grammar import Grammar
from alert_router.enrich.shell.marks import Mark, Unsure, Use, Word
from alert_router.enrich.shell.tables import (
    OBEYED,
    OWN_VARIABLES,
    SHELLS,
    SSH_VALUED,
    TARGETS,
    WRAPPERS,
)
from alert_router.enrich.shell.variables import drop_own_variables, export, read, test

_BARE = re.compile(r"[\w./:=@,%+-]*", re.ASCII)
_ASSIGNMENT = re.compile(r"([A-Za-z_]\w*)=", re.ASCII)


def interpret(script: Grammar, words: Sequence[Word], *, piped: bool = False) -> None:
    """Note how the words of a command are used. `piped`: more words come from its input."""
    if not words:
        if piped:
            script.readers.append(script.pos)
        return
    head, rest = words[0], words[1:]
    script.run(head)
    if head.literal is None:
        if piped or head.marks:
            run_all(script, rest)
        return
    name = head.literal.rpartition("/")[2]
    if piped and ("{}" in head.literal or name in SHELLS):
        script.readers.append(head.start)
    if name in OBEYED:
        run_all(script, rest)
    elif name in OWN_VARIABLES:
        drop_own_variables(script, rest)
    elif name in SHELLS:
        _shell(script, head, rest)
    elif name in WRAPPERS:
        _wrapper(script, name, rest)
    elif name in TARGETS:
        _target(script, rest, TARGETS[name])
    elif name in _SPECIAL:
        _SPECIAL[name](script, rest)


def run_all(script: Grammar, words: Sequence[Word]) -> None:
    """Note that all these words may be run, or obeyed."""
    for word in words:
        script.run(word)


def _shell(script: Grammar, head: Word, words: Sequence[Word]) -> None:
    for index, word in enumerate(words):
        option = word.literal
        if option is None or not option.startswith(("-", "+")) or option == "-":
            script.run(word)  # a script's name; what follows are its arguments
            if option in ("-", "/dev/stdin"):
                script.readers.append(head.start)
            elif option is not None:
                script.running = True  # what the fence may have written before
            return
        if option in ("-s", "--") or option.startswith("--") or option[1:2] in ("o", "O"):
            script.readers.append(head.start)
            run_all(script, words[index:])
            return
        if "c" in option[1:]:
            run_all(script, words[index + 2 :])
            _reparse(script, words[index + 1 : index + 2])
            return
    script.readers.append(head.start)


def _reparse(script: Grammar, words: Sequence[Word]) -> None:
    """Read what another shell will read. One quoted string can be understood; else nothing."""
    if len(words) == 1 and words[0].quoted:
        word = words[0]
        start, end = words[0].quoted or (0, 0)
        single = script.text[start - 1] == "'"
        if single or not re.search(r"[\\`]|\$\(|\$\{\w+[^\w}]", script.text[start:end]):
            _read_inside(script, word, start, end, single=single)
            return
    if all(_is_bare(script, word) for word in words):
        interpret(script, words)
    else:
        run_all(script, words)


def _is_bare(script: Grammar, word: Word) -> bool:
    """Whether a word is the same to the shell that reads it next: nothing quoted, no operator."""
    text, at = "", word.start
    for mark in word.marks:
        text += script.text[at : mark.start]
        at = mark.end
    text += script.text[at : word.end]
    return _BARE.fullmatch(text) is not None and not _ASSIGNMENT.match(text)


def _read_inside(script: Grammar, word: Word, start: int, end: int, *, single: bool) -> None:
    inside = script.inside(start, end)
    try:
        inside.read()
    except Unsure:
        script.run(word)
        script.running = True
        return
    if single:
        script.marks = [mark for mark in script.marks if mark not in word.marks]
        script.marks.extend(inside.marks)
    else:
        uses = {mark.start: mark for mark in inside.marks}
        for mark in word.marks:
            _take_over(mark, uses.get(mark.start))
    script.assigned |= inside.assigned
    script.functions |= inside.functions
    script.risky |= inside.risky
    script.running = script.running or inside.running
    script.readers.extend(inside.readers)


def _take_over(mark: Mark, inner: Mark | None) -> None:
    """What the inner shell makes of a place is what counts; a variable there is expanded here."""
    if inner is None:
        mark.refuse(Use.RUN)
        return
    mark.refuse(inner.use)
    if inner.into:
        mark.refuse()


def _wrapper(script: Grammar, name: str, words: Sequence[Word]) -> None:
    """A command that runs the command it is given."""
    known = WRAPPERS[name]
    positional = known.positional
    index = 0
    while index < len(words):
        word = words[index]
        text = script.text[word.start : word.end]
        option = word.literal
        if option == "--":
            index += 1
            break
        if option is not None and option in known.valued:
            index += 2
            run_all(script, words[index - 1 : index])
        elif option is not None and (option in known.flags or option[:2] in known.valued):
            index += 1
        elif text.startswith("-"):
            run_all(script, words)
            return
        elif known.assigns and _ASSIGNMENT.match(text):
            word.refuse()
            index += 1
        elif positional:
            positional -= 1
            index += 1
        else:
            break
    inner = words[index:]
    if known.joins:
        _reparse(script, inner)
    elif name == "xargs":
        _xargs(script, words[:index], inner)
    else:
        interpret(script, inner)


def _xargs(script: Grammar, options: Sequence[Word], inner: Sequence[Word]) -> None:
    replaced = any((word.literal or "").startswith(("-I", "-i")) for word in options)
    if replaced and not any("{}" in (word.literal or "") for word in options):
        run_all(script, inner)  # a value could hold the text that xargs replaces
        return
    if inner:
        interpret(script, inner, piped=True)


def _target(script: Grammar, words: Sequence[Word], verbs: frozenset[str]) -> None:
    """kubectl, docker: `exec` and the like run a command elsewhere."""
    verb = next((i for i, word in enumerate(words) if word.literal in verbs), None)
    if verb is None:
        return
    rest = words[verb + 1 :]
    split = next((i for i, word in enumerate(rest) if word.literal == "--"), None)
    if split is not None:
        interpret(script, rest[split + 1 :])
        return
    index = targets = 0
    while index < len(rest):
        option = script.text[rest[index].start : rest[index].end]
        if option in ("-n", "--namespace", "-c", "--container", "--context", "-u", "-w", "-e"):
            index += 2
        elif re.fullmatch(r"-[itdAqr]+|--(?:rm|stdin|tty|quiet|privileged)|--[\w-]+=.*", option):
            index += 1
        elif option.startswith("-"):
            run_all(script, rest[index:])
            return
        elif targets:
            interpret(script, rest[index:])
            return
        else:
            targets += 1
            index += 1


def _ssh(script: Grammar, words: Sequence[Word]) -> None:
    index = 0
    while index < len(words):
        text = script.text[words[index].start : words[index].end]
        if not text.startswith("-"):
            break
        run_all(script, words[index : index + 1])
        index += 1
        if text in SSH_VALUED:
            run_all(script, words[index : index + 1])
            index += 1
    if len(words) <= index + 1:
        script.readers.append(script.pos)
        return
    _reparse(script, words[index + 1 :])


def _trap(script: Grammar, words: Sequence[Word]) -> None:
    _reparse(script, words[:1])


def _find(script: Grammar, words: Sequence[Word]) -> None:
    for index, word in enumerate(words):
        if word.literal in ("-exec", "-execdir", "-ok", "-okdir"):
            rest = list(words[index + 1 :])
            stop = next((i for i, w in enumerate(rest) if w.literal in (";", "+")), len(rest))
            interpret(script, rest[:stop], piped=True)


_SPECIAL: dict[str, Callable[[Grammar, Sequence[Word]], None]] = {
    "ssh": _ssh,
    "eval": _reparse,
    "trap": _trap,
    "find": _find,
    **dict.fromkeys(("export", "local", "readonly", "declare", "typeset"), export),
    **dict.fromkeys(("read", "mapfile", "readarray", "getopts", "let", "unset"), read),
    **dict.fromkeys(("test", "[", "printf", "wait"), test),
}
