"""The command line: one module a command. Exit codes: 0 good, 1 findings, 2 usage."""

from pathlib import Path

import click

from alert_router import __version__
from alert_router.cli.group import LazyGroup

CONFIG = click.option(
    "--config",
    "-c",
    "config",
    type=click.Path(path_type=Path, dir_okay=False),
    help="Configuration file; by default $ALERT_ROUTER_CONFIG, config/alert-router.yaml, "
    "/etc/alert-router/alert-router.yaml.",
)


@click.group(
    cls=LazyGroup,
    commands_at={
        "serve": "serve:serve",
        "check": "check:check",
        "route": "route:route",
        "test": "test:test",
        "runbook": "runbook:runbook",
        "preview": "preview:preview",
        "send": "send:send",
        "deliveries": "deliveries:deliveries",
    },
    context_settings={"help_option_names": ["-h", "--help"]},
)
@click.version_option(__version__, prog_name="alert-router")
def main() -> None:
    """Deliver the runbook with the alert: an Alertmanager webhook in, what to do in the
    message out."""
