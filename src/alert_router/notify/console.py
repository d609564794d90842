"""The notifier `console`: standard output, for people at a terminal and for logs.

How lines get there is `terminal`'s.
"""

import asyncio
from collections.abc import Iterable, Iterator
from typing import Literal

from alert_router.markdown import Block, Code, Paragraph, to_text
from alert_router.notification import Detail, Notification
from alert_router.notify import summary
from alert_router.notify.base import Delivered, Failed, Notifier, Outcome, Reason, Sending
from alert_router.notify.outline import (
    AlertLine,
    Body,
    Links,
    Message,
    More,
    Note,
    Part,
    RunbookTitle,
    SectionTitle,
    StepLine,
    Title,
    outline,
)
from alert_router.notify.terminal import Line, as_text, line, write


class ConsoleNotifier(Notifier):
    """Writes to standard output."""

    type: Literal["console"] = "console"

    def render(self, notification: Notification, detail: Detail = Detail.FULL) -> tuple[Line, ...]:
        """The message as lines; there is no limit to their number."""
        return tuple(_message(notification, detail))

    async def notify(self, payload: tuple[Line, ...], sending: Sending) -> Outcome:
        try:
            # A terminal or pipe may block for as long as its reader likes.
            async with asyncio.timeout(self.timeout):
                await asyncio.to_thread(write, payload, self.timeout)
        except TimeoutError:
            message = f"standard output took nothing for {self.timeout:g} s"
            return Failed(Reason.TIMEOUT, message, in_doubt=True)
        except OSError as error:
            why = error.strerror or type(error).__name__
            return Failed(Reason.CONNECTION, f"cannot write: {why}", in_doubt=True)
        except (ValueError, AttributeError):  # closed, or no standard output at all
            return Failed(Reason.CONNECTION, "standard output is closed")
        return Delivered()

    def readable(self, payload: tuple[Line, ...]) -> str:
        """The message as plain text."""
        return as_text(payload)


def _message(notification: Notification, detail: Detail) -> Iterator[Line]:
    for part in outline(notification, detail):
        yield from _lines(part)


def _lines(part: Part) -> Iterator[Line]:
    match part:
        case Title(grade):
            yield line("title", str(part), colour=grade.terminal)
        case AlertLine(text, pairs):
            yield line("alert", text, 2)
            if pairs:
                yield line("soft", part.pairs(" "), 4)
        case More():
            yield line("soft", str(part), 2)
        case Note(text):
            yield line("note", text)
        case RunbookTitle(text, url, provenance, about):
            yield line("runbook", text)
            yield line("soft", f"{provenance}  {url}")
            if about:
                yield line("soft", about)
        case SectionTitle(text):
            yield line("section", text)
        case Message(blocks) | Body(blocks):
            yield from _blocks(blocks, 2)
        case StepLine(number, words, blocks):
            yield line("step", f"{number}. {summary.one_line(to_text((Paragraph(words),)))}", 2)
            yield from _blocks(blocks, 5)
        case Links():
            return  # long addresses are no help where nothing can be clicked


def _blocks(blocks: Iterable[Block], indent: int) -> Iterator[Line]:
    for block in blocks:
        if isinstance(block, Code):
            yield line("code", block.text, indent + 2, language=block.language)
            for name, value in block.values:
                yield line("note", summary.shown_value(name, value), indent + 2)
        elif text := to_text((block,)).strip("\n"):
            yield line("text", text, indent)
