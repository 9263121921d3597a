"""Results of SPF, kept for as long as the answers hold that they were made of.

Who else may be given a result depends on what the records on the way asked for. Without macros and
without `exists`, `ptr` and `exp` it depends on the client's address alone, and on nothing finer
than the networks it was compared with: clients that lie on the same side of each of them share it.
A macro for the HELO name ties it to that name; one for the local part (or for the time, in an
explanation) keeps it from being kept.
"""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Callable

    from milter.auth.spf.result import Identity, SpfResult
    from milter.core.connection import IpAddress
    from milter.dns.resolver import Answer, Resolver, Rrtype

    # Family, bits that count, those bits, domain, identity, HELO name or nothing.
    Key = tuple[int, int, int, str, Identity, str]

MAX_ENTRIES: Final = 5_000
_NOT_KEPT: Final = frozenset("slt")
_HELO: Final = "h"


@dataclass(slots=True)
class Dependence:
    """What a result depends on, gathered while it is made.

    Attributes:
        letters: Of the macros whose values had an effect.
        by_network: Whether all that was evaluated lets clients of one network share it.
        bits: How many leading bits of the address must agree for that.
    """

    letters: frozenset[str] = frozenset()
    by_network: bool = True
    bits: int = 0


class SpfMemory:
    """Keeps results; the least recently used leave first.

    Args:
        clock: Seconds that only grow, such as `time.monotonic`.
        max_entries: Bound on the results kept.
    """

    __slots__ = ("_entries", "_lengths", "_max_entries", "clock")

    def __init__(self, clock: Callable[[], float], max_entries: int = MAX_ENTRIES) -> None:
        self.clock = clock
        self._max_entries = max_entries
        self._entries: OrderedDict[Key, tuple[SpfResult, float]] = OrderedDict()
        # How often each number of bits occurs among the entries, by family: so few are tried.
        self._lengths: dict[int, dict[int, int]] = {4: {}, 6: {}}

    def find(
        self, ip: IpAddress, domain: str, identity: Identity, helo_name: str
    ) -> SpfResult | None:
        """Return the result for `ip`, unmapped, and `domain`, a `domain_key`; None without one."""
        family, number, width = ip.version, int(ip), ip.max_prefixlen
        for bits in self._lengths[family]:
            prefix = number >> (width - bits)
            found = self._fresh((family, bits, prefix, domain, identity, ""))
            if found is None and bits == width:
                found = self._fresh((family, bits, prefix, domain, identity, helo_name))
            if found is not None:
                return found
        return None

    def keep(
        self,
        ip: IpAddress,
        result: SpfResult,
        helo_name: str,
        depends_on: Dependence,
        hold_until: float,
    ) -> None:
        """Keep `result` until `hold_until`, if others may be given it."""
        if depends_on.letters & _NOT_KEPT or hold_until <= self.clock():
            return
        family, width = ip.version, ip.max_prefixlen
        bits = depends_on.bits if depends_on.by_network else width
        helo = helo_name if _HELO in depends_on.letters else ""
        key = (family, bits, int(ip) >> (width - bits), result.domain, result.identity, helo)
        if key not in self._entries:
            self._lengths[family][bits] = self._lengths[family].get(bits, 0) + 1
        self._entries[key] = (result, hold_until)
        self._entries.move_to_end(key)
        if len(self._entries) > self._max_entries:
            self._drop(next(iter(self._entries)))

    def _fresh(self, key: Key) -> SpfResult | None:
        entry = self._entries.get(key)
        if entry is None:
            return None
        result, until = entry
        if self.clock() >= until:
            # Its place among the lengths is being looked through; it leaves when it is the oldest.
            return None
        self._entries.move_to_end(key)
        return result

    def _drop(self, key: Key) -> None:
        del self._entries[key]
        lengths = self._lengths[key[0]]
        lengths[key[1]] -= 1
        if not lengths[key[1]]:
            del lengths[key[1]]


class KnownAnswers:
    """A resolver for one evaluation: asks each question once, and knows how long the answers hold.

    Attributes:
        hold_until: When the first of the answers runs out; long ago when one must not be kept.

    Args:
        inner: Is asked.
        clock: Of `hold_until`.
    """

    __slots__ = ("_answers", "_clock", "_inner", "hold_until")

    def __init__(self, inner: Resolver, clock: Callable[[], float]) -> None:
        self._inner = inner
        self._clock = clock
        self._answers: dict[tuple[str, Rrtype], Answer] = {}
        self.hold_until = float("inf")

    async def resolve(self, name: str, rrtype: Rrtype) -> Answer:
        """Return the answer for `name`; see `Resolver`."""
        key = (name, rrtype)
        answer = self._answers.get(key)
        if answer is None:
            answer = self._answers[key] = await self._inner.resolve(name, rrtype)
            # What failed may answer a moment later: nothing made of it may outlive it.
            lives_s = 0 if answer.outcome.temporary else answer.ttl_s
            self.hold_until = min(self.hold_until, self._clock() + lives_s)
        return answer
