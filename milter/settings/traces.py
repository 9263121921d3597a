"""Where traces go."""

from __future__ import annotations

from pydantic import Field

from milter.settings.section import Section


class Traces(Section):
    """Traces of transactions for OpenTelemetry; they need the extra `gatepost[otel]`."""

    endpoint: str | None = Field(
        default=None,
        pattern="^https?://",
        description="Where a collector takes OTLP over HTTP, such as "
        "http://127.0.0.1:4318/v1/traces; absent: nothing is traced",
    )
    share: float = Field(
        default=1.0, ge=0, le=1, description="Of connections whose transactions are traced"
    )
