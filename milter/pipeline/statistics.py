"""What statistics are told of each message after its reply, and how it comes into the store.

The source of a message is the client that was judged: who connected, or who stood before relays of
ours. Nothing that a client wrote into a header or said in HELO is counted as one.
"""

from __future__ import annotations

import asyncio
from bisect import bisect_left
from collections import deque
from contextlib import suppress
from functools import lru_cache
from typing import TYPE_CHECKING, Final, NamedTuple

from milter.core.address import domain_key
from milter.core.connection import Direction
from milter.message.language import language_of
from milter.message.warm import warm_up
from milter.pipeline.aftermath import GREETING
from policies.verdict import Action
from reputation.errors import StoreError
from reputation.statistics.deposit import Deposits
from reputation.statistics.near import READ
from reputation.statistics.observation import Observation, Profile
from reputation.statistics.tally import Tally, sum_adds
from reputation.statistics.windows import MINUTE, WIDTHS
from reputation.subjects import network_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping

    from milter.atlas import Atlas
    from milter.core.connection import Connection, IpAddress
    from milter.core.transaction import Transaction
    from milter.memory.client import StoreClient
    from milter.message.document import Message
    from milter.pipeline.aftermath import Seen, TurnedAway
    from reputation.statistics.observation import Label
    from reputation.statistics.tally import Mark, Sketches, Sums
    from reputation.store import Store

# What a worker that is killed takes with it at most, and what an idle one costs.
SUMS_EVERY_S: Final = 10.0
# Merging takes some milliseconds, however little there is to merge. Nor has anybody to see at once
# what came in over hours and days.
SKETCHES_EVERY_S: Final = 20.0
_WIDER: Final = tuple(width for width in WIDTHS if width is not MINUTE)
_FINISH_S: Final = 3.0
# Clients whose place is kept; a stranger cannot make it grow.
_KEPT: Final = 8192

_SIZES: Final = (4096, 16_384, 65_536, 262_144, 1_048_576, 4_194_304, 16_777_216)
_SIZE_WORDS: Final = (*map(str, _SIZES), "more")
_UNKNOWN_COUNTRY: Final = "ZZ"
_MOST_DOMAINS: Final = 20
# Telling a language takes ten times what all the rest does. Where no rule asks for it anyway, so
# many messages a second are looked at: 40,000 a day of each worker tell shares well enough.
_LANGUAGES_A_SECOND: Final = 0.5
_LANGUAGES_AT_ONCE: Final = 20.0
_LANGUAGE_TEXT: Final = 300


class Statistics:
    """Counts messages; a consumer and a watcher of the aftermath, for one event loop.

    Args:
        store: Where they are counted.
        atlas: Tells networks and countries.
        cpu: CPU seconds that this process has used.
    """

    def __init__(self, store: StoreClient, atlas: Atlas, cpu: Callable[[], float]) -> None:
        self._store = store
        self._atlas = atlas
        self._cpu = cpu
        self._cpu_counted = cpu()
        self._tally = Tally()
        # Written into minutes, and not yet into what is wider.
        self._sums: list[Sums] = []
        # Filled here and emptied in the thread that writes, or after its job, never meanwhile.
        self._gathered: deque[Mapping[int, Sketches]] = deque()
        self._deposits = Deposits()
        self._sources: dict[tuple[int, int, str], _Source] = {}
        self._languages = _Allowance(_LANGUAGES_A_SECOND, _LANGUAGES_AT_ONCE)
        self._unread: list[_Unread] = []
        self._loading = False

    def see(self, seen: Seen) -> None:
        """Count one message."""
        txn, verdict = seen.txn, seen.verdict
        connection, size = txn.connection, len(txn.message)
        source = self._source(connection)
        unwanted = verdict.action is not Action.PASS
        text = _text(seen.message)
        language, script = _language(seen.message)
        if text and not language and not self._loading and self._languages.take(seen.at):
            self._unread.append(_Unread(seen.at, text[:_LANGUAGE_TEXT], size, unwanted))
        # In the order of their fields: by name it takes twice as long, of every message.
        profile = Profile(
            connection.direction,
            connection.listener,
            verdict.action.word,
            "message",
            verdict.kind,
            _SIZE_WORDS[bisect_left(_SIZES, size)],
            language,
            script,
            source.country,
            _hops(connection),
            _symbols(seen),
            tuple([(one.method, one.result) for one in seen.evidence.auth]),
        )
        sources = source.labels + _domains(txn)
        self._tally.count(Observation(seen.at, size, unwanted, 0, profile, sources, text))

    def see_turned_away(self, turned: TurnedAway) -> None:
        """Count a transaction that a policy refused before its data, and nothing of which came.

        Once, though it may have refused several recipients for several reasons.
        """
        connection, verdict = turned.connection, turned.verdict
        if verdict is None or turned.came or not turned.decisive or turned.stage == GREETING:
            return
        source = self._source(connection)
        profile = Profile(
            direction=connection.direction,
            listener=connection.listener,
            action=verdict.action.word,
            stage=turned.stage,
            kind=verdict.kind,
            country=source.country,
            hops=_hops(connection),
            symbols=tuple([one.symbol for one in verdict.contributions]),
        )
        self._tally.count(
            Observation(
                turned.at,
                0,
                unwanted=True,
                saved=turned.announced,
                profile=profile,
                sources=source.labels,
            )
        )

    def shadow_difference(self, policy: str, live: str, shadow: str) -> None:
        """Count a message that a shadow policy would have treated otherwise."""
        self._tally.mark(self._store.clock(), ("shadow", f"{policy}: {live} > {shadow}"))

    async def tend(self) -> None:
        """Put what was counted into the store, again and again; run it as a task."""
        # The models take most of a second: neither the start nor a message shall wait for them.
        self._loading = True
        await asyncio.to_thread(warm_up, languages=True)
        self._loading = False
        merged_after_s = 0.0
        while True:
            await asyncio.sleep(SUMS_EVERY_S)
            self.flush()
            merged_after_s += SUMS_EVERY_S
            if merged_after_s >= SKETCHES_EVERY_S:
                merged_after_s = 0.0
                await self.settle()

    def flush(self) -> None:
        """Write what was counted exactly into its minutes, soon."""
        if self._tally.is_empty:
            return
        used = self._cpu()
        self._tally.spent(self._store.clock(), int((used - self._cpu_counted) * 1e6))
        self._cpu_counted = used
        unread, self._unread = self._unread, []
        sums = self._tally.take_sums(lambda: _languages(unread))
        self._sums.append(sums)
        # Neither is work for the event loop; and the model of languages is large, so that one text
        # right after the other costs far less than each at its time.
        self._store.write(lambda _store: sum_adds([sums], [MINUTE]))

    async def settle(self) -> None:
        """Write sums into hours and days, and merge the sketches; what cannot be now waits."""
        if self._sums:
            sums, self._sums = self._sums, []
            self._store.write(lambda _store: sum_adds(sums, _WIDER))
        if gathered := self._tally.take_sketches():
            self._gathered.append(gathered)
        elif not self._deposits.waiting:
            return
        now = self._store.clock()

        def job(store: Store) -> None:
            # It may be called again, on a store that was opened anew.
            self._merge()
            self._deposits.settle(store, now)

        try:
            await self._store.run("replace", job)
        except StoreError as err:
            self._store.failed(err)
            # Where no store could be opened the job never ran; what is merged is bounded.
            await asyncio.to_thread(self._merge)

    def _merge(self) -> None:
        while self._gathered:
            self._deposits.add(self._gathered.popleft())

    async def finish(self) -> None:
        """Put all that was counted into the store; at the end of a worker."""
        self.flush()
        with suppress(TimeoutError):
            async with asyncio.timeout(_FINISH_S):
                await self.settle()
        self._atlas.close()

    def _source(self, connection: Connection) -> _Source:
        client = connection.client_ip
        # Mail that goes out comes from our own users, who are no source of what comes in.
        if client is None or connection.direction is Direction.OUTBOUND:
            return _NO_SOURCE
        # An address takes long to hash. A small number may be one of either family.
        key = (int(client), client.version, connection.listener)
        known = self._sources.get(key)
        if known is None:
            if len(self._sources) >= _KEPT:
                self._sources.clear()
            known = self._sources[key] = self._look_up(client, connection.listener)
        return known

    def _look_up(self, client: IpAddress, listener: str) -> _Source:
        place = self._atlas.place(client)
        labels = [("block", network_of(client))]
        if place.asn:
            labels.append(("network", f"AS{place.asn} {place.network}".rstrip()))
            labels.append(("network_route", f"AS{place.asn} > {listener}"))
        return _Source(place.country or _UNKNOWN_COUNTRY, tuple(labels))


class _Source(NamedTuple):
    """What of a client is counted."""

    country: str = ""
    labels: tuple[Label, ...] = ()


_NO_SOURCE: Final = _Source()


class _Unread(NamedTuple):
    """A message whose language is still to be told."""

    at: float
    text: str
    size: int
    unwanted: bool


class _Allowance:
    """So many a second, and some at once after a while of rest."""

    def __init__(self, a_second: float, at_once: float) -> None:
        self._a_second = a_second
        self._at_once = at_once
        self._left = at_once
        self._at = 0.0
        self._next_at = 0.0

    def take(self, at: float) -> bool:
        """Return whether there is one left at `at`, and take it."""
        # Not before the last one: a clock that was ahead and was put right freezes nothing.
        if self._at <= at < self._next_at:
            return False
        grown = self._left + max(0.0, at - self._at) * self._a_second
        self._left, self._at = min(self._at_once, grown), at
        if self._left < 1.0:
            # Asked of each message, and as a rule in vain.
            self._next_at = at + (1.0 - self._left) / self._a_second
            return False
        self._left -= 1.0
        return True


def _language(message: Message) -> tuple[str, str]:
    """Return language and script; both empty where no rule asked for them."""
    # The fact of that name would have all facts worked out that nobody reads.
    if not message.has_languages_told or not message.languages:
        return "", ""
    first = message.languages[0]
    return first.language or "und", first.script


def _languages(unread: Iterable[_Unread]) -> Iterator[Mark]:
    """Give what is counted of messages that are looked at for nothing but their language."""
    for one in unread:
        guess = language_of(one.text)
        amounts = (1, one.size, int(one.unwanted), 0)
        yield one.at, ("language", guess.language or "und"), amounts
        yield one.at, ("script", guess.script or "none"), amounts


def _text(message: Message) -> str:
    """Return the beginning of subject and texts, where they were read anyway."""
    if not message.has_texts_read:
        return ""
    text = message.subject
    for one in message.body_texts:
        if len(text) >= READ:
            break
        text += "\n" + one[:READ]
    return text[:READ]


def _hops(connection: Connection) -> str:
    if connection.direction is Direction.OUTBOUND:
        return ""
    return str(len(connection.relays)) if connection.relays else "0"


def _domains(txn: Transaction) -> tuple[Label, ...]:
    recipients = txn.recipients
    if len(recipients) == 1:
        return (_domain(recipients[0].domain),)
    return tuple(dict.fromkeys([_domain(one.domain) for one in recipients[:_MOST_DOMAINS]]))


@lru_cache(maxsize=_KEPT)
def _domain(domain: str) -> Label:
    return "recipient_domain", domain_key(domain)


def _symbols(seen: Seen) -> tuple[str, ...]:
    found = [finding.symbol for finding in seen.evidence.findings]
    if seen.verdict.found:
        found += [finding.symbol for finding in seen.verdict.found]
    return tuple(found)
