"""How commands write: text for people, JSON for machines, and nothing that steers a terminal.

Whatever comes from files, labels or a store passes through `clean` on its way out. What is
said, and when a command fails, is for the commands.
"""

import json
from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from typing import Any, TypeVar

import click
from rich import box
from rich.console import Console, RenderableType
from rich.table import Table
from rich.text import Text

from alert_router.markdown import visible
from alert_router.model.problem import Problem, Severity

Command = TypeVar("Command", bound=Callable[..., Any])

# Where no terminal limits it, a line is not wrapped: grep wants it whole.
_UNLIMITED = 10_000

_COLOURS = {Severity.ERROR: "bold red", Severity.WARNING: "yellow", Severity.INFO: "cyan"}


def output_option(command: Command) -> Command:
    """Adds `--output text|json`, passed as `as_json`."""
    return click.option(
        "--output",
        "as_json",
        type=click.Choice(["text", "json"]),
        default="text",
        show_default=True,
        callback=lambda _ctx, _option, value: value == "json",
        help="text for people, json for machines.",
    )(command)


def clean(text: str) -> str:
    """The text on one line, with what would steer a terminal seen (`\\x1b`), not obeyed."""
    return visible(text).replace("\n", "\\n").replace("\t", "\\t")


def clean_lines(text: str) -> str:
    """`clean` for what has lines: line feeds and tabs stay."""
    return visible(text)


def styled(text: str, style: str = "") -> Text:
    """One line of text, cleaned, never read as markup."""
    return Text(clean(text), style=style)


def join(*parts: str | Text | tuple[str, str]) -> Text:
    """A line of several parts, each plain or a pair of text and style; all cleaned."""
    line = Text()
    for part in parts:
        if isinstance(part, tuple):
            line.append_text(styled(*part))
        else:
            line.append_text(part if isinstance(part, Text) else styled(part))
    return line


def console(*, err: bool = False) -> Console:
    """Standard output (or error) as it is now. Colours only on a terminal, without NO_COLOR."""
    out = Console(stderr=err, highlight=False, markup=False, emoji=False)
    return (
        out
        if out.is_terminal
        else Console(stderr=err, highlight=False, markup=False, emoji=False, width=_UNLIMITED)
    )


def show(*renderables: RenderableType) -> None:
    """Write to standard output; lines of text are left to the terminal to wrap."""
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


def tell(*parts: str | Text | tuple[str, str]) -> None:
    """A line to standard error."""
    console(err=True).print(join(*parts), soft_wrap=True)


def print_json(data: object) -> None:
    """JSON to standard output. ASCII alone, so that no value can steer a terminal and none
    fails to be encoded."""
    click.echo(json.dumps(data, indent=2, ensure_ascii=True))


def table(*columns: str | Text, rows: Iterable[Sequence[str | Text]]) -> Table:
    """A table without lines, as wide as it needs to be; cells are cleaned."""
    made = Table(box=box.SIMPLE_HEAD, pad_edge=False, header_style="bold")
    for column in columns:
        made.add_column(column if isinstance(column, Text) else styled(column), overflow="fold")
    for row in rows:
        made.add_row(*(cell if isinstance(cell, Text) else styled(cell) for cell in row))
    return made


def problem_text(problem: Problem) -> Text:
    """A problem as `Problem.show` has it, cleaned, with its severity in colour. What it says stays
    on the lines it has: one that a file began could be a command to the CI that reads this."""
    said = replace(
        problem,
        place=replace(problem.place, file=clean(problem.place.file)),
        message=clean(problem.message),
        hint=clean(problem.hint),
        source=problem.source.replace("\n", "\\n"),
    )
    shown = Text(clean_lines(said.show()))
    place = len(clean(str(problem.place)))
    shown.stylize("bold", 0, place)
    start = place + len(": ")
    shown.stylize(_COLOURS[problem.severity], start, start + len(problem.severity))
    return shown


def count(number: int, noun: str, plural: str = "") -> str:
    """`1 problem`, `2 problems`; `plural` where an s does not make it."""
    return f"{number} {noun}" if number == 1 else f"{number} {plural or noun + 's'}"
