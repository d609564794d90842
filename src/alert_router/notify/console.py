"""The notifier `console`: standard output, styled on a terminal, plain in a log.

Commands stand alone on their lines, without borders, so that they can be pasted.
"""

import asyncio
import sys
from dataclasses import dataclass
from typing import Literal

from rich.console import Console
from rich.syntax import Syntax
from rich.text import Text

from alert_router.alert import Alert
from alert_router.markdown import Block, Code, to_text, visible
from alert_router.notification import Detail, Notification, RunbookPart
from alert_router.notify import summary
from alert_router.notify.base import Delivered, Failed, Notifier, Outcome, Reason, Sending
from alert_router.runbook.model import Section, Step

_MOST_ALERTS = {Detail.FULL: 20, Detail.FIRST_STEPS: 10, Detail.TITLES: 10, Detail.MINIMAL: 5}
_MOST_TEXT = 400  # characters of an annotation
_LEXERS = {"sh": "bash", "shell": "bash", "zsh": "bash", "logql": "promql"}

Kind = Literal["title", "alert", "soft", "runbook", "section", "step", "text", "code", "note"]


@dataclass(frozen=True, slots=True)
class Line:
    """A line or a code block of the message, told apart by what it is."""

    kind: Kind
    text: str
    indent: int = 0
    language: str = ""


class ConsoleNotifier(Notifier):
    """Writes to standard output."""

    type: Literal["console"] = "console"

    def render(self, notification: Notification, detail: Detail = Detail.FULL) -> tuple[Line, ...]:
        look = summary.look(notification)
        lines = [Line("title", f"{look.word}: {visible(summary.title(notification))}")]
        lines += _alerts(notification, detail)
        lines += [Line("note", note) for note in map(visible, notification.notes)]
        for part in notification.runbooks:
            lines += _runbook(part, notification, detail)
        if not notification.runbooks:
            lines.append(Line("soft", "No runbook is mapped to this."))
        return tuple(lines)

    async def notify(self, payload: tuple[Line, ...], sending: Sending) -> Outcome:
        try:
            # A terminal or pipe may block for as long as its reader likes.
            await asyncio.to_thread(write, payload)
        except OSError as error:
            return Failed(Reason.CONNECTION, f"cannot write: {error.strerror}", in_doubt=True)
        return Delivered()


def write(lines: tuple[Line, ...]) -> None:
    """Print the message and flush."""
    console = Console(file=sys.stdout, soft_wrap=True, highlight=False, emoji=False, markup=False)
    if console.is_terminal:
        _write_styled(console, lines)
    else:
        sys.stdout.write(as_text(lines))
    sys.stdout.flush()


def as_text(lines: tuple[Line, ...]) -> str:
    """The message as plain text, with an empty line at its end."""
    out: list[str] = []
    for line in lines:
        if line.kind in ("title", "runbook", "section"):
            out.append("")
        pad = " " * line.indent
        out += [pad + row if row else "" for row in line.text.split("\n")]
    return "\n".join([*out, "", ""])


_STYLES = {
    "alert": "bold",
    "soft": "dim",
    "runbook": "bold underline",
    "section": "bold cyan",
    "step": "bold",
    "note": "yellow",
}


def _write_styled(console: Console, lines: tuple[Line, ...]) -> None:
    colour = next(
        (
            look.terminal
            for look in (summary.CRITICAL, summary.WARNING, summary.INFO, summary.RESOLVED)
            if lines[0].text.startswith(look.word)
        ),
        "white",
    )
    for line in lines:
        if line.kind in ("title", "runbook", "section"):
            console.print()
        if line.kind == "code":
            _write_code(console, line)
            continue
        style = f"bold reverse {colour}" if line.kind == "title" else _STYLES.get(line.kind, "")
        text = f" {line.text} " if line.kind == "title" else line.text
        for row in text.split("\n"):
            console.print(Text(" " * line.indent).append(row, style=style))
    console.print()


def _write_code(console: Console, line: Line) -> None:
    lexer = _LEXERS.get(line.language, line.language) or "text"
    # Highlighted by hand rather than printed as a block: a block is padded to the terminal's
    # width and wrapped, and neither can be pasted.
    highlighted = Syntax("", lexer, theme="ansi_dark").highlight(line.text)
    for row in highlighted.split("\n", allow_blank=True):
        if row.plain:
            console.print(Text(" " * line.indent).append_text(row))
        else:
            console.print()


def _alerts(notification: Notification, detail: Detail) -> list[Line]:
    group = notification.group
    most = _MOST_ALERTS[detail]
    lines: list[Line] = []
    for alert in (*group.firing, *group.resolved)[:most]:
        lines += _alert(alert)
    if len(group.alerts) > most:
        lines.append(Line("soft", f"and {len(group.alerts) - most} more alerts", 2))
    return lines


def _alert(alert: Alert) -> list[Line]:
    state = "" if alert.firing else "resolved: "
    lasted = summary.lasted(alert)
    after = f" (after {lasted})" if lasted else ""
    told = visible(summary.headline(alert))[:_MOST_TEXT]
    pairs = " ".join(
        f"{visible(name)}={visible(value)[:120]}" for name, value in summary.labels(alert)[:12]
    )
    lines = [Line("alert", f"{state}{told}{after}", 2)]
    return [*lines, Line("soft", pairs, 4)] if pairs else lines


def _runbook(part: RunbookPart, notification: Notification, detail: Detail) -> list[Line]:
    lines = [
        Line("runbook", visible(part.title)),
        Line("soft", f"{visible(summary.provenance(part))}  {part.url}"),
    ]
    if about := visible(summary.about(part, notification)):
        lines.append(Line("soft", about))
    if detail > Detail.MINIMAL:
        for section in part.sections:
            lines += _section(section, detail)
    return lines


def _section(section: Section, detail: Detail) -> list[Line]:
    lines = [Line("section", section.name or "Section")]
    if detail > Detail.TITLES:
        lines += _blocks(section.intro, 2)
    for number, step in enumerate(section.steps, 1):
        whole = detail is Detail.FULL or (detail is Detail.FIRST_STEPS and number == 1)
        lines += _step(step, number, whole=whole)
    return lines


def _step(step: Step, number: int, *, whole: bool) -> list[Line]:
    if not whole:
        return [Line("step", f"{number}. {visible(step.title)}", 2)]
    first, rest = summary.opening(step)
    text = to_text((first,)).replace("\n", " ") if first else step.title
    return [Line("step", f"{number}. {visible(text)}", 2), *_blocks(rest, 5)]


def _blocks(blocks: tuple[Block, ...], indent: int) -> list[Line]:
    lines: list[Line] = []
    for block in blocks:
        if isinstance(block, Code):
            code = "\n".join(visible(row) for row in block.text.split("\n"))
            lines.append(Line("code", code, indent + 2, block.language))
            lines += [
                Line("note", f"{visible(name)} = {visible(value)}", indent + 2)
                for name, value in block.values
            ]
        else:
            text = "\n".join(visible(row) for row in to_text((block,)).split("\n"))
            if text.strip():
                lines.append(Line("text", text.rstrip("\n"), indent))
    return lines
