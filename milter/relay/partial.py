"""Who already got a message that others of its recipients did not (RFC 1047's problem, our part).

A client hears one answer for all recipients. Where some were served and others not it is told to
come again, and those who were served are left out then; when it need not come again, that is
forgotten. Kept is a keyed hash of reverse path, recipient and message, never an address.
"""

from __future__ import annotations

import re
from hashlib import blake2b
from typing import TYPE_CHECKING, Final

from milter.memory.keeping import Keeping
from reputation.errors import StoreError
from reputation.keys import keyed_hash

if TYPE_CHECKING:
    from collections.abc import Sequence

    from milter.memory.client import StoreClient
    from reputation.store import Store

_SPACE: Final = "partial-delivery"
# RFC 5321 §4.5.4.1: a client gives up after four to five days.
KEPT_S: Final = 5 * 86_400
# Longer than for checks, because a message that comes twice annoys.
LEAST_WAIT_S: Final = 2.0

# RFC 5322 §2.2 and, for the space before the colon, §4.5.8.
_RECEIVED: Final = re.compile(rb"received[ \t]*:", re.IGNORECASE)


def digest_of(message: bytes, *, retraced: bool) -> bytes:
    """Return the digest by which a message is known when it comes again.

    Args:
        message: As the client sent it, its lines ended by CRLF.
        retraced: Whether the topmost header field is left out if it is a Received: its peer writes
            one at each try, with another date (RFC 5321 §4.4).
    """
    start = _after_received(message) if retraced else 0
    return blake2b(memoryview(message)[start:]).digest()


def _after_received(message: bytes) -> int:
    if _RECEIVED.match(message) is None:
        return 0
    end = message.find(b"\r\n")
    # RFC 5322 §2.2.3: a line that begins with white space belongs to the field above it.
    while end >= 0 and message[end + 2 : end + 3] in (b" ", b"\t"):
        end = message.find(b"\r\n", end + 2)
    return end + 2 if end >= 0 else len(message)


class PartialDeliveries:
    """Remembers recipients in a store, which is asked in a thread and given little time.

    Args:
        store: Where; it logs its failures itself.
        timeout_s: How long the store is waited for.
    """

    def __init__(self, store: StoreClient, timeout_s: float = LEAST_WAIT_S) -> None:
        self._store = store
        self._timeout_s = timeout_s
        self._keeping = Keeping(store, _SPACE, timeout_s)

    async def known(
        self, mail_from: str, recipients: Sequence[str], digest: bytes
    ) -> frozenset[str]:
        """Return those of `recipients` who already got the message.

        A store that fails knows nobody: a message that comes twice is better than one that is lost.
        """
        now = self._store.clock()

        def ask(store: Store) -> frozenset[str]:
            keys = _keys(store, mail_from, recipients, digest)
            present = store.present(_SPACE, list(keys.values()), now)
            return frozenset(recipient for recipient, key in keys.items() if key in present)

        try:
            return await self._store.insist("present", ask, self._timeout_s)
        except StoreError:
            return frozenset()

    async def remember(self, mail_from: str, recipients: Sequence[str], digest: bytes) -> bool:
        """Keep that `recipients` got the message; return whether that succeeded."""
        expires_at = self._store.clock() + KEPT_S

        def keys(store: Store) -> list[bytes]:
            return list(_keys(store, mail_from, recipients, digest).values())

        try:
            await self._keeping.put(keys, expires_at)
        except StoreError:
            return False
        return True

    async def forget(self, mail_from: str, recipients: Sequence[str], digest: bytes) -> bool:
        """Keep no longer that `recipients` got the message; return whether that succeeded."""

        def drop(store: Store) -> int:
            keys = _keys(store, mail_from, recipients, digest)
            return store.forget(_SPACE, list(keys.values()))

        try:
            await self._store.insist("forget", drop, self._timeout_s)
        except StoreError:
            return False
        return True


def _keys(
    store: Store, mail_from: str, recipients: Sequence[str], digest: bytes
) -> dict[str, bytes]:
    secret = store.secret(_SPACE)
    return {
        recipient: keyed_hash(secret, mail_from.encode(), recipient.encode(), digest)
        for recipient in recipients
    }
