"""What tests of stores have in common."""

from __future__ import annotations

from itertools import count
from typing import TYPE_CHECKING

from milter.memory.client import StoreClient

if TYPE_CHECKING:
    from collections.abc import Callable

    from reputation.store import Store


def random_bytes() -> Callable[[int], bytes]:
    """Return a source of bytes that are different each time and known beforehand."""
    numbers = count(1)
    return lambda size: next(numbers).to_bytes(size)


class Counted:
    """What a store's client told."""

    def __init__(self) -> None:
        self.operations: list[str] = []
        self.reasons: list[str] = []
        self.dropped = 0

    def store(self, operation: str, seconds: float) -> None:
        """Note an operation."""
        self.operations.append(operation)

    def store_failed(self, reason: str) -> None:
        """Note a failure."""
        self.reasons.append(reason)

    def store_dropped(self, writes: int) -> None:
        """Note writes that were given up."""
        self.dropped += writes


def client_of(
    store: Store, clock: Callable[[], float] = lambda: 0.0, counts: Counted | None = None
) -> StoreClient:
    """Return a client of `store`, whose pauses pass at once: its time never goes on."""
    return StoreClient(
        lambda: store, counts=counts or Counted(), clock=clock, monotonic=lambda: 0.0, timeout_s=5.0
    )
