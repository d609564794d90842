"""Reads the shell's compound commands, from `if` to `[[ ]]`.

Simple commands are `grammar`'s.
"""

import re
from collections.abc import Callable

from alert_router.enrich.shell.grammar import Grammar
from alert_router.enrich.shell.marks import Unsure

_NAME = re.compile(r"[A-Za-z_]\w*", re.ASCII)


def compound(script: Grammar) -> bool:
    """Read a compound command, if one is at hand; whether there was."""
    while (keyword := script.token()) in ("!", "time"):
        script.pos += len(keyword)
        script.blank()
        if keyword == "time" and script.token() == "-p":
            script.pos += 2
            script.blank()
    if script.at("(("):
        script.arithmetic()
    elif script.at("("):
        script.pos += 1
        script.statements(bracket=True)
        script.pos += 1
    elif keyword in _READERS:
        after = script.text[script.pos + len(keyword) : script.pos + len(keyword) + 1]
        if after not in ("", " ", "\t", "\n", ";", "(") or (after == "(" and keyword != "while"):
            if after not in ("&", "|", ")", "<", ">"):
                return False
            raise Unsure
        script.pos += len(keyword)
        _READERS[keyword](script)
    else:
        return False
    script.redirections()
    return True


def _if(script: Grammar) -> None:
    script.statements("then")
    while True:
        word = script.statements("elif", "else", "fi")
        if word == "fi":
            return
        if word == "else":
            script.statements("fi")
            return
        script.statements("then")


def _while(script: Grammar) -> None:
    script.statements("do")
    script.statements("done")


def _for(script: Grammar) -> None:
    script.blank()
    if script.at("(("):
        script.arithmetic()
    else:
        name = script.variable()
        script.assign(name, [])
        script.blank(newlines=True)
        if script.token() == "in":
            script.pos += 2
            _list(script, name)
    script.blank()
    if script.at(";"):
        script.pos += 1
    script.blank(newlines=True)
    if script.token() != "do":
        raise Unsure
    script.pos += 2
    script.statements("done")


def _list(script: Grammar, name: str) -> None:
    script.blank()
    while script.peek() not in ("", "\n", ";"):
        word = script.word()
        if word.end == word.start:
            raise Unsure
        script.assign(name, word.marks)
        script.blank()


def _case(script: Grammar) -> None:
    script.blank()
    script.word().refuse()
    script.blank(newlines=True)
    if script.token() != "in":
        raise Unsure
    script.pos += 2
    while True:
        script.blank(newlines=True)
        if script.token() == "esac":
            script.pos += 4
            return
        if script.at("("):
            script.pos += 1
        _patterns(script)
        if script.statements(";;", "esac") == "esac":
            return


def _patterns(script: Grammar) -> None:
    while True:
        script.blank()
        word = script.word()
        word.refuse()
        script.blank()
        if word.end == word.start or script.peek() not in ("|", ")"):
            raise Unsure
        script.pos += 1
        if script.text[script.pos - 1] == ")":
            return


def _group(script: Grammar) -> None:
    script.statements("}")


def _test(script: Grammar) -> None:
    """`[[ ]]`: its operands are patterns and numbers, not arguments."""
    while True:
        script.blank(newlines=True)
        char = script.peek()
        if script.token() == "]]":
            script.pos += 2
            return
        if char in ("", ";"):
            raise Unsure
        if char in "()<>&|":
            script.pos += 1
            continue
        word = script.word()
        word.refuse()
        if word.literal and _NAME.fullmatch(word.literal):
            script.risky.add(word.literal)  # `[[ N -gt 3 ]]` computes with N


def _function(script: Grammar) -> None:
    script.blank()
    name = script.token()
    if not name:
        raise Unsure
    script.pos += len(name)
    script.blank()
    if script.at("()"):
        script.pos += 2
    script.function(name)


def _unsure(_script: Grammar) -> None:
    raise Unsure


_READERS: dict[str, Callable[[Grammar], None]] = {
    "if": _if,
    "while": _while,
    "until": _while,
    "for": _for,
    "select": _for,
    "case": _case,
    "{": _group,
    "[[": _test,
    "function": _function,
    "coproc": _unsure,
}
