"""A click group that imports a command's module only when the command is used.

`--help` and small commands start quickly, and `serve` never loads what only `check` needs.
"""

import importlib
from collections.abc import Mapping
from typing import Any

import click

COMMANDS = "alert_router.cli.commands"


class LazyGroup(click.Group):
    """`lazy_commands` maps a command's name to `module:attribute` below `COMMANDS` and to its
    line in the help. Commands are listed in the order of definition, lazy ones last."""

    def __init__(
        self, *args: Any, lazy_commands: Mapping[str, tuple[str, str]] = {}, **kwargs: Any
    ) -> None:
        super().__init__(*args, **kwargs)
        self._lazy = lazy_commands

    def list_commands(self, ctx: click.Context) -> list[str]:
        return [*self.commands, *self._lazy]

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in self._lazy:
            return super().get_command(ctx, cmd_name)
        module, _, attribute = self._lazy[cmd_name][0].partition(":")
        command = getattr(importlib.import_module(f"{COMMANDS}.{module}"), attribute)
        assert isinstance(command, click.Command)
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write the commands with their lines, without importing them."""
        rows = [(name, command.get_short_help_str(100)) for name, command in self.commands.items()]
        rows += [(name, line) for name, (_, line) in self._lazy.items()]
        with formatter.section("Commands"):
            formatter.write_dl(rows)
