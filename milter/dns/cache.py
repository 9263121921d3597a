"""Answers kept for as long as they may be, and equal questions asked once.

The life of an answer is its TTL, within bounds of the settings (RFC 1035 §3.2.1, RFC 2308 §5,
RFC 8767 §4). TTL 0 is not kept. A failure is kept for three seconds (RFC 9520 §3.2): without that
each check of a message would wait out the same dead server again; longer, and a blip of the network
would turn into a verdict about later mail.

An answer whose life is over stays for a while. When nobody can be asked anew, or the new answer is
long in coming, it stands in, marked as stale (RFC 8767 §5, §7).
"""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from contextlib import suppress
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

from milter.dns.names import canonical_name
from milter.dns.resolver import Answer, Outcome

if TYPE_CHECKING:
    from collections.abc import Callable

    from milter.dns.resolver import Resolver, Rrtype
    from milter.settings import Dns

    Key = tuple[str, Rrtype]

FAILURE_TTL_S: Final = 3
# RFC 8767 §4, §5: the TTL of a stale answer, and the time until its servers are tried again.
STALE_TTL_S: Final = 30
# RFC 8767 §5: how long a new answer is waited for while there is a stale one.
STALE_AFTER_S: Final = 1.8

# Measured with tracemalloc over many entries; tests hold the sum against it.
_ENTRY_BYTES: Final = 600
_RECORD_BYTES: Final = 90

# Python 3.11 takes longer to find a member of an enum than to keep an answer.
_ANSWER: Final = Outcome.ANSWER
_NOT_A_NAME: Final = Answer(Outcome.NXDOMAIN)
_GIVEN_UP: Final = Answer(Outcome.TIMEOUT)


@dataclass(slots=True)
class _Entry:
    answer: Answer
    expires: float
    # Until when it may stand in after that.
    usable: float
    size: int


@dataclass(slots=True, eq=False)
class _Flight:
    """A question that is being asked, and who waits for it beside whoever asks.

    Most are asked by the first who wanted to know. It is a task where that one was cancelled while
    others wait, or where it may have to go on alone.
    """

    task: asyncio.Task[None] | None = None
    waiters: set[asyncio.Future[Answer]] = field(default_factory=set)
    # A stale answer was given instead: it goes on although nobody waits, to renew it.
    renews: bool = False


class CachingResolver:
    """Keeps the answers of another resolver, the least recently used leave first.

    Who waits for one question shares one query. Whoever is cancelled leaves; when that is the one
    who asked, the question goes out again at once for the others. It ends with the last of them.
    The resolver belongs to the event loop in which it is asked.

    Attributes:
        size_bytes: Memory of what is kept, about.

    Args:
        inner: Is asked what is not known.
        clock: Seconds that only grow, such as `time.monotonic`.
        settings: Bounds on number, memory and life of answers; `cache_entries` 0 keeps none, and
            still asks equal questions once.
        observe: Told of each answer where it is from: hit, asked, shared or stale.
    """

    def __init__(
        self,
        inner: Resolver,
        clock: Callable[[], float],
        settings: Dns,
        observe: Callable[[str], None] = lambda _: None,
    ) -> None:
        self.size_bytes = 0
        self._inner = inner
        self._clock = clock
        self._settings = settings
        self._observe = observe
        self._entries: OrderedDict[Key, _Entry] = OrderedDict()
        self._flights: dict[Key, _Flight] = {}

    async def resolve(self, name: str, rrtype: Rrtype) -> Answer:
        """Return the answer for `name`; its `ttl_s` is what is left. See `Resolver`."""
        key = name, rrtype
        # Most names come as they are kept; only what is not found has to be brought into form.
        if (answer := self._known(key)) is not None:
            return answer
        canonical = canonical_name(name)
        if canonical is None:
            return _NOT_A_NAME
        if canonical != name:
            key = canonical, rrtype
            if (answer := self._known(key)) is not None:
                return answer
        flight = self._flights.get(key)
        if flight is None and (key not in self._entries or self._stand_in(key) is None):
            answer, source = await self._lead(key, _Flight()), "asked"
        else:
            answer, source = await self._wait(key, flight or self._start(key, _Flight())), "shared"
        self._observe("stale" if answer.stale else source)
        return answer

    def close(self) -> None:
        """End what is still being asked; who waits for it gets a timeout."""
        for key, flight in [*self._flights.items()]:
            self._land(key, flight, _GIVEN_UP)
            if flight.task is not None:
                flight.task.cancel()

    def __len__(self) -> int:
        return len(self._entries)

    def _known(self, key: Key) -> Answer | None:
        entry = self._entries.get(key)
        if entry is None:
            return None
        left_s = entry.expires - self._clock()
        if left_s <= 0:
            return None
        self._entries.move_to_end(key)
        answer = entry.answer
        # A new object only where the second has changed: a hit stays a look-up.
        if (ttl_s := int(left_s)) < answer.ttl_s:
            answer = Answer(answer.outcome, answer.records, ttl_s, answer.stale)
            entry.answer = answer
        self._observe("stale" if answer.stale else "hit")
        return answer

    async def _lead(self, key: Key, flight: _Flight) -> Answer:
        """Ask, keep the answer, and give it to all who came meanwhile; most often nobody did."""
        self._flights[key] = flight
        try:
            answer = self._keep(key, await self._inner.resolve(*key))
        except asyncio.CancelledError:
            if flight.waiters:
                self._start(key, flight)
            else:
                self._land(key, flight, _GIVEN_UP)
            raise
        except Exception as err:
            self._land(key, flight, err)
            raise
        self._land(key, flight, answer)
        return answer

    def _start(self, key: Key, flight: _Flight) -> _Flight:
        """Ask in a task, which belongs to all who wait."""
        self._flights[key] = flight
        flight.task = asyncio.get_running_loop().create_task(self._lead_alone(key, flight))
        return flight

    async def _lead_alone(self, key: Key, flight: _Flight) -> None:
        # Whatever it raises was given to those who wait.
        with suppress(Exception):
            await self._lead(key, flight)

    async def _wait(self, key: Key, flight: _Flight) -> Answer:
        waiter: asyncio.Future[Answer] = asyncio.get_running_loop().create_future()
        flight.waiters.add(waiter)
        try:
            if self._stand_in(key) is not None:
                # For a while, for a new answer is better; then the stale one has to do.
                await asyncio.wait([waiter], timeout=STALE_AFTER_S)
                if not waiter.done() and (stale := self._stand_in(key)) is not None:
                    flight.renews = True
                    return stale
            return await waiter
        finally:
            flight.waiters.discard(waiter)
            if flight.task is not None and not flight.waiters and not flight.renews:
                self._land(key, flight, _GIVEN_UP)
                flight.task.cancel()

    def _land(self, key: Key, flight: _Flight, result: Answer | Exception) -> None:
        """End a flight; who asks from here on does not join it."""
        if self._flights.get(key) is flight:
            del self._flights[key]
        for waiter in flight.waiters:
            if waiter.done():
                continue
            if isinstance(result, Answer):
                waiter.set_result(result)
            else:
                waiter.set_exception(result)

    def _stand_in(self, key: Key) -> Answer | None:
        """Return the answer that may be given although its life is over, marked as stale."""
        entry = self._entries.get(key)
        if entry is None or self._clock() >= entry.usable:
            return None
        answer = entry.answer
        return Answer(answer.outcome, answer.records, STALE_TTL_S, stale=True)

    def _keep(self, key: Key, answer: Answer) -> Answer:
        """Keep `answer`, and return it or what stands in for it."""
        now = self._clock()
        if answer.outcome.temporary and (stale := self._stand_in(key)) is not None:
            # Only a good answer replaces the old one; until then it is not asked for too often.
            entry = self._entries[key]
            entry.answer, entry.expires = stale, now + STALE_TTL_S
            return stale
        life_s = self._life_s(answer)
        if answer.ttl_s > life_s:
            # Whoever keeps what it made of an answer keeps it for no longer than we would.
            answer = answer._replace(ttl_s=life_s)
        if (old := self._entries.pop(key, None)) is not None:
            self.size_bytes -= old.size
        if life_s:
            expires = now + life_s
            stale_s = 0 if answer.outcome.temporary else self._settings.stale_s
            self._add(key, _Entry(answer, expires, expires + stale_s, _size(key, answer)))
        return answer

    def _life_s(self, answer: Answer) -> int:
        """Return the seconds for which `answer` holds; 0: it is not kept."""
        if answer.outcome.temporary:
            return FAILURE_TTL_S
        if answer.ttl_s <= 0:
            return 0
        settings, positive = self._settings, answer.outcome is _ANSWER
        longest_s = settings.max_ttl_s if positive else settings.max_negative_ttl_s
        # One message asks for the same name at several stages, and lists answer with tiny TTLs.
        life_s = settings.min_ttl_s if answer.ttl_s < settings.min_ttl_s else answer.ttl_s
        return longest_s if longest_s < life_s else life_s

    def _add(self, key: Key, entry: _Entry) -> None:
        entries, settings = self._entries, self._settings
        entries[key] = entry
        self.size_bytes += entry.size
        while entries and (
            len(entries) > settings.cache_entries or self.size_bytes > settings.cache_bytes
        ):
            _, oldest = entries.popitem(last=False)
            self.size_bytes -= oldest.size


def _size(key: Key, answer: Answer) -> int:
    """Return about how much memory an answer takes."""
    size = _ENTRY_BYTES + len(key[0])
    for record in answer.records:
        size += _RECORD_BYTES
        if isinstance(record, str):
            size += len(record)
        else:
            size += sum(_RECORD_BYTES + len(one) for one in record if not isinstance(one, int))
    return size
