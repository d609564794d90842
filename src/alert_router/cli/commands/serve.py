"""`alert-router serve`: run the router until a signal stops it."""

import asyncio
import ctypes
import gc
import logging
import os
import select
import signal
import sys
import threading
import time
import traceback
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import NoReturn, TypeVar
from urllib.parse import urlsplit

import click
import structlog
import uvloop

from alert_router import tracing
from alert_router.cli.options import config_option
from alert_router.config import default_config_path
from alert_router.config.web import WebFlags, parse_route_prefix
from alert_router.fields import Listen, parse_external_url, parse_listen
from alert_router.outbox.base import StoreUnavailable
from alert_router.runtime import Runtime, read_runtime
from alert_router.server import running

log = structlog.get_logger(__name__)

T = TypeVar("T")

_STOP_SIGNALS = (signal.SIGTERM, signal.SIGINT)
_FLUSH = 2.0  # seconds for the last spans
_MARGIN = 0.7  # seconds beyond `shutdown_timeout` for everything but the sends
_MAX_FIELD = 4_000  # characters in the log
_REPLACEMENT = "\N{REPLACEMENT CHARACTER}"
_M_MMAP_THRESHOLD, _M_ARENA_MAX = -3, -8  # malloc.h


@click.command()
@config_option
@click.option(
    "--log-format",
    type=click.Choice(["auto", "json", "console"]),
    default=None,
    help="Override log.format of the configuration. auto: console on a terminal, else json.",
)
@click.option(
    "--web.config.file",
    "web_config",
    type=click.Path(path_type=Path),
    help="TLS, client certificates, basic authentication and headers, in the format of Prometheus.",
)
@click.option(
    "--web.listen-address",
    "listen",
    multiple=True,
    metavar="HOST:PORT",
    callback=lambda _, __, values: tuple(_parsed(parse_listen, value) for value in values),
    help="Override http.listen of the configuration. Repeatable.",
)
@click.option(
    "--web.external-url",
    "external_url",
    metavar="URL",
    callback=lambda _, __, value: value and _parsed(parse_external_url, value),
    help="Override http.external_url of the configuration.",
)
@click.option(
    "--web.route-prefix",
    "route_prefix",
    metavar="PATH",
    callback=lambda _, __, value: value and (_parsed(parse_route_prefix, value) or "/"),
    help="Serve below this path. Default: the path of --web.external-url.",
)
def serve(
    config: Path | None,
    log_format: str | None,
    web_config: Path | None,
    listen: tuple[Listen, ...],
    external_url: str | None,
    route_prefix: str | None,
) -> None:
    """Run the router: receive, route, store and deliver.

    SIGHUP reloads the configuration. SIGTERM and SIGINT stop the router after the sends in
    progress. The log goes to standard error, console notifications to standard output.
    """
    path = config or default_config_path()
    if external_url and route_prefix is None:
        route_prefix = parse_route_prefix(urlsplit(external_url).path)
    prefix = (route_prefix or "").rstrip("/")
    flags = WebFlags(listen, external_url or "", prefix, web_config)
    runtime = read_runtime(path, flags=flags)
    settings = runtime.config.log
    _set_up_log(log_format or settings.format.value, settings.level.value)
    _limit_memory()
    stopper = _Stopper(lambda: runtime.config.delivery.shutdown_timeout)
    stopper.start()
    if why := tracing.start(os.environ):
        log.warning("traces are not exported", reason=why)
    try:
        uvloop.run(_serve(path, runtime, flags, stopper))
    except (OSError, StoreUnavailable) as error:
        click.echo(f"cannot start: {error}", err=True)
        sys.exit(1)


def _parsed(parse: Callable[[str], T], text: str) -> T:
    try:
        return parse(text)
    except ValueError as error:
        raise click.BadParameter(str(error)) from None


class _Stopper:
    """Waits for a stop signal, and ends the process at the latest `seconds()` and a margin later.
    It runs in its own thread, so that it also works when the event loop or the store hangs."""

    def __init__(self, seconds: Callable[[], float]) -> None:
        self.seconds = seconds
        self._is_stopping = False
        self._notify: Callable[[], object] = bool

    def start(self) -> None:
        """Start waiting. Call it before other threads start, so that they inherit the mask."""
        signal.pthread_sigmask(signal.SIG_BLOCK, _STOP_SIGNALS)
        threading.Thread(target=self._wait, name="stopper", daemon=True).start()

    def call(self, stop: Callable[[], object]) -> None:
        """Call `stop` on the running loop when the process has to stop."""
        loop = asyncio.get_running_loop()
        self._notify = lambda: loop.call_soon_threadsafe(stop)
        if self._is_stopping:
            stop()

    def _wait(self) -> None:
        signal.sigwait(_STOP_SIGNALS)
        self._is_stopping = True
        with suppress(RuntimeError):  # the loop is closed: the process is ending anyway
            self._notify()
        time.sleep(self.seconds() + _MARGIN + (_FLUSH if tracing.is_on() else 0.0))
        if select.select([], [sys.stderr], [], 0)[1]:
            log.error("stopping took too long; sends in progress will be repeated")
        os._exit(1)


async def _serve(path: Path, runtime: Runtime, flags: WebFlags, stopper: _Stopper) -> None:
    loop = asyncio.get_running_loop()
    stop = asyncio.Event()
    stopper.call(stop.set)
    reloads: set[asyncio.Task[object]] = set()
    async with running(path, runtime, flags) as router:

        def reload() -> None:
            task: asyncio.Task[object] = asyncio.create_task(router.reload())
            reloads.add(task)
            task.add_done_callback(reloads.discard)

        loop.add_signal_handler(signal.SIGHUP, reload)
        _tune_garbage_collection()
        stopper.seconds = lambda: router.runtime.config.delivery.shutdown_timeout
        waiting = [asyncio.create_task(it.wait()) for it in (stop, router.ended)]
        await asyncio.wait(waiting, return_when=asyncio.FIRST_COMPLETED)
        if router.ended.is_set():
            # No result can be stored: waiting for the sends in progress would be useless.
            log.critical("exiting: the store has ended; what was being sent will be repeated")
            _exit(1)
        log.info("stopping")
    with suppress(TimeoutError):
        async with asyncio.timeout(_FLUSH):
            await asyncio.to_thread(tracing.stop, _FLUSH)
    # Everything is stored. Exit without waiting, as the interpreter would, for threads that hang
    # in a name lookup or in rendering.
    _exit(0)


def _exit(code: int) -> NoReturn:
    for stream in (sys.stdout, sys.stderr):
        with suppress(OSError, ValueError):
            stream.flush()
    os._exit(code)


def _limit_memory() -> None:
    """Make glibc return the memory of large bodies to the system after use. By default each
    thread keeps more and more of it."""
    try:
        mallopt = ctypes.CDLL(None).mallopt
    except (OSError, AttributeError):  # not glibc
        return
    mallopt(_M_MMAP_THRESHOLD, 32 * 1024)
    mallopt(_M_ARENA_MAX, 2)


def _tune_garbage_collection() -> None:
    """Exclude what was loaded at the start from garbage collection."""
    gc.collect()
    gc.freeze()


def _set_up_log(format_: str, level: str = "info") -> None:
    """Send the log, including the log of libraries, to standard error. `format_` is console, json
    or auto (console on a terminal); `level` is debug, info, warning or error."""
    on_terminal = sys.stderr.isatty()
    processors: list[structlog.typing.Processor] = [
        _clean,
        structlog.contextvars.merge_contextvars,
        structlog.processors.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
    ]
    if format_ == "console" or (format_ == "auto" and on_terminal):
        # Tracebacks without the values of variables, which may be secrets.
        plain = structlog.dev.plain_traceback
        processors.append(
            structlog.dev.ConsoleRenderer(colors=on_terminal, exception_formatter=plain)
        )
    else:
        # A traceback becomes one JSON string, so that hostile text cannot start a line.
        processors.append(structlog.processors.format_exc_info)
        processors.append(structlog.processors.JSONRenderer())
    structlog.configure(
        processors=processors,
        wrapper_class=structlog.make_filtering_bound_logger(getattr(logging, level.upper())),
        logger_factory=structlog.PrintLoggerFactory(sys.stderr),
        cache_logger_on_first_use=True,
    )
    logging.basicConfig(handlers=[_LibraryLogs()], level=logging.ERROR, force=True)


def _clean(_: object, __: str, fields: structlog.typing.EventDict) -> structlog.typing.EventDict:
    """Put text fields on one line, without control characters and with a maximum length."""
    for name, value in fields.items():
        if isinstance(value, str) and (len(value) > _MAX_FIELD or not value.isprintable()):
            clean = "".join(c if c.isprintable() else _REPLACEMENT for c in value[:_MAX_FIELD])
            fields[name] = clean if len(value) <= _MAX_FIELD else clean + "…"
    return fields


class _LibraryLogs(logging.Handler):
    """Logs errors of libraries: the message template, the error type and the place, but not the
    arguments, which may hold a header or a secret."""

    def emit(self, record: logging.LogRecord) -> None:
        error = record.exc_info[1] if record.exc_info else None
        frames = traceback.extract_tb(error.__traceback__) if error is not None else []
        log.error(
            "library error",
            library=record.name,
            message=str(record.msg).partition("\n")[0][:200],
            error=type(error).__name__ if error is not None else "",
            place=f"{frames[-1].filename}:{frames[-1].lineno}" if frames else "",
        )
