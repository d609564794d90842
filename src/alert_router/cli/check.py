"""`alert-router check`: everything that is wrong with configuration, routing and runbooks.

Gathering it is `examine`'s, writing it `problems`'.
"""

from datetime import UTC, datetime
from pathlib import Path

import click

from alert_router.cli import CONFIG
from alert_router.cli.examine import examine
from alert_router.cli.problems import Format, format_option, report
from alert_router.config import default_config_path


@click.command()
@CONFIG
@click.option(
    "--rules",
    multiple=True,
    metavar="FILE_OR_PATTERN",
    help="Prometheus rules whose alerts are to be looked at too: a file, a directory or a pattern. "
    "May be repeated; by default `checks.rules` of the configuration.",
)
@click.option(
    "--connect",
    is_flag=True,
    help="Look up the name of every destination: whether it resolves here, and to an address that "
    "is allowed.",
)
@click.option("--strict", is_flag=True, help="Warnings are findings too: exit 1.")
@format_option
@click.pass_context
def check(
    ctx: click.Context,
    config: Path | None,
    rules: tuple[str, ...],
    connect: bool,
    strict: bool,
    output: Format,
) -> None:
    """Check the configuration, the routing and the runbooks.

    Tells every problem at once, with its place. Works where the secrets are not: what cannot be
    read is a warning. Exit 0: usable; 1: errors (with --strict, warnings too).
    """
    today = datetime.now(UTC).date()
    found = examine(config or default_config_path(), rules, today=today, connect=connect)
    counts = report(found.problems, output, summary=found.summary)
    ctx.exit(counts.exit_code(strict=strict))
