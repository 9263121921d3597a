"""What a store can do: keys that expire, in named spaces, and secrets that are made once.

Methods may block for as long as a disk or a lock takes; who runs an event loop calls them in a
thread. They may be called from several threads. Every failure is a `StoreError`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections.abc import Sequence


class Store(Protocol):
    """Implemented by `sqlite`, and by `memory` for tests and for running without a file."""

    def put(self, space: str, keys: Sequence[bytes], expires_at: float) -> None:
        """Keep `keys` in `space` until `expires_at`, seconds since the epoch; all or none.

        A key that is there already keeps the later of the two times. What was put is on the disk
        when this returns, where the store has a disk.
        """
        ...

    def present(self, space: str, keys: Sequence[bytes], now: float) -> frozenset[bytes]:
        """Return those of `keys` that `space` holds and that expire after `now`."""
        ...

    def secret(self, name: str) -> bytes:
        """Return the 32 random bytes called `name`; made at the first call, the same ever after."""
        ...

    def expire(self, now: float, limit: int) -> int:
        """Remove at most `limit` keys that expired at or before `now`; return how many."""
        ...

    def close(self) -> None:
        """Give everything back; calling it twice is harmless, any other call afterwards fails."""
        ...
