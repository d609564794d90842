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
        "serve": ("serve:serve", "Run the router."),
        "check": ("check:check", "Find what is wrong with configuration, routing and runbooks."),
        "route": ("route:route", "Show the routing, or what becomes of an alert and why."),
        "test": ("test:test", "Run routing unit tests."),
        "coverage": ("coverage:coverage", "Tell which alerting rules have a runbook, and which."),
        "runbook": ("runbook:runbook", "List the runbooks, or read one."),
        "preview": ("preview:preview", "Show what each destination would be sent for a payload."),
        "send": ("send:send", "Post a payload or a made-up alert to a running router."),
        "deliveries": ("deliveries:deliveries", "See what waits or is dead; replay or discard it."),
        "storage": ("storage:storage", "Back up the store, or restore it."),
    },
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
)
@click.version_option(__version__, prog_name="alert-router")
def main() -> None:
    """Deliver the runbook with the alert: an Alertmanager webhook in, what to do in the
    message out."""
