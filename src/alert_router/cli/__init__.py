"""The command line. Exit codes: 0 success, 1 findings or failure, 2 usage error."""

import errno
import gc
import importlib
import os
import sys
from collections.abc import Mapping
from io import TextIOWrapper
from typing import Any

import click

from alert_router import __version__

COMMANDS = "alert_router.cli.commands"
_CANNOT_WRITE = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EIO})


class LazyGroup(click.Group):
    """Imports a command's module only when the command is used, so that `--help` and small commands
    start quickly, and `serve` never loads what only `check` needs.

    `lazy_commands` maps a command's name to `module:attribute` below `COMMANDS` and to its
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


class _Program(LazyGroup):
    """The top-level group: invalid input ends in a list of problems, never in a traceback."""

    def invoke(self, ctx: click.Context) -> Any:
        # Little here has reference cycles, and searching for them took a fifth of the time.
        gc.set_threshold(50_000, 20, 50)
        for stream in (sys.stdout, sys.stderr):
            # A character that the locale cannot encode must not end in a traceback.
            if isinstance(stream, TextIOWrapper):
                stream.reconfigure(errors="backslashreplace")
        try:
            try:
                return super().invoke(ctx)
            finally:
                if sys.stdout is not None:
                    sys.stdout.flush()
        except OSError as error:
            if error.errno not in _CANNOT_WRITE:
                raise
            click.echo(f"cannot write the output: {error.strerror}", err=True)
            # What is still buffered would fail once more when Python exits.
            os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
            ctx.exit(1)
        except Exception as error:
            # Imported here: `--help` needs neither.
            from alert_router.cli.output import print_problems_error  # noqa: PLC0415
            from alert_router.model.problem import ProblemsError  # noqa: PLC0415

            if not isinstance(error, ProblemsError):
                raise
            print_problems_error(error)
            ctx.exit(1)


@click.group(
    cls=_Program,
    lazy_commands={
        "init": ("init:init", "Write a configuration, from three answers."),
        "serve": ("serve:serve", "Run the router."),
        "check": ("check:check", "Find problems in configuration, routing and runbooks."),
        "route": ("route:route", "Show the routing, or explain how one alert is routed."),
        "test": ("test:test", "Run routing unit tests."),
        "coverage": ("coverage:coverage", "Report which alerts have a runbook."),
        "runbook": ("runbook:runbook", "List, show, check and create runbooks."),
        "preview": ("preview:preview", "Show what each destination would receive for a payload."),
        "send": ("send:send", "Post a payload or a test alert to a running router."),
        "health": ("health:health", "Ask a router whether it runs."),
        "deliveries": ("deliveries:deliveries", "List deliveries; replay or discard them."),
        "storage": ("storage:storage", "Back up the store, or restore it."),
    },
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
)
@click.version_option(__version__, prog_name="alert-router")
def main() -> None:
    """Deliver the runbook with the alert: an Alertmanager webhook in, what to do in the
    message out."""
    import structlog  # noqa: PLC0415 - `alert-router --help` does not need it

    # Standard output is for what the command answers. `serve` sets its log up itself.
    structlog.configure(logger_factory=lambda *_: structlog.PrintLogger(sys.stderr))
