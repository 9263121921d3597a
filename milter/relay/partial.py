"""Who already got a message that others of its recipients did not (RFC 1047's problem, our part).

A client hears one answer for all recipients. Where some were served and others not it is told to
come again, and those who were served are left out then. Kept is a keyed hash of reverse path,
recipient and message, never an address.
"""

from __future__ import annotations

import asyncio
import hmac
import logging
import re
from hashlib import blake2b
from typing import TYPE_CHECKING, Final, TypeVar

from reputation.errors import StoreError

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from reputation.store import Store

log = logging.getLogger("gatepost.relay")

_SPACE: Final = "partial-delivery"
# RFC 5321 §4.5.4.1: a client gives up after four to five days.
KEPT_S: Final = 5 * 86_400
_EXPIRE_AT_ONCE: Final = 1000

# RFC 5322 §2.2 and, for the space before the colon, §4.5.8.
_RECEIVED: Final = re.compile(rb"received[ \t]*:", re.IGNORECASE)

T = TypeVar("T")


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
        store: Where; its methods block.
        clock: Seconds since the epoch.
        timeout_s: How long the store is waited for.
    """

    def __init__(self, store: Store, clock: Callable[[], float], timeout_s: float = 2.0) -> None:
        self._store = store
        self._clock = clock
        self._timeout_s = timeout_s

    async def known(
        self, mail_from: str, recipients: Sequence[str], digest: bytes
    ) -> frozenset[str]:
        """Return those of `recipients` who already got the message.

        A store that fails knows nobody: a message that comes twice is better than one that is lost.
        """
        found = await self._ask(lambda: self._known(mail_from, recipients, digest))
        return found if found is not None else frozenset()

    async def remember(self, mail_from: str, recipients: Sequence[str], digest: bytes) -> bool:
        """Keep that `recipients` got the message; return whether that succeeded."""
        return await self._ask(lambda: self._remember(mail_from, recipients, digest)) is not None

    def _known(self, mail_from: str, recipients: Sequence[str], digest: bytes) -> frozenset[str]:
        keys = self._keys(mail_from, recipients, digest)
        present = self._store.present(_SPACE, list(keys.values()), self._clock())
        return frozenset(recipient for recipient, key in keys.items() if key in present)

    def _remember(self, mail_from: str, recipients: Sequence[str], digest: bytes) -> bool:
        now = self._clock()
        keys = self._keys(mail_from, recipients, digest)
        self._store.put(_SPACE, list(keys.values()), now + KEPT_S)
        self._store.expire(now, _EXPIRE_AT_ONCE)
        return True

    def _keys(self, mail_from: str, recipients: Sequence[str], digest: bytes) -> dict[str, bytes]:
        secret = self._store.secret(_SPACE)
        return {
            recipient: _key(secret, (mail_from.encode(), recipient.encode(), digest))
            for recipient in recipients
        }

    async def _ask(self, question: Callable[[], T]) -> T | None:
        try:
            async with asyncio.timeout(self._timeout_s):
                return await asyncio.to_thread(question)
        except TimeoutError:
            error = "no answer in time"
        except StoreError as err:
            error = err.what
        log.warning("store failed", extra={"error": error, "temporary": True})
        return None


def _key(secret: bytes, parts: Sequence[bytes]) -> bytes:
    # The length before each part keeps ("ab", "c") apart from ("a", "bc").
    message = b"".join(len(part).to_bytes(4) + part for part in parts)
    return hmac.digest(secret, message, "sha256")
