from __future__ import annotations

import asyncio

from milter.app.counted import CountedResolver
from milter.dns.fake import FakeResolver
from milter.dns.resolver import Outcome
from milter.telemetry.metrics import Metrics


def _value(metrics: Metrics, name: str, **labels: str) -> float | None:
    metrics.flush()
    return metrics.registry.get_sample_value(f"gatepost_{name}", labels)


def test_counted_resolver_counts_the_outcome_and_the_time() -> None:
    metrics, times = Metrics(), iter([1.0, 1.25])
    resolver = CountedResolver(FakeResolver({}), metrics, lambda: next(times))
    answer = asyncio.run(resolver.resolve("missing.example", "A"))
    assert answer.outcome is Outcome.NXDOMAIN
    assert _value(metrics, "dns_queries_total", outcome="nxdomain") == 1
    assert _value(metrics, "dns_query_seconds_sum") == 0.25
