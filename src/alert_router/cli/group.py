"""A click group whose commands are imported when they are used, so that help and the small
commands start quickly, and where bad input ends in its problems rather than a traceback."""

import errno
import importlib
import os
import sys
from io import TextIOWrapper
from typing import Any

import click

from alert_router.cli.output import count, problem_text, tell
from alert_router.model.problem import ProblemsError

_FULL = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EIO})


class InOrder(click.Group):
    """A group that lists its commands as they are defined, not by the alphabet."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """In the order of their definition."""
        return list(self.commands)


class LazyGroup(click.Group):
    """`commands_at` maps a command's name to `module:attribute` below `alert_router.cli`, and to
    the line that help has for it."""

    def __init__(self, *args: Any, commands_at: dict[str, tuple[str, str]], **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._commands_at = commands_at

    def list_commands(self, ctx: click.Context) -> list[str]:
        """In the order in which they were given: the way a newcomer meets them."""
        return list(self._commands_at)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """The command, imported now."""
        where = self._commands_at.get(cmd_name)
        if where is None:
            return None
        module, _, attribute = where[0].partition(":")
        command = getattr(importlib.import_module(f"alert_router.cli.{module}"), attribute)
        assert isinstance(command, click.Command)
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """The commands with their lines, none of them imported."""
        with formatter.section("Commands"):
            formatter.write_dl([(name, line) for name, (_, line) in self._commands_at.items()])

    def invoke(self, ctx: click.Context) -> Any:
        """Run the command; input that cannot be used is shown problem by problem, exit 1."""
        for stream in (sys.stdout, sys.stderr):
            # A character that the locale cannot show is no reason to end in a traceback.
            if isinstance(stream, TextIOWrapper):
                stream.reconfigure(errors="backslashreplace")
        try:
            try:
                return super().invoke(ctx)
            finally:
                if sys.stdout is not None:
                    sys.stdout.flush()
        except OSError as error:
            if error.errno not in _FULL:
                raise
            tell(f"cannot write the output: {error.strerror}")
            # What is left would fail once more when Python ends.
            os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
            ctx.exit(1)
        except ProblemsError as error:
            for problem in error.problems:
                tell(problem_text(problem))
            tell(count(len(error.problems), "problem"))
            ctx.exit(1)
