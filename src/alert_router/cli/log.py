"""How the log is written: lines for people on a terminal, JSON for machines elsewhere.

What is logged is said where it happens; values from alerts are escaped by the renderers.
"""

import logging
import sys

import structlog


def set_up_log(format_: str, level: str = "info") -> None:
    """Send structlog, and what libraries log, to standard error. `auto` looks at the terminal;
    `level` is debug, info, warning or error."""
    for_people = format_ == "console" or (format_ == "auto" and sys.stderr.isatty())
    shared: list[structlog.typing.Processor] = [
        structlog.contextvars.merge_contextvars,
        structlog.processors.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
    ]
    last: list[structlog.typing.Processor]
    if for_people:
        last = [structlog.dev.ConsoleRenderer(colors=sys.stderr.isatty())]
    else:
        # Tracebacks become one JSON string, so that a hostile text cannot begin a line.
        last = [structlog.processors.format_exc_info, structlog.processors.JSONRenderer()]
    structlog.configure(
        processors=[*shared, *last],
        wrapper_class=structlog.make_filtering_bound_logger(getattr(logging, level.upper())),
        logger_factory=structlog.PrintLoggerFactory(sys.stderr),
        cache_logger_on_first_use=True,
    )
    # aiohttp logs what clients send wrong; that is not our trouble, and its text is hostile.
    logging.basicConfig(stream=sys.stderr, level=logging.ERROR, format="%(levelname)s %(message)r")
