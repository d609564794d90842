"""How the log is written: lines for people on a terminal, JSON for machines elsewhere.

What is logged is said where it happens; values from alerts are escaped by the renderers.
"""

import logging
import sys
import traceback

import structlog

log = structlog.get_logger(__name__)

_LONGEST = 4_000  # characters of a field
_REPLACED = "\N{REPLACEMENT CHARACTER}"


def set_up_log(format_: str, level: str = "info") -> None:
    """Send structlog, and what libraries log, to standard error. `auto` looks at the terminal;
    `level` is debug, info, warning or error."""
    for_people = format_ == "console" or (format_ == "auto" and sys.stderr.isatty())
    shared: list[structlog.typing.Processor] = [
        _clean,
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
    logging.basicConfig(handlers=[_OfLibraries()], level=logging.ERROR, force=True)


def _clean(_: object, __: str, fields: structlog.typing.EventDict) -> structlog.typing.EventDict:
    """Texts of others' on one line, without control characters, and not without end."""
    for name, value in fields.items():
        if isinstance(value, str) and (len(value) > _LONGEST or not value.isprintable()):
            clean = "".join(c if c.isprintable() else _REPLACED for c in value[:_LONGEST])
            fields[name] = clean if len(value) <= _LONGEST else clean + "…"
    return fields


class _OfLibraries(logging.Handler):
    """What libraries log, as lines of ours: which message, which error, where. Not what they fill
    in, which may be a header or a secret that somebody sent."""

    def emit(self, record: logging.LogRecord) -> None:
        error = record.exc_info[1] if record.exc_info else None
        frames = traceback.extract_tb(error.__traceback__) if error is not None else []
        log.error(
            "a library reports trouble",
            library=record.name,
            message=str(record.msg).partition("\n")[0][:200],
            error=type(error).__name__ if error is not None else "",
            place=f"{frames[-1].filename}:{frames[-1].lineno}" if frames else "",
        )
