"""What a check is, and what it is given.

A check looks at one aspect of a transaction and says what it saw: findings, facts, authentication
results. It knows no weights, no replies and no policy, and runs at one stage. It keeps no state
between messages; a memory of answers is given to it. To add one: write one file like those beside
this one, put its symbols into `policies/symbols.yaml`, and name the class in `catalogue.py`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, NamedTuple, Protocol

from milter.core.connection import Direction

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from milter.auth.results import AuthResult
    from milter.auth.story import Story
    from milter.core.transaction import Stage, Transaction
    from milter.dns.resolver import Resolver
    from milter.message.document import Message
    from policies.facts import FactValue
    from policies.findings import Finding


class ListAnswer(NamedTuple):
    """What a DNS list answered to one question.

    Attributes:
        zone: Its public name.
        asks: What kind of thing it was asked about; a word of `policies.dnslists.Asks`.
        subject: What exactly.
        records: The addresses of its answer; none: not listed.
        trouble: How the question ended where there is no answer; empty as a rule.
    """

    zone: str
    asks: str
    subject: str
    records: tuple[str, ...] = ()
    trouble: str = ""


_NO_FACTS: Final[Mapping[str, FactValue]] = {}


class Evidence(NamedTuple):
    """What one check saw. A tuple and no dataclass: every check makes one for every message.

    Attributes:
        findings: Symbols with their evidence.
        facts: By their names in `policies.facts.FACTS`.
        auth: Results for `Authentication-Results`, in the order in which they shall stand.
        stories: How the checks came to all that; only where a pipeline was asked to explain.
        answers: What DNS lists answered that were believed, "not listed" included.
        spared: Names of checks that were not run, for the message was decided.
    """

    findings: tuple[Finding, ...] = ()
    facts: Mapping[str, FactValue] = _NO_FACTS
    auth: tuple[AuthResult, ...] = ()
    stories: tuple[Story, ...] = ()
    answers: tuple[ListAnswer, ...] = ()
    spared: tuple[str, ...] = ()


NOTHING: Final = Evidence()

# The three sets of directions that checks run for. What is asked about the client itself says
# nothing of clients that are our own.
STRANGERS: Final = frozenset({Direction.INBOUND})
RECEIVED: Final = frozenset({Direction.INBOUND, Direction.INTERNAL})
EVERY_DIRECTION: Final = frozenset(Direction)


class Look(Protocol):
    """A check that works on what is there: pure CPU, no waiting."""

    name: str
    stage: Stage
    directions: frozenset[Direction]
    symbols: frozenset[str]

    def look(self, txn: Transaction, message: Message | None) -> Evidence:
        """Return what is seen; `message` is there at stage MESSAGE."""
        ...


class Ask(Protocol):
    """A check that asks the network. Its deadline comes from the runner, which cancels it.

    One that has `until_decided = True` does not run where the message is refused for good anyway.
    """

    name: str
    stage: Stage
    directions: frozenset[Direction]
    symbols: frozenset[str]

    async def ask(self, txn: Transaction, message: Message | None, resolver: Resolver) -> Evidence:
        """Return what was answered; `message` is there at stage MESSAGE."""
        ...


class Combine(Protocol):
    """A check that judges what others saw: it runs once all of them have answered.

    Checks that combine run one after the other, in the order of the catalogue; each is given what
    those before it said as well. `asks` tells whether it asks the network too, and `reads` names
    the facts that it judges by: where it runs, the checks that yield them run.
    """

    name: str
    stage: Stage
    directions: frozenset[Direction]
    symbols: frozenset[str]
    asks: bool
    reads: frozenset[str]

    async def combine(
        self, txn: Transaction, message: Message, resolver: Resolver, known: Sequence[Evidence]
    ) -> Evidence:
        """Return what follows from `known`: all evidence of all stages, in its order."""
        ...


Check = Look | Ask | Combine


def fact(known: Sequence[Evidence], name: str) -> FactValue | None:
    """Return the fact `name` as the last check that knows it says; None where none does."""
    for piece in reversed(known):
        if name in piece.facts:
            return piece.facts[name]
    return None
