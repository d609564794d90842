"""Asks bash whether it can parse a text. Nothing of the text is ever run.

`bash -n` reads commands without executing them; the environment is empty, so that no start-up
file, function or option of whoever runs the lint has a say.
"""

import re
import shutil
import subprocess
from collections.abc import Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

_SECONDS = 5
_AT_ONCE = 4
_MESSAGE = re.compile(
    r"^\S*bash: (?:line (?P<line>\d+): )?(?P<text>.*(?:error|unexpected|delimited).*)$",
    re.MULTILINE,
)
_TOKEN = re.compile(r"token `(?P<token>.+?)'|matching `(?P<quote>.)'")


@dataclass(frozen=True, slots=True)
class Complaint:
    """What bash says of a text: the line, counted from 1, a sentence, and the word it is about
    ("" where it names none). `open`: the text ends before something in it does."""

    line: int
    sentence: str
    word: str = ""
    open: bool = False


def bash() -> str | None:
    """Where bash is, if it is."""
    return shutil.which("bash")


def complaints(program: str, texts: Iterable[str]) -> Mapping[str, Complaint]:
    """What bash says of those texts that it cannot parse. A text on which it takes too long, or
    fails without saying why, has none."""
    wanted = list(dict.fromkeys(texts))
    with ThreadPoolExecutor(_AT_ONCE) as pool:
        answers = pool.map(lambda text: _ask(program, text), wanted)
        return {
            text: found for text, found in zip(wanted, answers, strict=True) if found is not None
        }


def _ask(program: str, text: str) -> Complaint | None:
    try:
        done = subprocess.run(  # noqa: S603 - the text goes in by a pipe, to a shell that runs nothing
            [program, "--norc", "--noprofile", "-n", "-O", "extglob"],
            input=text.encode(errors="replace").replace(b"\0", b""),
            env={"LC_ALL": "C"},
            cwd="/",
            capture_output=True,
            timeout=_SECONDS,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired):
        return None
    return read_answer(done.stderr.decode(errors="replace"))


def read_answer(stderr: str) -> Complaint | None:
    """The first complaint in what bash wrote."""
    match = _MESSAGE.search(stderr)
    if match is None:
        return None
    text = match["text"].removeprefix("warning: ")
    line = int(match["line"] or 1)
    if here := re.search(r"here-document at line (\d+) delimited", text):
        sentence = "a here-document is not closed"
        if wanted := re.search(r"wanted `(.*)'", text):
            sentence += f": `{wanted[1]}` is expected on a line of its own"
        return Complaint(int(here[1]), sentence, "<<", open=True)
    token = _TOKEN.search(text)
    word = (token["token"] or token["quote"]) if token else ""
    at_end = "unexpected EOF" in text or "unexpected end of file" in text
    return Complaint(line, _sentence(text), "" if word == "newline" else word, at_end)


def _sentence(text: str) -> str:
    text = re.sub(r"`(.+?)'", r"`\1`", text).replace("syntax error: ", "")
    return text.replace("syntax error near ", "").replace(" near unexpected token", "")
