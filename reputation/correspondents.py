"""Whom our users write to, and which messages are theirs: an answer to these is welcome."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from reputation.keys import keyed_hash
from reputation.store import Put

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from reputation.store import Store

_WRITTEN_TO: Final = "correspondent"
_MESSAGES: Final = "our-message"
_TRACES: Final = "correspondent-trace"
WRITTEN_TO_S: Final = 180 * 86_400.0
MESSAGE_S: Final = 30 * 86_400.0
# Of one message so many recipients are remembered: a newsletter makes nobody a correspondent.
MOST_RECIPIENTS: Final = 20


@dataclass(frozen=True, slots=True)
class Answer:
    """What is known of a message that may be an answer.

    Attributes:
        written_to: Our recipients who wrote to its author before.
        answers: Our recipients one of whose messages it names.
    """

    written_to: tuple[str, ...] = ()
    answers: tuple[str, ...] = ()


def secret_of(store: Store) -> bytes:
    """Return the secret of the hashes."""
    return store.secret(_WRITTEN_TO)


def sent(
    secret: bytes, ours: str, recipients: Sequence[str], message_id: str, now: float
) -> Iterator[Put]:
    """Yield what is remembered of a message that one of us sent.

    Args:
        secret: Of the hashes.
        ours: Who sent it.
        recipients: To whom.
        message_id: Its Message-ID; empty: none.
        now: When.
    """
    if len(recipients) <= MOST_RECIPIENTS:
        keys = tuple(_key(secret, ours, theirs) for theirs in recipients)
        yield Put(_WRITTEN_TO, keys, now + WRITTEN_TO_S)
    if message_id:
        yield Put(_MESSAGES, (_key(secret, ours, message_id),), now + MESSAGE_S)


def traced(
    secret: bytes, ours: str, recipients: int, traces: Sequence[str], now: float
) -> Iterator[Put]:
    """Yield what is remembered of how those look whom one of us wrote to.

    Args:
        secret: Of the hashes.
        ours: The domain, or the mailbox, that these are the correspondents of.
        recipients: How many the message had; a newsletter makes nobody a correspondent.
        traces: Words by which others can be told that look like them.
        now: When.
    """
    if traces and recipients <= MOST_RECIPIENTS:
        keys = tuple(_key(secret, ours, trace) for trace in traces)
        yield Put(_TRACES, keys, now + WRITTEN_TO_S)


def known_traces(
    store: Store, ours: Sequence[str], traces: Sequence[str], now: float
) -> frozenset[str]:
    """Return those of `traces` that correspondents of one of `ours` left.

    Raises:
        StoreError: The store does not answer.
    """
    secret = secret_of(store)
    keys = {_key(secret, one, trace): trace for one in ours for trace in traces}
    return frozenset(keys[key] for key in store.present(_TRACES, list(keys), now))


def look_up(
    store: Store, author: str, ours: Sequence[str], message_ids: Sequence[str], now: float
) -> Answer:
    """Return what is known of a message to `ours`.

    Args:
        store: Asked.
        author: Its author's mailbox, proven; empty: nobody vouches for it.
        ours: Its recipients.
        message_ids: The messages that it names as those it answers.
        now: When it came.

    Raises:
        StoreError: The store does not answer.
    """
    secret = secret_of(store)
    by_author = {_key(secret, one, author): one for one in ours} if author else {}
    by_message = {_key(secret, one, name): one for one in ours for name in message_ids}
    written_to = store.present(_WRITTEN_TO, list(by_author), now)
    answers = store.present(_MESSAGES, list(by_message), now)
    return Answer(
        tuple(sorted({by_author[key] for key in written_to})),
        tuple(sorted({by_message[key] for key in answers})),
    )


def forget(store: Store, one: str, other: str) -> int:
    """Forget that either wrote to the other; return how many of the two ways were known.

    Raises:
        StoreError: The store does not answer.
    """
    secret = secret_of(store)
    return store.forget(_WRITTEN_TO, [_key(secret, one, other), _key(secret, other, one)])


def _key(secret: bytes, ours: str, theirs: str) -> bytes:
    return keyed_hash(secret, ours.lower().encode(), theirs.lower().encode())
