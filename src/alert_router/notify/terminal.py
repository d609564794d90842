"""Lines of a message on standard output: styled on a terminal, plain in a log.

Commands stand alone on their lines, without borders or padding, so that they can be pasted.
What the lines say is `console`'s.
"""

import sys
import threading
from collections.abc import Iterable
from dataclasses import dataclass
from typing import IO, Literal

from rich.console import Console
from rich.segment import Segments
from rich.syntax import Syntax
from rich.text import Text

from alert_router.markdown import visible

Kind = Literal["title", "alert", "soft", "runbook", "section", "step", "text", "code", "note"]

_LEXERS = {"sh": "bash", "shell": "bash", "zsh": "bash", "logql": "promql"}
_STYLES = {
    "title": "bold reverse",
    "alert": "bold",
    "soft": "dim",
    "runbook": "bold underline",
    "section": "bold cyan",
    "step": "bold",
    "note": "yellow",
}
# One message at a time: several are being sent, each from a thread of its own.
_ONE_AT_A_TIME = threading.Lock()


@dataclass(frozen=True, slots=True)
class Line:
    """A line or a block of the message. `text` has no control characters but newlines and tabs;
    `colour` is a terminal's name of one, for titles; `language` a code's."""

    kind: Kind
    text: str
    indent: int = 0
    language: str = ""
    colour: str = ""


def line(kind: Kind, text: str, indent: int = 0, **more: str) -> Line:
    """A line whose text can do nothing to a terminal."""
    return Line(kind, visible(text), indent, **more)


def as_text(lines: Iterable[Line]) -> str:
    """The message as plain text, with an empty line at its end."""
    out: list[str] = []
    for told in lines:
        if told.kind in ("title", "runbook", "section"):
            out.append("")
        pad = " " * told.indent
        out += [pad + row if row else "" for row in told.text.split("\n")]
    return "\n".join([*out, "", ""])


def write(lines: tuple[Line, ...], limit: float) -> None:
    """Print the message to standard output and flush. Raises TimeoutError if another is still
    being written after `limit` seconds, OSError or ValueError if it cannot be written."""
    if not _ONE_AT_A_TIME.acquire(timeout=limit):
        raise TimeoutError
    try:
        stream = sys.stdout
        styled = Console(file=stream).is_terminal
        text = _as_styled(lines, stream) if styled else as_text(lines)
        encoding = stream.encoding or "utf-8"
        stream.write(text.encode(encoding, "backslashreplace").decode(encoding))
        stream.flush()
    finally:
        _ONE_AT_A_TIME.release()


def _as_styled(lines: Iterable[Line], stream: IO[str]) -> str:
    # Soft wrap: the terminal breaks long lines, so that what is copied has none. Rows are put into
    # segments here because printing a Text makes spaces of its tabs, which ends a `<<-` heredoc.
    console = Console(file=stream, soft_wrap=True, highlight=False, emoji=False, markup=False)
    with console.capture() as capture:
        for told in lines:
            if told.kind in ("title", "runbook", "section"):
                console.print()
            for row in _rows(told):
                whole = Text(" " * told.indent).append_text(row) if row.plain else row
                console.print(Segments(whole.render(console, end="\n")), end="")
        console.print()
    return capture.get()


def _rows(told: Line) -> Iterable[Text]:
    if told.kind == "code":
        lexer = _LEXERS.get(told.language, told.language) or "text"
        # Highlighted by hand rather than printed as a block: a block is padded to the
        # terminal's width and wrapped, and neither can be pasted.
        syntax = Syntax("", lexer, theme="ansi_dark", tab_size=0)
        rows = syntax.highlight(told.text).split("\n", allow_blank=True)
        return rows[: told.text.count("\n") + 1]
    style = f"{_STYLES.get(told.kind, '')} {told.colour}".strip()
    text = f" {told.text} " if told.kind == "title" else told.text
    return [Text(row, style=style) for row in text.split("\n")]
