"""What memory learns of a message after its reply: standing, greylisting, correspondents.

Judged by what spoke against it apart from memory itself: a standing that fed on its own points
would never change again.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from milter.checks import known_looks, origins
from milter.checks.greylist import SYMBOLS, attempt_of
from milter.checks.reputation import ReputationCheck
from milter.core.connection import Direction
from policies.verdict import Action
from reputation import bounces, correspondents
from reputation.greylist import secret_of
from reputation.standing import Observation, fades

if TYPE_CHECKING:
    from collections.abc import Sequence

    from milter.memory.recollection import Recollection
    from milter.pipeline.aftermath import Consumer, Seen
    from policies.verdict import Verdict
    from reputation.store import Put, Store

# The symbols that memory itself adds.
OF_MEMORY: Final = frozenset({*ReputationCheck.symbols, *SYMBOLS.values(), "GREYLIST_TEMPERROR"})
_STATES: Final = {symbol: state for state, symbol in SYMBOLS.items()}
# A message to a trap can be nothing but spam.
_TRAPPED: Final = 5.0
_MARKED: Final = 0.5
_SURE: Final = 1.6


class StandingKeeper:
    """Moves the standing of whom a message came from."""

    def __init__(self, memory: Recollection) -> None:
        self._memory = memory

    def see(self, seen: Seen) -> None:
        """Take one message from outside."""
        if seen.txn.connection.direction is Direction.OUTBOUND:
            return
        good, bad = worth(seen)
        if not (good or bad):
            return
        memory, client = self._memory, seen.txn.connection.client_ip
        subjects = origins.subjects(seen.txn, seen.message, (seen.evidence,))
        observation = Observation(seen.at, subjects + memory.places(client), good, bad)
        memory.store.write(lambda store: list(fades(observation, memory.secret(store))))


class GreylistKeeper:
    """Notes who was made to wait, and who came back."""

    def __init__(self, memory: Recollection) -> None:
        self._memory = memory

    def see(self, seen: Seen) -> None:
        """Take one message that has a symbol of greylisting."""
        symbols = {finding.symbol for finding in seen.evidence.findings}
        state = next((_STATES[one] for one in sorted(symbols & _STATES.keys())), None)
        attempt = attempt_of(seen.txn, (seen.evidence,)) if state else None
        if state is None or attempt is None:
            return
        times = self._memory.greylist

        at = seen.at
        if seen.delivered:
            self._memory.store.write(
                lambda store: list(times.accepted(attempt, secret_of(store), state, at))
            )
        elif seen.verdict.action is Action.DEFER:
            self._memory.store.write(
                lambda store: list(times.deferred(attempt, secret_of(store), state, at))
            )


class CorrespondentsKeeper:
    """Notes whom our users write to."""

    def __init__(self, memory: Recollection) -> None:
        self._memory = memory

    def see(self, seen: Seen) -> None:
        """Take one message of ours that went out unmarked."""
        txn = seen.txn
        ours = txn.connection.direction is Direction.OUTBOUND and txn.mail_from is not None
        if not ours or not seen.delivered or seen.verdict.action is not Action.PASS:
            return
        sender = txn.mail_from.plain if txn.mail_from else ""
        recipients = [one.plain for one in txn.recipients]
        message_id, at = origins.own_id(seen.message), seen.at
        count, home = len(recipients), txn.mail_from.domain_key if txn.mail_from else ""
        looks, people = (
            known_looks.domains_written_to(txn),
            known_looks.people_written_to(seen.message),
        )

        def writes(store: Store) -> list[Put]:
            secret = correspondents.secret_of(store)
            return [
                *correspondents.sent(secret, sender, recipients, message_id, at),
                *correspondents.traced(secret, home, count, looks, at),
                *correspondents.traced(secret, sender, count, people, at),
            ]

        self._memory.store.write(writes)


class SentKeeper:
    """Notes what our users sent, whatever was thought of it: it may come back as a bounce."""

    def __init__(self, memory: Recollection) -> None:
        self._memory = memory

    def see(self, seen: Seen) -> None:
        """Take one message of ours that went out."""
        txn = seen.txn
        ours = txn.connection.direction is Direction.OUTBOUND
        if not ours or txn.mail_from is None or not seen.delivered:
            return
        sender, at = txn.mail_from.plain, seen.at
        names = [name for name in (origins.own_id(seen.message), str(txn.txn_id)) if name]
        self._memory.store.write(
            lambda store: list(bounces.sent(bounces.secret_of(store), sender, names, at))
        )


def keepers(memory: Recollection) -> Sequence[Consumer]:
    """Return all that memory learns by."""
    return (
        StandingKeeper(memory),
        GreylistKeeper(memory),
        CorrespondentsKeeper(memory),
        SentKeeper(memory),
    )


def worth(seen: Seen) -> tuple[float, float]:
    """Return how much a message speaks for whom it came from, and how much against."""
    if any(finding.symbol == "SPAMTRAP" for finding in seen.evidence.findings):
        return 0.0, _TRAPPED
    verdict = seen.verdict
    base = _score_apart_from_memory(verdict)
    if not verdict.required or base < verdict.required:
        # What a rule refused, for its attachments say, is neither spam nor wanted.
        return (1.0 if seen.delivered else 0.0), 0.0
    return 0.0, 1.0 if base >= _SURE * verdict.required else _MARKED


def _score_apart_from_memory(verdict: Verdict) -> float:
    own = sum(one.counted for one in verdict.contributions if one.symbol in OF_MEMORY)
    return verdict.score - own
