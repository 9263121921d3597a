"""What is remembered of whom a message comes from, and whether it answers one of ours.

Only what somebody vouched for can be trusted; what is bad counts for every name that the message
bears. Unknown is neither.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from milter.checks import known_looks, origins
from milter.checks.base import RECEIVED, Evidence
from milter.core.transaction import Stage
from policies.findings import Finding
from reputation import correspondents, standing
from reputation.errors import StoreError
from reputation.subjects import NEARBY, PROVEN

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from milter.core.transaction import Transaction
    from milter.dns.resolver import Resolver
    from milter.memory.recollection import Recollection
    from milter.message.document import Message
    from policies.facts import FactValue
    from reputation.correspondents import Answer
    from reputation.standing import Standing
    from reputation.store import Store
    from reputation.subjects import Subject

_MOST_RECIPIENTS: Final = 50


class ReputationCheck:
    """Standing of all subjects, and known correspondents.

    Args:
        memory: Where all that is remembered.
    """

    name = "reputation"
    stage = Stage.MESSAGE
    directions = RECEIVED
    symbols = frozenset(
        {
            *("REPUTATION_GOOD", "REPUTATION_BAD", "REPUTATION_BAD_NEARBY", "REPUTATION_UNKNOWN"),
            *("KNOWN_CORRESPONDENT", "ANSWER_TO_OURS", "SPAMTRAP", "REPUTATION_TEMPERROR"),
            *known_looks.SYMBOLS,
        }
    )
    asks = False
    reads = frozenset({"spf", "dkim", "dmarc", "urls"})

    def __init__(self, memory: Recollection) -> None:
        self._memory = memory

    async def combine(
        self, txn: Transaction, message: Message, resolver: Resolver, known: Sequence[Evidence]
    ) -> Evidence:
        """Return the symbols and the fact reputation; temperror where the store does not answer."""
        places = self._memory.places(txn.connection.client_ip)
        subjects = origins.subjects(txn, message, known) + places
        author = origins.proven_author(message, known)
        named = origins.named_messages(message)
        ours = [one.plain for one in txn.recipients[:_MOST_RECIPIENTS]]
        now = self._memory.store.clock()

        def ask(store: Store) -> tuple[dict[Subject, Standing], Answer, tuple[Finding, ...]]:
            secret = self._memory.secret(store)
            answer = correspondents.look_up(store, author, ours, named, now)
            is_known = bool(answer.written_to)
            looks = tuple(known_looks.look(store, txn, message, is_known=is_known, now=now))
            return standing.standings(store, subjects, secret, now), answer, looks

        trapped = self._trapped(txn)
        try:
            standings, answer, looks = await self._memory.store.ask("faded", ask)
        except StoreError as err:
            return Evidence((*trapped, Finding("REPUTATION_TEMPERROR", err.what)))
        findings = (*trapped, *_of_standings(standings), *_of_answer(answer, author), *looks)
        return Evidence(findings, {"reputation": _fact(standings)})

    def _trapped(self, txn: Transaction) -> tuple[Finding, ...]:
        traps = [one.plain for one in txn.recipients if one.plain.lower() in self._memory.traps]
        return (Finding("SPAMTRAP", ", ".join(traps[:3])),) if traps else ()


def _of_standings(standings: Mapping[Subject, Standing]) -> Iterator[Finding]:
    bad = {subject: one for subject, one in standings.items() if one.bad}
    own = [subject for subject in bad if subject.kind not in NEARBY]
    nearby = [subject for subject in bad if subject.kind in NEARBY]
    proven = [subject for subject in standings if subject.kind in PROVEN]
    trusted = [subject for subject in proven if standings[subject].trusted]
    if own:
        yield _finding("REPUTATION_BAD", own, standings)
    if nearby:
        yield _finding("REPUTATION_BAD_NEARBY", nearby, standings)
    # One identity of a message that is bad takes away what the others earned.
    if trusted and not own:
        yield _finding("REPUTATION_GOOD", trusted, standings)
    if not any(standings[subject].known for subject in proven):
        yield Finding("REPUTATION_UNKNOWN", ", ".join(map(str, proven)) or "nobody vouches for it")


def _of_answer(answer: Answer, author: str) -> Iterator[Finding]:
    if answer.written_to:
        yield Finding("KNOWN_CORRESPONDENT", f"{answer.written_to[0]} wrote to {author}")
    if answer.answers:
        yield Finding("ANSWER_TO_OURS", f"names a message of {answer.answers[0]}")


def _finding(
    symbol: str, subjects: Sequence[Subject], standings: Mapping[Subject, Standing]
) -> Finding:
    most = max(subjects, key=lambda one: (abs(standings[one].score), standings[one].confidence))
    found = standings[most]
    evidence = (
        f"{most}: score {found.score:+.2f}, confidence {found.confidence:.2f},"
        f" {found.count:.0f} messages"
    )
    return Finding(symbol, evidence, {"name": most.name[:100]})


def _fact(standings: Mapping[Subject, Standing]) -> list[FactValue]:
    return [
        {
            "subject": subject.kind.value,
            "name": subject.name,
            "score": round(found.score, 4),
            "confidence": round(found.confidence, 4),
            "count": round(found.count, 2),
        }
        for subject, found in standings.items()
        if found.known
    ]
