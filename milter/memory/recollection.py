"""What checks are given of the memory, and what is done with it after the reply."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from reputation.greylist import Greylist

if TYPE_CHECKING:
    from collections.abc import Callable

    from milter.core.connection import IpAddress
    from milter.memory.client import StoreClient
    from reputation.store import Store
    from reputation.subjects import Subject

_SUBJECTS: Final = "subjects"
_USUAL: Final = Greylist()


def _nowhere(_client: IpAddress | None) -> tuple[Subject, ...]:
    return ()


@dataclass(frozen=True, slots=True)
class Recollection:
    """The store, and how it is used.

    Attributes:
        store: Asked and written to.
        hashed: Whether subjects are kept as keyed hashes.
        greylist: The times of greylisting.
        traps: Addresses that nobody gave to anybody, in small letters: who writes there is a
            spammer.
        places: Gives the network (AS) and the country of a client as subjects, where tables of the
            admin tell them.
    """

    store: StoreClient
    hashed: bool = False
    greylist: Greylist = _USUAL
    traps: frozenset[str] = frozenset()
    places: Callable[[IpAddress | None], tuple[Subject, ...]] = _nowhere

    def secret(self, store: Store) -> bytes | None:
        """Return what subjects are hashed with; None: they are kept as they are.

        Raises:
            StoreError: The store does not answer.
        """
        return subject_secret(store, hashed=self.hashed)


def subject_secret(store: Store, *, hashed: bool) -> bytes | None:
    """Return what subjects are hashed with; None: they are kept as they are.

    Raises:
        StoreError: The store does not answer.
    """
    return store.secret(_SUBJECTS) if hashed else None
