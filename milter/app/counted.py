"""Resolvers that count what goes through them; they change nothing."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

    from milter.dns.resolver import Answer, Resolver, Rrtype
    from milter.telemetry.metrics import Metrics


class CountedResolver:
    """Counts and times each question that leaves for a DNS server; stands below the cache."""

    def __init__(self, inner: Resolver, metrics: Metrics, clock: Callable[[], float]) -> None:
        self._inner = inner
        self._metrics = metrics
        self._clock = clock

    async def resolve(self, name: str, rrtype: Rrtype) -> Answer:
        """Return what the inner resolver answers."""
        started = self._clock()
        answer = await self._inner.resolve(name, rrtype)
        self._metrics.dns(answer.outcome, self._clock() - started)
        return answer
