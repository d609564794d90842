"""Tracing: Alertmanager's trace (W3C Trace Context) is continued, and spans are exported where the
extra `otel` is installed and OpenTelemetry's environment variables ask for it.

Spans hold names of the configuration, ids and reason codes: no label, no URL, no error text.
"""

import re
from collections.abc import Iterable, Mapping
from contextlib import AbstractContextManager
from importlib.util import find_spec
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from alert_router.tracing.export import Exporter

Kind = Literal["server", "consumer", "client"]
Attributes = Mapping[str, str | int]

# Version 00 of the header; an id of zeros is invalid.
_TRACEPARENT = re.compile(r"00-(?!0{32})[0-9a-f]{32}-(?!0{16})[0-9a-f]{16}-[0-9a-f]{2}")
_PROTOCOL = "http/protobuf"

_exporter: "Exporter | None" = None


def valid(traceparent: str) -> str:
    """The header if it is valid, else ""."""
    return traceparent if _TRACEPARENT.fullmatch(traceparent) else ""


class Span(AbstractContextManager["Span"]):
    """A span that is not recorded: it passes its parent on."""

    def __init__(self, traceparent: str = "", trace_id: str = "") -> None:
        self.traceparent = traceparent  # the header for what this span calls, or ""
        self.trace_id = trace_id  # of a span that is exported, 32 hexadecimal digits, or ""

    def set(self, **attributes: str | int) -> None:
        """Add attributes; their names get the prefix `alert_router.`."""

    def answered(self, status: int) -> None:
        """Add the status of an HTTP answer; for a client, one from 400 on is an error."""

    def fail(self, reason: str) -> None:
        """Mark it as failed, with a reason code."""

    def log_fields(self) -> dict[str, str]:
        """What relates log lines to an exported trace."""
        return {"trace_id": self.trace_id} if self.trace_id else {}

    def __exit__(self, *_: object) -> None:
        """There is nothing to end."""


def span(
    name: str,
    kind: Kind,
    *,
    parent: str = "",
    linked: Iterable[str] = (),
    attributes: Attributes | None = None,
) -> AbstractContextManager[Span]:
    """A span for the length of the block. Its parent is the span of a valid `parent` header, else
    the span around it; `linked` are the headers of other traces that it belongs to."""
    if _exporter is None:
        return Span(parent)
    return _exporter.span(name, kind, parent, linked, attributes or {})


def start(environment: Mapping[str, str]) -> str:
    """Start to export if the environment has an OTLP endpoint or `OTEL_TRACES_EXPORTER=otlp`. Why
    it cannot although it is asked to; "" otherwise."""
    global _exporter  # noqa: PLW0603  # one exporter a process, as OpenTelemetry has it
    if not _is_wanted(environment):
        return ""
    protocol = _setting(environment, "PROTOCOL") or _PROTOCOL
    if protocol != _PROTOCOL:
        return f"OTEL_EXPORTER_OTLP_PROTOCOL is {protocol!r}: only {_PROTOCOL} is supported"
    if not find_spec("opentelemetry"):
        return "OpenTelemetry is not installed: pip install 'alert-router[otel]'"
    try:
        from alert_router.tracing.export import Exporter  # noqa: PLC0415  # an extra

        _exporter = Exporter()
    except (ImportError, ValueError) as error:
        return f"OpenTelemetry cannot be used: {error}"
    return ""


def is_on() -> bool:
    """Whether spans are exported."""
    return _exporter is not None


def stop(seconds: float) -> None:
    """Export what is pending, for at most so many seconds. Blocks."""
    if _exporter is not None:
        _exporter.flush(seconds)


def _is_wanted(environment: Mapping[str, str]) -> bool:
    if environment.get("OTEL_SDK_DISABLED", "").lower() == "true":
        return False
    if chosen := environment.get("OTEL_TRACES_EXPORTER", ""):
        return "otlp" in chosen.split(",")
    return bool(_setting(environment, "ENDPOINT"))


def _setting(environment: Mapping[str, str], name: str) -> str:
    """The exporter's setting for traces, or for everything."""
    own = environment.get(f"OTEL_EXPORTER_OTLP_TRACES_{name}", "")
    return own or environment.get(f"OTEL_EXPORTER_OTLP_{name}", "")
