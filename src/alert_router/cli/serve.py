"""`alert-router serve`: run the router until it is told to stop."""

import asyncio
import ctypes
import gc
import os
import select
import signal
import sys
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import NoReturn

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

_STOP_SIGNALS = (signal.SIGTERM, signal.SIGINT)
_MARGIN = 0.7  # seconds beyond `shutdown_timeout` for everything but the sends
_M_MMAP_THRESHOLD, _M_ARENA_MAX = -3, -8  # malloc.h


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
    _return_memory()
    stopper = _Stopper(lambda: snapshot.loaded.config.delivery.shutdown_timeout)
    stopper.start()
    try:
        uvloop.run(_serve(path, snapshot, stopper))
    except (OSError, StoreUnavailable) as error:
        click.echo(f"cannot start: {error}", err=True)
        sys.exit(1)


class _Stopper:
    """Waits for the signals that end the process, and ends it at the latest after `seconds()` and
    a margin. In a thread of its own: the end comes also where the loop or the store hangs."""

    def __init__(self, seconds: Callable[[], float]) -> None:
        self.seconds = seconds
        self._asked = False
        self._notify: Callable[[], object] = bool

    def start(self) -> None:
        """From now on, before there are other threads: they all leave the signals to this one."""
        signal.pthread_sigmask(signal.SIG_BLOCK, _STOP_SIGNALS)
        threading.Thread(target=self._wait, name="stopper", daemon=True).start()

    def call(self, stop: Callable[[], object]) -> None:
        """Have this called, on the running loop, once the process is to stop."""
        loop = asyncio.get_running_loop()
        self._notify = lambda: loop.call_soon_threadsafe(stop)
        if self._asked:
            stop()

    def _wait(self) -> None:
        signal.sigwait(_STOP_SIGNALS)
        self._asked = True
        with suppress(RuntimeError):  # the loop is closed: it ends by itself
            self._notify()
        time.sleep(self.seconds() + _MARGIN)
        if select.select([], [sys.stderr], [], 0)[1]:
            log.error("stopping took too long; what was being sent will be repeated")
        os._exit(1)


async def _serve(path: Path, snapshot: Snapshot, stopper: _Stopper) -> None:
    loop = asyncio.get_running_loop()
    stop = asyncio.Event()
    stopper.call(stop.set)
    reloads: set[asyncio.Task[object]] = set()
    async with running(path, snapshot) as router:

        def reload() -> None:
            task: asyncio.Task[object] = asyncio.create_task(router.reload())
            reloads.add(task)
            task.add_done_callback(reloads.discard)

        loop.add_signal_handler(signal.SIGHUP, reload)
        _spare_the_collector()
        stopper.seconds = lambda: router.snapshot.loaded.config.delivery.shutdown_timeout
        waiting = [asyncio.create_task(it.wait()) for it in (stop, router.ended)]
        await asyncio.wait(waiting, return_when=asyncio.FIRST_COMPLETED)
        if router.ended.is_set():
            # No outcome can be written down: what is being sent is repeated however long one waits.
            log.critical("exiting: the store has ended; what was being sent will be repeated")
            _exit(1)
        log.info("stopping")
    # All is written down. Threads that hang in a look-up or a rendering are not waited for, as the
    # interpreter would.
    _exit(0)


def _exit(code: int) -> NoReturn:
    for stream in (sys.stdout, sys.stderr):
        with suppress(OSError, ValueError):
            stream.flush()
    os._exit(code)


def _return_memory() -> None:
    """Have the C library give what large bodies took back to the system when they are done with. By
    itself it keeps more and more after the first ones, for each thread."""
    try:
        mallopt = ctypes.CDLL(None).mallopt
    except (OSError, AttributeError):  # not glibc
        return
    mallopt(_M_MMAP_THRESHOLD, 32 * 1024)
    mallopt(_M_ARENA_MAX, 2)


def _spare_the_collector() -> None:
    """Leave what was loaded at the start out of garbage collection, and collect less often: a
    router under load makes few cycles, and looking for them took a fifth of its time."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(50_000, 20, 50)
