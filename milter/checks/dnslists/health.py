"""Whether a DNS list can be believed now.

Lists die, are parked, refuse whom they do not know, or answer "listed" for everything; what they
say then must not reach a verdict. A list is set aside when

* it fails its test points (RFC 5782 §5), which are asked at the start and every ten minutes (less
  often where it may be asked little),
* it lists nearly all of the last different subjects (`DnsList.most_hits`), one of each message at
  most: such a list lists the world, whatever its test points say,
* it refuses, or does not answer, several times in a row, each time about another subject: what is
  asked at once or from the cache is one question, however many messages of one client wait for it,
* its questions of the day are used up.

Nor is it asked before its test points were. They are asked at once, and not in ten minutes, where a
list says "listed" of several different subjects in a row: that may be the beginning of the world. A
list that is set aside is tried again after half a minute, a minute, two, up to an hour; it comes
back by itself. One that listed the world comes back on trial: it is asked, and not believed before
it has shown that it tells subjects apart. One object for a process; time is given to it.

What a sender may write as it likes shows nothing of the world: whoever knows fifty listed domains
could switch a list off with them. It is a reason to ask the test points, no more. Nor do the many
addresses of one network: whoever has a listed /24, or an IPv6 /48, comes from all of it.
"""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import dataclass, field
from enum import StrEnum
from ipaddress import IPv4Address, ip_address
from math import inf
from typing import TYPE_CHECKING, Final

from policies.dnslists import UNFORGED, Asks

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from policies.dnslists import DnsList

PROBE_EVERY_S: Final = 600.0
FIRST_RETRY_S: Final = 30.0
LAST_RETRY_S: Final = 3600.0
# About as many questions as a probe asks, and the share of a list's questions of the day that go
# to probes at most: a list that may be asked little is probed more seldom.
PROBE_QUESTIONS: Final = 3
_PROBE_SHARE: Final = 0.1
# Different subjects that are looked at together.
WINDOW: Final = 50
# So many of them show a list on trial to be a list again.
TRIAL: Final = 20
# So many listings in a row are reason to look at the test points, this often at most.
SUSPECT: Final = 4
SUSPECT_EVERY_S: Final = 30.0
REFUSALS_IN_A_ROW: Final = 3
FAILURES_IN_A_ROW: Final = 5
_DAY_S: Final = 86_400
_ADDRESSES: Final = frozenset({Asks.CLIENT_IP, Asks.RECEIVED_IP, Asks.URL_IP})
# What one customer is commonly given: a block of 256, or all networks of a site (RFC 6177 §2).
_IPV4_HOST_BITS: Final = 8
_IPV6_HOST_BITS: Final = 80


class State(StrEnum):
    """What is done with a list; it is asked while it is up or on trial, and believed while up."""

    NEW = "new"
    UP = "up"
    TRIAL = "trial"
    ASIDE = "aside"
    SPENT = "spent"


_ASKED: Final = frozenset({State.UP, State.TRIAL})


@dataclass(frozen=True, slots=True)
class Report:
    """One list as it stands.

    Attributes:
        zone: Its public name.
        effect: block or allow.
        state: What is done with it.
        reason: Why it is not simply used, in words; empty when it is.
        since: Seconds since 1970 of the last change; 0 before the first one.
        retry_s: Seconds until it is tried again; 0 where it is used.
        asked: Questions of this process today (UTC), those for test points included.
        a_day: How many there may be, over all processes; 0: any number.
    """

    zone: str
    effect: str
    state: State
    reason: str = ""
    since: float = 0.0
    retry_s: float = 0.0
    asked: int = 0
    a_day: int = 0


@dataclass(slots=True)
class _Record:
    """What is known of one list."""

    dns_list: DnsList
    state: State
    reason: str = ""
    since: float = 0.0
    # The first probe is due at once.
    due_at: float = 0.0
    pause_s: float = 0.0
    back_at: float = -inf
    world: bool = False
    probed_at: float = -inf
    run: int = 0
    # What it was last asked about without an answer, and what it refused to say.
    failures: set[str] = field(default_factory=set)
    refusals: set[str] = field(default_factory=set)
    # The last subjects, a network being one, and those of them that no sender can choose with
    # whether they were listed.
    seen: OrderedDict[str, None] = field(default_factory=OrderedDict)
    hits: OrderedDict[str, bool] = field(default_factory=OrderedDict)
    day: int = 0
    asked: int = 0
    others: int = 0

    @property
    def every_s(self) -> float:
        """Seconds between two probes of a list that is well."""
        a_day = self.dns_list.a_day
        least_s = _DAY_S * PROBE_QUESTIONS / (a_day * _PROBE_SHARE) if a_day else 0.0
        return max(PROBE_EVERY_S, least_s)


class ListHealth:
    """The health of the lists of one process.

    Args:
        lists: All of them; those of one zone and key share their health.
        clock: Seconds, never going back.
        wall: Seconds since 1970.
        changed: Told of each list that is set aside or taken back.
        probing: Whether somebody asks the test points; else all are believed from the start.
    """

    def __init__(
        self,
        lists: Sequence[DnsList],
        clock: Callable[[], float],
        wall: Callable[[], float],
        changed: Callable[[Report], None] | None = None,
        *,
        probing: bool = True,
    ) -> None:
        self._clock = clock
        self._wall = wall
        self._changed = changed
        self._records: dict[str, _Record] = {}
        for dns_list in lists:
            record = _Record(
                dns_list,
                State.NEW if probing else State.UP,
                due_at=clock(),
                day=int(wall() // _DAY_S),
            )
            self._records.setdefault(dns_list.query_zone, record)

    def may_ask(self, dns_list: DnsList) -> bool:
        """Return whether a question may go to `dns_list`, and count it if it may.

        Counted before any cache, so that what a list itself counts is never more.
        """
        record = self._today(self._records[dns_list.query_zone])
        if record.state not in _ASKED:
            return False
        if dns_list.a_day and record.asked + record.others >= dns_list.a_day:
            self._spend(record)
            return False
        record.asked += 1
        return True

    def is_asked(self, dns_list: DnsList) -> bool:
        """Return whether `dns_list` is asked; one that is spent until midnight finds out itself."""
        return self._records[dns_list.query_zone].state not in {State.NEW, State.ASIDE}

    def believes(self, dns_list: DnsList) -> bool:
        """Return whether what `dns_list` says counts."""
        return self._records[dns_list.query_zone].state is State.UP

    def told(
        self, dns_list: DnsList, ask: Asks, subject: str, outcome: str, *, first: bool = True
    ) -> None:
        """Take note of an answer.

        Args:
            dns_list: The list that was asked.
            ask: What `subject` is.
            subject: What it was asked about.
            outcome: listed, unknown, not_listed, error or temperror.
            first: Whether it was the first question to the list at this stage of a message; one
                message must not stand for the world.
        """
        record = self._records[dns_list.query_zone]
        if record.state not in _ASKED:
            return
        if outcome == "error":
            record.refusals.add(subject)
            if (number := len(record.refusals)) >= REFUSALS_IN_A_ROW:
                self._set_aside(record, f"it refused {number} questions in a row")
        elif outcome == "temperror":
            record.failures.add(subject)
            if (number := len(record.failures)) >= FAILURES_IN_A_ROW:
                self._set_aside(record, f"{number} questions in a row had no answer")
        else:
            record.failures.clear()
            record.refusals.clear()
            if first:
                hit = outcome == "listed" if dns_list.graded else outcome != "not_listed"
                owned = _network(subject) if ask in _ADDRESSES else subject
                self._suspect(record, owned, hit=hit)
                # Without a test point nothing else would show that it lists the world.
                if ask in UNFORGED or not dns_list.points.not_listed:
                    self._count_hit(record, owned, hit=hit)

    def due(self) -> list[DnsList]:
        """Return the lists whose test points are to be asked now; each is given out once."""
        now, due = self._clock(), []
        for record in map(self._today, self._records.values()):
            if record.due_at <= now and record.state is not State.SPENT:
                record.due_at, record.probed_at, record.run = now + record.every_s, now, 0
                record.asked += PROBE_QUESTIONS
                due.append(record.dns_list)
        return due

    def probed(self, dns_list: DnsList, trouble: str) -> None:
        """Take note of how the test points of `dns_list` were answered; empty `trouble` is well."""
        record = self._records[dns_list.query_zone]
        if record.state is State.SPENT:
            return
        if trouble:
            self._set_aside(record, trouble)
        elif record.state not in _ASKED:
            self._take_back(record)

    def count_others(self, asked: Mapping[str, int]) -> None:
        """Take note of how often other processes asked each zone today."""
        for record in map(self._today, self._records.values()):
            record.others = asked.get(record.dns_list.zone, 0)

    def reports(self) -> list[Report]:
        """Return every list as it stands, in the order of the policy."""
        return [self._report(self._today(record)) for record in self._records.values()]

    def _count_hit(self, record: _Record, subject: str, *, hit: bool) -> None:
        hits = record.hits
        hits.pop(subject, None)
        hits[subject] = hit
        if len(hits) > WINDOW:
            hits.popitem(last=False)
        listed = sum(hits.values())
        most = record.dns_list.most_hits * len(hits)
        if len(hits) >= WINDOW and listed * 100 > most:
            record.world = True
            self._set_aside(record, f"it listed {listed} of the last {len(hits)} subjects")
        elif record.state is State.TRIAL and len(hits) >= TRIAL:
            if listed * 100 <= most:
                record.world = False
                self._become(record, State.UP, "")
            elif listed == len(hits):
                self._set_aside(record, f"it still listed all of {listed} subjects")

    def _suspect(self, record: _Record, subject: str, *, hit: bool) -> None:
        """Have the test points asked soon where one new subject after the other is listed."""
        new = subject not in record.seen
        record.seen[subject] = None
        record.seen.move_to_end(subject)
        if len(record.seen) > WINDOW:
            record.seen.popitem(last=False)
        if not new:
            return
        record.run = record.run + 1 if hit else 0
        if record.run >= SUSPECT:
            pause_s = record.every_s * SUSPECT_EVERY_S / PROBE_EVERY_S
            soon = max(self._clock(), record.probed_at + pause_s)
            record.due_at = min(record.due_at, soon)

    def _set_aside(self, record: _Record, reason: str) -> None:
        now = self._clock()
        # A list that comes and goes is left alone for longer each time.
        again = record.state is State.ASIDE or now - record.back_at < 2 * record.pause_s
        record.pause_s = min(record.pause_s * 2, LAST_RETRY_S) if again else FIRST_RETRY_S
        record.pause_s = max(record.pause_s, FIRST_RETRY_S)
        record.due_at = now + record.pause_s
        self._become(record, State.ASIDE, reason)

    def _take_back(self, record: _Record) -> None:
        record.back_at = self._clock()
        record.due_at = record.back_at + record.every_s
        state = State.TRIAL if record.world else State.UP
        self._become(record, state, record.reason if record.world else "")

    def _spend(self, record: _Record) -> None:
        a_day = record.dns_list.a_day
        self._become(record, State.SPENT, f"its {a_day} questions of the day are asked")

    def _today(self, record: _Record) -> _Record:
        """Return `record`, its questions counted anew where the day has changed."""
        today = int(self._wall() // _DAY_S)
        if record.day != today:
            record.day, record.asked, record.others = today, 0, 0
            if record.state is State.SPENT:
                # Nobody has looked at it meanwhile; what it was on trial for, it still is.
                record.due_at = self._clock()
                if record.world:
                    self._become(record, State.TRIAL, "it listed the world")
                else:
                    self._become(record, State.UP, "")
        return record

    def _become(self, record: _Record, state: State, reason: str) -> None:
        different = (state, reason) != (record.state, record.reason)
        moved = state is not record.state
        record.state, record.reason = state, reason
        if moved:
            record.since = self._wall()
            record.failures.clear()
            record.refusals.clear()
            record.seen.clear()
            record.hits.clear()
        if different and self._changed is not None:
            self._changed(self._report(record))

    def _report(self, record: _Record) -> Report:
        waits = record.state is State.ASIDE
        return Report(
            zone=record.dns_list.zone,
            effect=record.dns_list.effect,
            state=record.state,
            reason=record.reason,
            since=record.since,
            retry_s=max(0.0, record.due_at - self._clock()) if waits else 0.0,
            asked=record.asked,
            a_day=record.dns_list.a_day,
        )


def _network(address: str) -> str:
    """Return what stands for all addresses that the owner of `address` commonly has."""
    ip = ip_address(address)
    bits = _IPV4_HOST_BITS if isinstance(ip, IPv4Address) else _IPV6_HOST_BITS
    return f"{ip.version}:{int(ip) >> bits:x}"
