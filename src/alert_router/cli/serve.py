"""`alert-router serve`: run the router until it is told to stop."""

import asyncio
import gc
import signal
import sys
from pathlib import Path

import click
import structlog
import uvloop

from alert_router.cli import CONFIG
from alert_router.cli.log import set_up_log
from alert_router.config import config_path
from alert_router.outbox.base import StoreUnavailable
from alert_router.service import running
from alert_router.service.snapshot import Snapshot, read

log = structlog.get_logger(__name__)


@click.command()
@CONFIG
@click.option(
    "--log-format",
    type=click.Choice(["auto", "json", "console"]),
    default=None,
    help="Instead of log.format in the configuration; auto: console on a terminal, else json.",
)
def serve(config: Path | None, log_format: str | None) -> None:
    """Run the router: receive, route, store and deliver.

    SIGHUP reloads the configuration; SIGTERM and SIGINT stop it, once what is being sent has
    been sent. The log goes to standard error, console notifications to standard output.
    """
    path = config_path(config)
    snapshot = read(path)
    wanted = snapshot.loaded.config.log
    set_up_log(log_format or wanted.format.value, wanted.level.value)
    try:
        uvloop.run(_serve(path, snapshot))
    except (OSError, StoreUnavailable) as error:
        click.echo(f"cannot start: {error}", err=True)
        sys.exit(1)


async def _serve(path: Path, snapshot: Snapshot) -> None:
    loop = asyncio.get_running_loop()
    stop = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    reloads: set[asyncio.Task[object]] = set()
    async with running(path, snapshot) as router:

        def reload() -> None:
            task: asyncio.Task[object] = asyncio.create_task(router.reload())
            reloads.add(task)
            task.add_done_callback(reloads.discard)

        loop.add_signal_handler(signal.SIGHUP, reload)
        _spare_the_collector()
        await stop.wait()
        log.info("stopping")


def _spare_the_collector() -> None:
    """Leave what was loaded at the start out of garbage collection, and collect less often: a
    router under load makes few cycles, and looking for them took a fifth of its time."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(50_000, 20, 50)
