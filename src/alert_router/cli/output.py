"""Writing to the terminal: text for people, JSON for programs.

Whatever comes from files, labels or the store passes through `clean`, so that nothing in it can
control the terminal.
"""

import json
from collections.abc import Iterable, Sequence
from dataclasses import replace

import click
from rich import box
from rich.console import Console, RenderableType
from rich.table import Table
from rich.text import Text

from alert_router.markdown import visible
from alert_router.model.problem import Problem, ProblemsError, Severity

# Without a terminal lines are not wrapped: grep needs them whole.
_UNLIMITED = 10_000

_SEVERITY_STYLES = {
    Severity.ERROR: "bold red",
    Severity.WARNING: "yellow",
    Severity.INFO: "cyan",
}


def clean(text: str) -> str:
    """The text on one line, with control characters escaped (`\\x1b`)."""
    return visible(text).replace("\n", "\\n").replace("\t", "\\t")


def clean_lines(text: str) -> str:
    """`clean` for text of several lines: newlines and tabs stay."""
    return visible(text)


def styled(text: str, style: str = "") -> Text:
    """One line of text, cleaned, never read as markup."""
    return Text(clean(text), style=style)


def join(*parts: str | Text | tuple[str, str]) -> Text:
    """A line of several parts: plain text, text with a style, or pairs of text and style."""
    line = Text()
    for part in parts:
        if isinstance(part, tuple):
            line.append_text(styled(*part))
        else:
            line.append_text(part if isinstance(part, Text) else styled(part))
    return line


def console(*, err: bool = False) -> Console:
    """Standard output or error. Colors only on a terminal without NO_COLOR."""
    out = Console(stderr=err, highlight=False, markup=False, emoji=False)
    if not out.is_terminal:
        out.width = _UNLIMITED
    return out


def show(*renderables: RenderableType) -> None:
    """Write to standard output; the terminal wraps lines of text."""
    out = console()
    for renderable in renderables:
        if isinstance(renderable, str | Text):
            out.print(renderable, soft_wrap=True)
        elif out.is_terminal:
            out.print(renderable)
        else:
            with out.capture() as captured:
                out.print(renderable)
            click.echo("\n".join(line.rstrip() for line in captured.get().splitlines()))


def show_error(*parts: str | Text | tuple[str, str]) -> None:
    """Write a line to standard error."""
    console(err=True).print(join(*parts), soft_wrap=True)


def print_json(data: object) -> None:
    """Write JSON to standard output, as ASCII: no value can control the terminal, and every
    locale can encode it."""
    click.echo(json.dumps(data, indent=2, ensure_ascii=True))


def print_problems_error(error: ProblemsError) -> None:
    """Write the problems that make some input unusable to standard error."""
    for problem in error.problems:
        show_error(problem_text(problem))
    show_error(count(len(error.problems), "problem"))


def table(*columns: str | Text, rows: Iterable[Sequence[str | Text]]) -> Table:
    """A table without lines, as wide as it needs to be. Cells are cleaned."""
    made = Table(box=box.SIMPLE_HEAD, pad_edge=False, header_style="bold")
    for column in columns:
        made.add_column(column if isinstance(column, Text) else styled(column), overflow="fold")
    for row in rows:
        made.add_row(*(cell if isinstance(cell, Text) else styled(cell) for cell in row))
    return made


def problem_text(problem: Problem) -> Text:
    """A problem as `Problem.show` formats it, cleaned, with its severity in color. No text from a
    file starts a line of its own: the CI that reads the output could run it as a command."""
    cleaned = replace(
        problem,
        place=replace(problem.place, file=clean(problem.place.file)),
        message=clean(problem.message),
        hint=clean(problem.hint),
        source=problem.source.replace("\n", "\\n"),
    )
    text = Text(clean_lines(cleaned.show()))
    place = len(clean(str(problem.place)))
    text.stylize("bold", 0, place)
    start = place + len(": ")
    text.stylize(_SEVERITY_STYLES[problem.severity], start, start + len(problem.severity))
    return text


def count(number: int, noun: str, plural: str = "") -> str:
    """`1 problem`, `2 problems`; `plural` for nouns that do not just add an s."""
    return f"{number} {noun}" if number == 1 else f"{number} {plural or noun + 's'}"
