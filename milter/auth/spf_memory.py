"""Results of SPF, kept for as long as the answers hold that they were made of.

Kept by address and domain alone, so only what depends on nothing else is kept: a record with a
macro (RFC 7208 §7) may mean something else for each local part and HELO name. Which names are asked
is `milter.auth.spf`'s business.
"""

from __future__ import annotations

from collections import OrderedDict
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Callable

    from milter.auth.spf import Identity, SpfResult
    from milter.core.connection import IpAddress
    from milter.dns.resolver import Answer, Resolver, Rrtype

    Key = tuple[IpAddress, str, Identity]

MAX_ENTRIES: Final = 5_000
_MACRO: Final = b"%"


class SpfMemory:
    """Keeps results; the least recently used leave first.

    Args:
        clock: Seconds that only grow, such as `time.monotonic`.
        max_entries: Bound on the results kept.
    """

    __slots__ = ("_entries", "_max_entries", "clock")

    def __init__(self, clock: Callable[[], float], max_entries: int = MAX_ENTRIES) -> None:
        self.clock = clock
        self._max_entries = max_entries
        self._entries: OrderedDict[Key, tuple[SpfResult, float]] = OrderedDict()

    def find(self, ip: IpAddress, domain: str, identity: Identity) -> SpfResult | None:
        """Return the result for `ip` and `domain`, a `domain_key`; None when none holds."""
        key = (ip, domain, identity)
        entry = self._entries.get(key)
        if entry is None:
            return None
        result, until = entry
        if self.clock() >= until:
            del self._entries[key]
            return None
        self._entries.move_to_end(key)
        return result

    def keep(self, ip: IpAddress, result: SpfResult, answers: KnownAnswers) -> None:
        """Keep `result`, which came of `answers`, if others may be given it."""
        if answers.have_macros or answers.hold_until <= self.clock():
            return
        self._entries[ip, result.domain, result.identity] = (result, answers.hold_until)
        if len(self._entries) > self._max_entries:
            self._entries.popitem(last=False)


class KnownAnswers:
    """A resolver for one evaluation: asks each question once, and sees what the answers allow.

    Attributes:
        hold_until: When the first of the answers runs out; long ago when one must not be kept.
        have_macros: Whether a text could hold a macro.

    Args:
        inner: Is asked.
        clock: Of `hold_until`.
    """

    __slots__ = ("_answers", "_clock", "_inner", "have_macros", "hold_until")

    def __init__(self, inner: Resolver, clock: Callable[[], float]) -> None:
        self._inner = inner
        self._clock = clock
        self._answers: dict[tuple[str, Rrtype], Answer] = {}
        self.hold_until = float("inf")
        self.have_macros = False

    async def resolve(self, name: str, rrtype: Rrtype) -> Answer:
        """Return the answer for `name`; see `Resolver`."""
        key = (name, rrtype)
        answer = self._answers.get(key)
        if answer is None:
            answer = self._answers[key] = await self._inner.resolve(name, rrtype)
            self._look_at(answer)
        return answer

    def _look_at(self, answer: Answer) -> None:
        # What failed may answer a moment later: nothing made of it may outlive it.
        lives_s = 0 if answer.outcome.temporary else answer.ttl_s
        self.hold_until = min(self.hold_until, self._clock() + lives_s)
        for record in answer.records:
            if isinstance(record, tuple):
                texts = [text for text in record if isinstance(text, bytes)]
                self.have_macros = self.have_macros or any(_MACRO in text for text in texts)
