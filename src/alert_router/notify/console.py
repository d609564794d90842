"""The notifier `console`: standard output, for people at a terminal and for logs.

How lines get there is `terminal`'s.
"""

import asyncio
from collections.abc import Iterable, Iterator
from typing import Literal

from alert_router.alert import Alert
from alert_router.markdown import Block, Code, to_text
from alert_router.notification import Detail, Notification, RunbookPart
from alert_router.notify import summary
from alert_router.notify.base import Delivered, Failed, Notifier, Outcome, Reason, Sending
from alert_router.notify.terminal import Line, as_text, line, write
from alert_router.runbook.model import Section, Step

_MAX_HEADLINE = 400  # characters
_MAX_LABELS = 12
_MAX_VALUE = 120


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
    grade = summary.grade(notification)
    title = f"{grade.word}: {summary.title(notification)}"
    yield line("title", title, colour=grade.terminal)
    shown, more = summary.alerts(notification, detail)
    for alert in shown:
        yield from _alert(alert)
    if more:
        yield line("soft", f"and {more} more", 2)
    for note in notification.notes:
        yield line("note", summary.one_line(note))
    for part in notification.runbooks:
        yield from _runbook(part, notification, detail)
    if not notification.runbooks:
        yield line("soft", summary.NO_RUNBOOK)
    elif notification.without_runbook:
        yield line("soft", summary.without_runbook(notification))


def _alert(alert: Alert) -> Iterator[Line]:
    yield line("alert", summary.line(alert, _MAX_HEADLINE), 2)
    told = summary.labels(alert)[:_MAX_LABELS]
    shorten = summary.one_line
    if pairs := [f"{shorten(name, 60)}={shorten(value, _MAX_VALUE)}" for name, value in told]:
        yield line("soft", " ".join(pairs), 4)


def _runbook(part: RunbookPart, notification: Notification, detail: Detail) -> Iterator[Line]:
    yield line("runbook", summary.one_line(part.title))
    yield line("soft", summary.one_line(f"{summary.provenance(part)}  {part.url}"))
    if about := summary.about(part, notification):
        yield line("soft", about)
    if detail > Detail.MINIMAL:
        for section in part.sections:
            yield from _section(section, detail)


def _section(section: Section, detail: Detail) -> Iterator[Line]:
    yield line("section", summary.one_line(summary.heading(section)))
    if detail > Detail.TITLES:
        yield from _blocks(section.intro, 2)
    for number, step in enumerate(section.steps, 1):
        yield from _step(step, number, whole=summary.is_whole(number, detail))


def _step(step: Step, number: int, *, whole: bool) -> Iterator[Line]:
    first, rest = summary.opening(step) if whole else (None, ())
    words = to_text((first,)) if first else step.title
    yield line("step", f"{number}. {summary.one_line(words)}", 2)
    yield from _blocks(rest, 5)


def _blocks(blocks: Iterable[Block], indent: int) -> Iterator[Line]:
    for block in blocks:
        if isinstance(block, Code):
            yield line("code", block.text, indent + 2, language=block.language)
            for name, value in block.values:
                yield line("note", summary.shown_value(name, value), indent + 2)
        elif text := to_text((block,)).strip("\n"):
            yield line("text", text, indent)
