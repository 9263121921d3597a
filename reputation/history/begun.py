"""Since when a shadow policy runs: before that it judged nothing, and has no share in anything.

Written once for each version of it. One that comes back unchanged has its old beginning.
"""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING, Final, NamedTuple

from reputation.store import Append, Retention, Search

if TYPE_CHECKING:
    from collections.abc import Iterable

    from reputation.store import Store

STREAM: Final = "history-shadows"
_KEEP: Final = Retention(entries=1000, total_bytes=2**20, age_s=3660 * 86_400.0)
# Workers that start at once may each write it.
_TWICE: Final = 100


class Begun(NamedTuple):
    """A shadow policy that runs.

    Attributes:
        name: Of the policy file.
        version: Of it, with what it extends: a hash.
    """

    name: str
    version: str


def begin(store: Store, shadows: Iterable[Begun], at: float) -> list[Append]:
    """Return the writes by which `store` has the beginning of each; none for those it has."""
    new = [_word(each) for each in shadows if since(store, each) is None]
    return [Append(STREAM, at, b"", (word,), _KEEP) for word in new]


def since(store: Store, shadow: Begun) -> float | None:
    """Return when `shadow` saw its first message, seconds since the epoch; None: it saw none.

    Raises:
        StoreError: The store does not answer.
    """
    entries = store.search(STREAM, Search((_word(shadow),)), _TWICE)
    return min((entry.at for entry in entries), default=None)


def _word(shadow: Begun) -> bytes:
    return hashlib.blake2b(f"{shadow.version}:{shadow.name}".encode(), digest_size=16).digest()
