"""Resolvers and stores that count what goes through them; they change nothing."""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeVar

from milter.dns.resolver import Answer, Outcome
from policies.dnslists import ERROR, Listed

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from milter.dns.resolver import Resolver, Rrtype
    from milter.telemetry.metrics import Metrics
    from policies.dnslists import DnsList
    from reputation.store import Store

T = TypeVar("T")


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


class CountedStore:
    """Times the operations of a store."""

    def __init__(self, inner: Store, metrics: Metrics, clock: Callable[[], float]) -> None:
        self._inner = inner
        self._metrics = metrics
        self._clock = clock

    def put(self, space: str, keys: Sequence[bytes], expires_at: float) -> None:
        """Keep keys until a time."""
        self._timed("put", lambda: self._inner.put(space, keys, expires_at))

    def present(self, space: str, keys: Sequence[bytes], now: float) -> frozenset[bytes]:
        """Return those that are held."""
        return self._timed("present", lambda: self._inner.present(space, keys, now))

    def secret(self, name: str) -> bytes:
        """Return a secret."""
        return self._timed("secret", lambda: self._inner.secret(name))

    def expire(self, now: float, limit: int) -> int:
        """Remove what expired."""
        return self._timed("expire", lambda: self._inner.expire(now, limit))

    def close(self) -> None:
        """Close the store."""
        self._inner.close()

    def _timed(self, operation: str, call: Callable[[], T]) -> T:
        started = self._clock()
        try:
            return call()
        finally:
            self._metrics.store(operation, self._clock() - started)
