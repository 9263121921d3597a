"""Traces sent to a collector by OTLP over HTTP (OpenTelemetry Protocol, protobuf).

Imported only where traces are wanted: the libraries are the extra `gatepost[otel]`. Spans wait in a
bounded queue and go out from a thread of the library; what a collector that is down does not take
is dropped, and mail never waits. What the environment says holds too, such as
OTEL_EXPORTER_OTLP_HEADERS for a secret and OTEL_RESOURCE_ATTRIBUTES.
"""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING, Final

from opentelemetry.context import Context
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor
from opentelemetry.sdk.trace.sampling import ALWAYS_ON
from opentelemetry.trace import SpanKind, StatusCode, set_span_in_context

if TYPE_CHECKING:
    from milter.telemetry.spans import Span

_QUEUE: Final = 8192
_BATCH: Final = 512
_EVERY_MS: Final = 2000
_TIMEOUT_S: Final = 5
_CLOSE_S: Final = 2.0
_NANO: Final = 1_000_000_000


class OtlpSender:
    """Sends traces; one for each process.

    Args:
        endpoint: Where to, whole: `http://127.0.0.1:4318/v1/traces`.
        version: Of Gatepost.
        host: Name of this host.
    """

    def __init__(self, endpoint: str, version: str, host: str) -> None:
        resource = Resource.create(
            {"service.name": "gatepost", "service.version": version, "host.name": host}
        )
        # Which transactions are traced was chosen before.
        self._provider = TracerProvider(ALWAYS_ON, resource, shutdown_on_exit=False)
        exporter = OTLPSpanExporter(endpoint, timeout=_TIMEOUT_S)
        self._provider.add_span_processor(
            BatchSpanProcessor(
                exporter,
                max_queue_size=_QUEUE,
                schedule_delay_millis=_EVERY_MS,
                max_export_batch_size=_BATCH,
            )
        )
        self._tracer = self._provider.get_tracer("gatepost", version)

    def send(self, span: Span) -> None:
        """Send one trace, soon; never waits and never fails."""
        self._put(span, Context(), SpanKind.SERVER)

    def close(self) -> None:
        """Send what waits, for a short time."""
        # A collector that hangs is not waited for: the thread ends with the process.
        closing = threading.Thread(target=self._provider.shutdown, daemon=True)
        closing.start()
        closing.join(_CLOSE_S)

    def _put(self, span: Span, within: Context, kind: SpanKind) -> None:
        started = self._tracer.start_span(
            span.name,
            within,
            kind,
            attributes=span.attributes,
            start_time=int(span.start * _NANO),
        )
        if span.failed:
            started.set_status(StatusCode.ERROR)
        inside = set_span_in_context(started, within)
        for child in span.children:
            self._put(child, inside, SpanKind.INTERNAL)
        started.end(int(span.end * _NANO))
