"""Recording and exporting spans with OpenTelemetry. Imports the extra `otel`."""

from collections.abc import Iterable, Iterator
from contextlib import contextmanager

from opentelemetry import trace
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.resources import SERVICE_NAME, SERVICE_VERSION, Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor
from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

from alert_router import __version__
from alert_router.tracing import Attributes, Kind, Span

_MOST_LINKS = 32
_KINDS = {
    "server": trace.SpanKind.SERVER,
    "consumer": trace.SpanKind.CONSUMER,
    "client": trace.SpanKind.CLIENT,
}
_HEADERS = TraceContextTextMapPropagator()


class Recorded(Span):
    """A span that OpenTelemetry records, or drops as the sampler decides."""

    def __init__(self, recorded: trace.Span, kind: Kind) -> None:
        header: dict[str, str] = {}
        _HEADERS.inject(header, trace.set_span_in_context(recorded))
        trace_id = trace.format_trace_id(recorded.get_span_context().trace_id)
        super().__init__(header["traceparent"], trace_id)
        self._recorded, self._kind = recorded, kind

    def set(self, **attributes: str | int) -> None:
        self._recorded.set_attributes({f"alert_router.{k}": v for k, v in attributes.items()})

    def answered(self, status: int) -> None:
        self._recorded.set_attribute("http.response.status_code", status)
        if status >= (400 if self._kind == "client" else 500):
            self.fail(str(status))

    def fail(self, reason: str) -> None:
        self._recorded.set_attribute("error.type", reason)
        self._recorded.set_status(trace.StatusCode.ERROR)


class Exporter:
    """Sends spans in batches from a thread of its own. The environment configures it; spans that
    the collector does not take in time are dropped."""

    def __init__(self) -> None:
        own = {SERVICE_VERSION: __version__}
        resource = Resource.create(own)  # with what the environment says
        if str(resource.attributes[SERVICE_NAME]).startswith("unknown_service"):
            resource = Resource.create(own | {SERVICE_NAME: "alert-router"})
        self._provider = TracerProvider(resource=resource, shutdown_on_exit=False)
        self._provider.add_span_processor(BatchSpanProcessor(OTLPSpanExporter()))
        self._tracer = self._provider.get_tracer("alert_router", __version__)

    @contextmanager
    def span(
        self, name: str, kind: Kind, parent: str, linked: Iterable[str], attributes: Attributes
    ) -> Iterator[Recorded]:
        """A span for the length of the block. The text of an exception is not recorded: it may hold
        a secret."""
        links = [trace.Link(_context(header)) for header in list(linked)[:_MOST_LINKS]]
        with self._tracer.start_as_current_span(
            name,
            _HEADERS.extract({"traceparent": parent}) if parent else None,
            _KINDS[kind],
            dict(attributes),
            [link for link in links if link.context.is_valid],
            record_exception=False,
            set_status_on_exception=False,
        ) as started:
            recorded = Recorded(started, kind)
            try:
                yield recorded
            except BaseException as error:
                recorded.fail(type(error).__name__)
                raise

    def flush(self, seconds: float) -> None:
        """Export what is pending, for at most so many seconds."""
        self._provider.force_flush(int(seconds * 1000))


def _context(header: str) -> trace.SpanContext:
    return trace.get_current_span(_HEADERS.extract({"traceparent": header})).get_span_context()
