"""Exceptions of the memory."""

from __future__ import annotations


class StoreError(Exception):
    """The store could not answer. Root of everything that this package raises on purpose.

    Attributes:
        what: The cause in words, for the log.
        temporary: Whether the same question may succeed later; False where a person must act.
    """

    def __init__(self, what: str, *, temporary: bool = True) -> None:
        super().__init__(what)
        self.what = what
        self.temporary = temporary
