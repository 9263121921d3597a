"""Resolvers that count what goes through them; they change nothing."""

from __future__ import annotations

from typing import TYPE_CHECKING

from milter.dns.resolver import Answer, Outcome
from policies.dnslists import ERROR, Listed

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from milter.dns.resolver import Resolver, Rrtype
    from milter.telemetry.metrics import Metrics
    from policies.dnslists import DnsList


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
        self._metrics.dns(answer.outcome.value, self._clock() - started)
        return answer


class CountedLists:
    """Counts what DNS lists answer, cached answers included; stands above the cache."""

    def __init__(self, inner: Resolver, metrics: Metrics, lists: Sequence[DnsList]) -> None:
        self._inner = inner
        self._metrics = metrics
        self._lists = [(f".{one.query_zone}".lower(), one) for one in lists]

    async def resolve(self, name: str, rrtype: Rrtype) -> Answer:
        """Return what the inner resolver answers."""
        answer = await self._inner.resolve(name, rrtype)
        if rrtype == "A":
            asked = name.rstrip(".").lower()
            for suffix, dns_list in self._lists:
                if asked.endswith(suffix):
                    self._metrics.dns_list(dns_list.zone, list_outcome(dns_list, answer))
        return answer


def list_outcome(dns_list: DnsList, answer: Answer) -> str:
    """Return the word for an answer of a list: one listing among its addresses is a listing."""
    if answer.outcome.temporary:
        return "temperror"
    if answer.outcome is not Outcome.ANSWER:
        return "not_listed"
    judged = [dns_list.judge(str(record)) for record in answer.records]
    if any(isinstance(one, Listed) for one in judged):
        return "listed"
    return "error" if ERROR in judged else "unknown"
