"""The notifier `console`: standard output, styled on a terminal, plain in a log.

Commands stand alone on their lines, without borders or padding, so that they can be pasted.
"""

import asyncio
import sys
import threading
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import IO, Literal

from rich.console import Console
from rich.segment import Segments
from rich.syntax import Syntax
from rich.text import Text

from alert_router.markdown import Block, Code, to_text, visible
from alert_router.notification import Detail, Notification
from alert_router.notify import message, wording
from alert_router.notify.base import Delivered, Failed, Notifier, Outcome, Reason, Sending
from alert_router.notify.render import MessageRenderer, text_lines

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
    `color` is a terminal's name of one, for titles; `language` is that of code."""

    kind: Kind
    text: str
    indent: int = 0
    language: str = ""
    color: str = ""


def line(kind: Kind, text: str, indent: int = 0, **more: str) -> Line:
    """A line whose text cannot control a terminal."""
    return Line(kind, visible(text), indent, **more)


class ConsoleNotifier(Notifier):
    """Writes to standard output."""

    type: Literal["console"] = "console"

    def render(self, notification: Notification, detail: Detail = Detail.FULL) -> tuple[Line, ...]:
        """The message as lines; there is no limit to their number."""
        return tuple(_ConsoleRenderer().parts(message.outline(notification, detail)))

    async def notify(self, payload: tuple[Line, ...], sending: Sending) -> Outcome:
        try:
            # A terminal or pipe may block for as long as its reader likes.
            async with asyncio.timeout(self.timeout):
                await asyncio.to_thread(write, payload, self.timeout)
        except TimeoutError:
            why = f"standard output accepted nothing for {self.timeout:g} s"
            return Failed(Reason.TIMEOUT, why, in_doubt=True)
        except OSError as error:
            why = f"cannot write: {error.strerror or type(error).__name__}"
            return Failed(Reason.CONNECTION, why, in_doubt=True)
        except (ValueError, AttributeError):  # closed, or no standard output at all
            return Failed(Reason.CONNECTION, "standard output is closed")
        return Delivered()

    def readable(self, payload: tuple[Line, ...]) -> str:
        """The message as plain text."""
        return as_text(payload)


class _ConsoleRenderer(MessageRenderer[Line]):
    column = 2

    def title(self, part: message.Title) -> Iterator[Line]:
        yield line("title", str(part), color=part.grade.terminal)

    def shared(self, part: message.CommonFacts) -> Iterator[Line]:
        yield from (line("text", text, 2) for text in part.lines(" "))

    def alert(self, part: message.AlertLine) -> Iterator[Line]:
        first, *others = part.lines(" ")
        yield line("alert", first, 2)
        yield from (line("soft", text, 4) for text in others)

    def more(self, part: message.More) -> Iterator[Line]:
        yield line("soft", str(part), 2)

    def note(self, text: str) -> Iterator[Line]:
        yield line("note", text)

    def runbook(self, part: message.RunbookTitle) -> Iterator[Line]:
        yield line("runbook", part.text)
        yield line("soft", f"{part.provenance}  {part.url}")
        if part.about:
            yield line("soft", part.about)

    def section(self, text: str) -> Iterator[Line]:
        yield line("section", text)

    def step(self, part: message.StepLine) -> Iterator[Line]:
        first, *more = text_lines(part.words)
        yield line("step", f"{part.number}. {first}", 2)
        yield from (line("step", text, 5) for text in more)
        under = _ConsoleRenderer()
        under.column = 5
        yield from under.blocks(part.blocks)

    def links(self, pairs: Sequence[tuple[str, str]]) -> Sequence[Line]:
        return ()  # long URLs do not help where nothing can be clicked

    def code(self, block: Code) -> Iterator[Line]:
        yield line("code", block.text, self.column + 2, language=block.language)
        for name, value in block.values:
            yield line("note", wording.shown_value(name, value), self.column + 2)

    def _as_text(self, block: Block, /) -> Iterator[Line]:
        if text := to_text((block,)).strip("\n"):
            yield line("text", text, self.column)

    paragraph = heading = list_block = quote = table = rule = _as_text


def as_text(lines: Iterable[Line]) -> str:
    """The message as plain text, with an empty line at its end."""
    out: list[str] = []
    for each in lines:
        if each.kind in ("title", "runbook", "section"):
            out.append("")
        pad = " " * each.indent
        out += [pad + row if row else "" for row in each.text.split("\n")]
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
        for each in lines:
            if each.kind in ("title", "runbook", "section"):
                console.print()
            for row in _rows(each):
                whole = Text(" " * each.indent).append_text(row) if row.plain else row
                console.print(Segments(whole.render(console, end="\n")), end="")
        console.print()
    return capture.get()


def _rows(each: Line) -> Iterable[Text]:
    if each.kind == "code":
        lexer = _LEXERS.get(each.language, each.language) or "text"
        # Highlighted by hand rather than printed as a block: a block is padded to the terminal's
        # width and wrapped, and neither can be pasted.
        syntax = Syntax("", lexer, theme="ansi_dark", tab_size=0)
        rows = syntax.highlight(each.text).split("\n", allow_blank=True)
        return rows[: each.text.count("\n") + 1]
    style = f"{_STYLES.get(each.kind, '')} {each.color}".strip()
    text = f" {each.text} " if each.kind == "title" else each.text
    return [Text(row, style=style) for row in text.split("\n")]
