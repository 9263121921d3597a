"""How often one address beyond this machine may ask: a bucket each, which leaks.

Kept in the one process that has the port, so that it holds over all workers.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from milter.core.limits import client_key

if TYPE_CHECKING:
    from collections.abc import Callable

    from milter.core.connection import IpAddress

# So many seconds' worth at once: a page loads several things, a mail server has bursts.
_BURST_S: Final = 5.0
# Who has many addresses fills no memory.
_MOST_ADDRESSES: Final = 10_000


class Rate:
    """The buckets of all addresses.

    Args:
        per_s: Requests a second.
        clock: Monotonic seconds.
    """

    def __init__(self, per_s: float, clock: Callable[[], float]) -> None:
        self._per_s = per_s
        self._clock = clock
        # When the bucket of each will be empty.
        self._empty_at: dict[int, float] = {}

    def take(self, address: IpAddress) -> bool:
        """Count a request of `address` and return True; False, and no count, for one too many."""
        now, key = self._clock(), client_key(address)
        empty_at = max(now, self._empty_at.get(key, now)) + 1 / self._per_s
        if empty_at > now + max(_BURST_S, 1 / self._per_s):
            return False
        if key not in self._empty_at and len(self._empty_at) >= _MOST_ADDRESSES:
            self._make_room(now)
        self._empty_at[key] = empty_at
        return True

    def _make_room(self, now: float) -> None:
        self._empty_at = {key: at for key, at in self._empty_at.items() if at > now}
        if len(self._empty_at) >= _MOST_ADDRESSES:
            self._empty_at.clear()
