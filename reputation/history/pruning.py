"""Removing what the history keeps no longer, also where nothing more is appended.

A stream loses what is too old when something is put behind it. Mail may be judged for a year after
whole messages are no longer kept, and these must go in their time.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from reputation.history.journal import MESSAGES, STREAM
from reputation.store import Search

if TYPE_CHECKING:
    from reputation.history.journal import Keep
    from reputation.store import Store

# So many at once, so that nothing else waits for long.
PAGE: Final = 200


def prune(store: Store, keep: Keep, now: float) -> int:
    """Remove records and messages that are too old; return how many, `PAGE` of each at most.

    Raises:
        StoreError: The store does not answer.
    """
    return sum(
        _prune(store, stream, now - age_s)
        for stream, age_s in ((STREAM, keep.records.age_s), (MESSAGES, keep.messages.age_s))
    )


def _prune(store: Store, stream: str, until: float) -> int:
    old = store.search(stream, Search(until=until, before=0), PAGE)
    return store.erase(stream, [entry.number for entry in old]) if old else 0
