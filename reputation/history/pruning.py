"""Removing what the history keeps no longer, also where nothing more is appended.

A stream loses what is too old or too much when something is put behind it. Mail may be judged for a
year after whole messages are no longer kept, and these must go in their time. And where bounds were
lowered, what is beyond them must go before room is made in a full file with all that expires.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from reputation.history.journal import MESSAGES, STREAM
from reputation.store import Search

if TYPE_CHECKING:
    from reputation.history.journal import Keep
    from reputation.store import Retention, Store

# So many at once, so that nothing else waits for long.
PAGE: Final = 200
_TRIMMED_AT_ONCE: Final = 1000


def prune(store: Store, keep: Keep, now: float) -> int:
    """Remove records and messages that are too old or too many; return how many.

    So many of each at once, so that nothing else waits for long; 0: there are no more.

    Raises:
        StoreError: The store does not answer.
    """
    return sum(
        _prune(store, stream, kept, now)
        for stream, kept in ((STREAM, keep.records), (MESSAGES, keep.messages))
    )


def _prune(store: Store, stream: str, keep: Retention, now: float) -> int:
    # Wherever they stand: a clock may have been ahead.
    if old := store.search(stream, Search(until=now - keep.age_s, before=0), PAGE):
        return store.erase(stream, [entry.number for entry in old])
    return store.trim(stream, keep, now, _TRIMMED_AT_ONCE)
