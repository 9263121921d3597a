"""Greylisting (RFC 6647): who comes back after a while is a mail server.

What is remembered changes only after the reply (`seen`); a question changes nothing. So only mail
that was in fact deferred begins to wait, and what the score let through costs no write.

An origin is a network, or a domain that authenticated itself: the second try of a large sender
comes from another address (RFC 6647 §5).
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING, Final

from reputation.keys import keyed_hash
from reputation.store import Put

if TYPE_CHECKING:
    from collections.abc import Iterator

    from reputation.store import Store

_WAITING: Final = "greylist-waiting"
_EARLY: Final = "greylist-early"
_PASSED: Final = "greylist-passed"

# RFC 6647 §5: at least one minute, at most a day in which the second try counts, and a month or so
# for which an origin that passed is known.
DELAY_S: Final = 60.0
WINDOW_S: Final = 24 * 3600.0
KEEP_S: Final = 36 * 86_400.0

# Of a message to more than that the first ones decide: each costs keys, and a stranger names them.
_MOST_RECIPIENTS: Final = 50


class State(StrEnum):
    """How far an origin is.

    NEW: never seen, or too long ago. EARLY: deferred before, and back too soon. RETURNED: back in
    time. PASSED: known from before.
    """

    NEW = "new"
    EARLY = "early"
    RETURNED = "returned"
    PASSED = "passed"


@dataclass(frozen=True, slots=True)
class Try:
    """One attempt to deliver.

    Attributes:
        origin: The network, or a domain that authenticated itself, with a word before it that says
            which.
        mail_from: The reverse path; empty for the null one.
        recipients: All of them; the attempt is as far as the last of them.
    """

    origin: str
    mail_from: str
    recipients: tuple[str, ...]

    def keys(self, secret: bytes) -> list[bytes]:
        """Return the key of each recipient's triplet, of the first ones where there are many."""
        origin, mail_from = self.origin.encode(), self.mail_from.lower().encode()
        return [
            keyed_hash(secret, origin, mail_from, one.lower().encode())
            for one in self.recipients[:_MOST_RECIPIENTS]
        ]

    def origin_key(self, secret: bytes) -> bytes:
        """Return the key of the origin alone."""
        return keyed_hash(secret, self.origin.encode())


@dataclass(frozen=True, slots=True)
class Greylist:
    """The times of greylisting, in seconds.

    Attributes:
        delay_s: Who comes back earlier is deferred again.
        window_s: Who comes back later begins anew.
        keep_s: An origin that passed is known for so long after its last message.
    """

    delay_s: float = DELAY_S
    window_s: float = WINDOW_S
    keep_s: float = KEEP_S

    def state(self, store: Store, attempt: Try, now: float) -> State:
        """Return how far `attempt` is; nothing changes by it.

        Raises:
            StoreError: The store does not answer.
        """
        secret = store.secret(_WAITING)
        origin = attempt.origin_key(secret)
        if store.present(_PASSED, [origin], now):
            return State.PASSED
        keys = attempt.keys(secret)
        if len(store.present(_WAITING, keys, now)) < len(set(keys)):
            return State.NEW
        early = store.present(_EARLY, keys, now)
        # What would be early for longer was noted by a clock that was ahead.
        if early and not store.present(_EARLY, keys, now + 2 * self.delay_s):
            return State.EARLY
        return State.RETURNED

    def deferred(self, attempt: Try, secret: bytes, known: State, now: float) -> Iterator[Put]:
        """Yield what changes when `attempt` was deferred for greylisting."""
        # A try that came too early does not begin the wait again: servers that try each minute
        # would never get through.
        if known is State.NEW:
            keys = tuple(attempt.keys(secret))
            yield Put(_WAITING, keys, now + self.window_s)
            yield Put(_EARLY, keys, now + self.delay_s)

    def accepted(self, attempt: Try, secret: bytes, known: State, now: float) -> Iterator[Put]:
        """Yield what changes when `attempt` was taken."""
        if known in (State.RETURNED, State.PASSED):
            yield Put(_PASSED, (attempt.origin_key(secret),), now + self.keep_s)


def secret_of(store: Store) -> bytes:
    """Return the secret of the hashes."""
    return store.secret(_WAITING)
