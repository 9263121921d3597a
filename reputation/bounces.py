"""What our users sent, so that a bounce of something else is known for backscatter."""

from __future__ import annotations

from enum import Enum
from typing import TYPE_CHECKING, Final

from reputation.keys import keyed_hash
from reputation.store import Put

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from reputation.store import Store

_SENDERS: Final = "sent-by"
_SENT: Final = "sent-message"
_DOMAINS: Final = "sent-from-domain"
_DAY_S: Final = 86_400.0
SENDER_S: Final = 180 * _DAY_S
# RFC 5321 §4.5.4.1: a queue gives up after 4 to 5 days; some try for much longer.
MESSAGE_S: Final = 30 * _DAY_S
# Before a domain has sent through us for so long, bounces may be of what we did not see.
_SETTLED_DAYS: Final = 7
_DOMAIN_DAYS: Final = 28


class Origin(Enum):
    """What is known of the message that a bounce is about."""

    UNTOLD = "untold"
    OURS = "ours"
    NOT_THEIRS = "not theirs"
    NEVER_SENT = "never sent"


def secret_of(store: Store) -> bytes:
    """Return the secret of the hashes.

    Raises:
        StoreError: The store does not answer.
    """
    return store.secret(_SENDERS)


def sent(secret: bytes, ours: str, names: Sequence[str], now: float) -> Iterator[Put]:
    """Yield what is remembered of a message that went out.

    Args:
        secret: Of the hashes.
        ours: Its reverse path, which bounces go to.
        names: What the message can be known by: its Message-ID, our id.
        now: When.
    """
    yield Put(_SENDERS, (_key(secret, ours),), now + SENDER_S)
    yield Put(_SENT, tuple(_key(secret, ours, name) for name in names), now + MESSAGE_S)
    domain = _key(secret, _domain(ours), str(_day(now)))
    yield Put(_DOMAINS, (domain,), now + (_DOMAIN_DAYS + 1) * _DAY_S)


def origin(store: Store, ours: str, names: Sequence[str], now: float) -> Origin:
    """Return what is known of the message that a bounce to `ours` names.

    Args:
        store: Asked.
        ours: Whom the bounce is for.
        names: What the bounce says of the message: ids as in `sent`.
        now: When it came.

    Returns:
        UNTOLD where the domain did not send through us for a week yet, or the bounce names nothing
        and its recipient does send.

    Raises:
        StoreError: The store does not answer.
    """
    secret = secret_of(store)
    if store.present(_SENT, [_key(secret, ours, name) for name in names], now):
        return Origin.OURS
    today = _day(now)
    days = range(today - _DOMAIN_DAYS, today - _SETTLED_DAYS + 1)
    settled = [_key(secret, _domain(ours), str(day)) for day in days]
    if not store.present(_DOMAINS, settled, now):
        return Origin.UNTOLD
    if not store.present(_SENDERS, [_key(secret, ours)], now):
        return Origin.NEVER_SENT
    return Origin.NOT_THEIRS if names else Origin.UNTOLD


def _day(now: float) -> int:
    return int(now // _DAY_S)


def _domain(address: str) -> str:
    return address.rpartition("@")[2]


def _key(secret: bytes, *parts: str) -> bytes:
    return keyed_hash(secret, *(part.lower().encode() for part in parts))
