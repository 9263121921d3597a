"""Asks DNS lists: all questions of a stage at once, of those lists that are asked and believed."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Final, NamedTuple

from milter.auth.story import hiding
from milter.checks.base import NOTHING, Evidence
from milter.checks.dnslists.answers import findings_of, outcome_of, said
from milter.checks.dnslists.questions import query_name
from milter.checks.networks import LOCAL

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

    from milter.checks.base import ListAnswer
    from milter.checks.dnslists.health import ListHealth
    from milter.checks.dnslists.questions import Subject
    from milter.dns.resolver import Answer, Resolver
    from policies.dnslists import Asks, DnsList
    from policies.ranges import AddressRanges

# What every list may yield beside its own symbols.
COMMON_SYMBOLS: Final = frozenset({"DNS_LIST_UNKNOWN", "DNS_LIST_ERROR", "DNS_LIST_TEMPERROR"})


def observe_nothing(zone: str, outcome: str, seconds: float) -> None:
    """Count nothing."""


class _Question(NamedTuple):
    dns_list: DnsList
    ask: Asks
    subject: Subject
    name: str
    first: bool


class _Told(NamedTuple):
    dns_list: DnsList
    answer: ListAnswer
    outcome: str


class ListAsker:
    """Asks the lists of one configuration.

    Args:
        lists: All of them.
        health: Says whom to ask and whom to believe, and is told every answer; None: everybody.
        observe: Told zone, outcome and seconds of every question.
        clock: Seconds, never going back.
        never_ask: Addresses that no list is asked about.
    """

    __slots__ = ("_clock", "_health", "_observe", "lists", "never_ask")

    def __init__(
        self,
        lists: Sequence[DnsList],
        clock: Callable[[], float],
        health: ListHealth | None = None,
        observe: Callable[[str, str, float], None] = observe_nothing,
        never_ask: AddressRanges = LOCAL,
    ) -> None:
        self.never_ask = never_ask
        self.lists = tuple(lists)
        self._health = health
        self._observe = observe
        self._clock = clock

    def asks(self, wanted: frozenset[Asks]) -> frozenset[Asks]:
        """Return those of `wanted` that some list is asked about."""
        return frozenset(ask for one in self.lists for ask in one.asks if ask in wanted)

    def awake(self, wanted: frozenset[Asks]) -> frozenset[Asks]:
        """Return those of `wanted` that a list is asked about which is not set aside now."""
        if self._health is None:
            return wanted
        asked = [one for one in self.lists if self._health.is_asked(one)]
        return frozenset(ask for one in asked for ask in one.asks if ask in wanted)

    def algorithms(self, ask: Asks) -> frozenset[str]:
        """Return how what is meant by `ask` is hashed, over all lists that are asked about it."""
        return frozenset(
            one.hashed.algorithm for one in self.lists if one.hashed and ask in one.asks
        )

    def symbols(self, wanted: frozenset[Asks]) -> frozenset[str]:
        """Return what the lists that are asked about one of `wanted` can yield."""
        symbols = [one.symbols for one in self.lists if wanted.intersection(one.asks)]
        return COMMON_SYMBOLS.union(*symbols) if symbols else frozenset()

    async def ask(self, subjects: Mapping[Asks, Sequence[Subject]], resolver: Resolver) -> Evidence:
        """Return what the lists say of `subjects`; none is waited for before the next is asked."""
        questions = list(self._questions(subjects))
        if not questions:
            return NOTHING
        if len(questions) == 1:
            answers = [await self._answer(questions[0], resolver)]
        else:
            answers = await asyncio.gather(*[self._answer(q, resolver) for q in questions])
        believed = [each for each in answers if each is not None]
        findings = [finding for each in believed for finding in findings_of(*each)]
        return Evidence(tuple(findings), answers=tuple([answer for _, answer, _ in believed]))

    def _questions(self, subjects: Mapping[Asks, Sequence[Subject]]) -> Iterator[_Question]:
        for dns_list in self.lists:
            seen: set[str] = set()
            for ask in dns_list.asks:
                for subject in subjects.get(ask, ())[: dns_list.most]:
                    if subject.ipv6 and not dns_list.ipv6:
                        continue
                    name = query_name(dns_list, subject)
                    # One domain may stand in several places of a message: one question for all.
                    if name is None or name in seen or not self._may_ask(dns_list):
                        continue
                    yield _Question(dns_list, ask, subject, name, first=not seen)
                    seen.add(name)

    def _may_ask(self, dns_list: DnsList) -> bool:
        return self._health is None or self._health.may_ask(dns_list)

    async def _answer(self, question: _Question, resolver: Resolver) -> _Told | None:
        started = self._clock()
        asked = hiding(resolver, question.dns_list.key)
        answer = await asked.resolve(question.name, "A")
        if answer.stale:
            # It stands in where the new one is long in coming; to a list it is none, and the new
            # one may be a moment away. Where nobody answers, this is told at once.
            answer = await asked.resolve(question.name, "A")
        return self._judge(question, answer, self._clock() - started)

    def _judge(self, question: _Question, answer: Answer, seconds: float) -> _Told | None:
        """Return what the list said; None where it is not believed."""
        dns_list, subject = question.dns_list, question.subject
        told = said(dns_list, question.ask.value, subject.text, answer)
        outcome = outcome_of(dns_list, told)
        self._observe(dns_list.zone, outcome, seconds)
        if self._health is not None:
            ask, first = question.ask, question.first
            self._health.told(dns_list, ask, subject.text, outcome, first=first)
            if not self._health.believes(dns_list):
                return None
        return _Told(dns_list, told, outcome)
