"""Answers kept for as long as they may be, and equal questions asked once.

Bounds on the life of an answer, in seconds (RFC 1035 §3.2.1, RFC 2308 §5):

* a positive answer: its TTL, at least 5 (one message asks for the same name at several stages, and
  lists answer with tiny TTLs), at most a day (a wrong answer must not live longer);
  TTL 0 is not kept;
* NXDOMAIN and NODATA: likewise, at most one hour (RFC 2308 §5 advises one to three);
* a failure: 3. Without that each check of a message would wait out the same dead server again;
  longer, and a blip of the network would turn into a verdict about later mail.

It does not serve stale answers.
"""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Final

from milter.dns.names import canonical_name
from milter.dns.resolver import Answer, Outcome

if TYPE_CHECKING:
    from collections.abc import Callable

    from milter.dns.resolver import Resolver, Rrtype

MIN_TTL_S: Final = 5
MAX_TTL_S: Final = 86_400
MAX_NEGATIVE_TTL_S: Final = 3_600
FAILURE_TTL_S: Final = 3

_NOT_A_NAME: Final = Answer(Outcome.NXDOMAIN)


@dataclass(slots=True)
class _Entry:
    answer: Answer
    expires: float


class CachingResolver:
    """Keeps the answers of another resolver, the least recently used leave first.

    Waiters for one question share one query. The first of them asks; when it is cancelled, the next
    one asks again, so nobody's cancellation reaches another and no task outlives those who wait.

    Args:
        inner: Is asked what is not known.
        clock: Seconds that only grow, such as `time.monotonic`.
        max_entries: Bound on the answers kept; 0 keeps none and still asks equal questions once.
    """

    def __init__(self, inner: Resolver, clock: Callable[[], float], max_entries: int) -> None:
        self._inner = inner
        self._clock = clock
        self._max_entries = max_entries
        self._entries: OrderedDict[tuple[str, Rrtype], _Entry] = OrderedDict()
        self._flights: dict[tuple[str, Rrtype], asyncio.Future[Answer | None]] = {}

    async def resolve(self, name: str, rrtype: Rrtype) -> Answer:
        """Return the answer for `name`; its `ttl_s` is what is left. See `Resolver`."""
        canonical = canonical_name(name)
        if canonical is None:
            return _NOT_A_NAME
        key = (canonical, rrtype)
        while True:
            if (entry := self._entries.get(key)) is not None and (
                answer := self._fresh(key, entry)
            ):
                return answer
            if (flight := self._flights.get(key)) is None:
                return await self._ask(key)
            # The shield keeps a waiter's cancellation from the future that others wait for.
            if (shared := await asyncio.shield(flight)) is not None:
                return shared

    def __len__(self) -> int:
        return len(self._entries)

    async def _ask(self, key: tuple[str, Rrtype]) -> Answer:
        flight = asyncio.get_running_loop().create_future()
        self._flights[key] = flight
        answer: Answer | None = None
        try:
            answer = await self._inner.resolve(*key)
            self._keep(key, answer)
            return answer
        finally:
            del self._flights[key]
            # None tells the waiters that whoever asked gave up: one of them asks anew.
            flight.set_result(answer)

    def _fresh(self, key: tuple[str, Rrtype], entry: _Entry) -> Answer | None:
        left = entry.expires - self._clock()
        if left <= 0:
            del self._entries[key]
            return None
        self._entries.move_to_end(key)
        # A new object only where the second has changed: a hit stays a look-up.
        if (ttl_s := int(left)) < entry.answer.ttl_s:
            entry.answer = replace(entry.answer, ttl_s=ttl_s)
        return entry.answer

    def _keep(self, key: tuple[str, Rrtype], answer: Answer) -> None:
        life_s = _life(answer)
        if not life_s or not self._max_entries:
            return
        self._entries[key] = _Entry(answer, self._clock() + life_s)
        if len(self._entries) > self._max_entries:
            self._entries.popitem(last=False)


def _life(answer: Answer) -> int:
    """Return the seconds for which `answer` is kept, by the bounds of the module's docstring."""
    if answer.outcome.temporary:
        return FAILURE_TTL_S
    if answer.ttl_s <= 0:
        return 0
    longest = MAX_TTL_S if answer.outcome is Outcome.ANSWER else MAX_NEGATIVE_TTL_S
    return min(max(answer.ttl_s, MIN_TTL_S), longest)
