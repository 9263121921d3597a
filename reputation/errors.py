"""Exceptions of the memory."""

from __future__ import annotations

from typing import Literal

# Why a store does not answer; the label of a metric, so a closed set.
Reason = Literal["full", "locked", "corrupt", "gone", "slow", "refused", "other"]


class StoreError(Exception):
    """The store could not answer. Root of everything that this package raises on purpose.

    Attributes:
        what: The cause in words, for the log.
        temporary: Whether the same question may succeed later; False where a person must act.
        reason: The cause as one of a few.
    """

    def __init__(self, what: str, *, temporary: bool = True, reason: Reason = "other") -> None:
        super().__init__(what)
        self.what = what
        self.temporary = temporary
        self.reason: Reason = reason
